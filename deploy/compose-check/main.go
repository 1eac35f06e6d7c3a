// Command compose-check loads a Compose file and its overrides as Docker Compose does, with all profiles enabled and variables
// interpolated from its environment, and prints the resulting model as JSON. It needs no engine: it uses Compose's own loader, with its
// schema and its check that all referenced networks, secrets, volumes and services exist.
//
// compose-go's own command prints the model before interpolation.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: compose-check COMPOSE_FILE..."))
	}
	options, err := cli.NewProjectOptions(os.Args[1:],
		cli.WithWorkingDirectory(filepath.Dir(os.Args[1])),
		cli.WithOsEnv,
		cli.WithProfiles([]string{"*"}),
	)
	fail(err)
	project, err := options.LoadProject(context.Background())
	fail(err)
	project, err = project.WithServicesEnvironmentResolved(false)
	fail(err)
	fail(json.NewEncoder(os.Stdout).Encode(project))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
