// Command compose-check reads a Compose file, and those that override it, as Docker Compose does, all profiles on and variables
// put in from its environment, and prints what it makes of it as JSON. It needs no engine: it is Compose's own loader, with its schema and
// its check that all networks, secrets, volumes and services which are named are there.
//
// compose-go has a command of its own, which prints the model before variables are put in.
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
