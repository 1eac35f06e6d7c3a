//! Programs that are built once with Go, from their module, into the cache.

mod clock;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::process::{find_in_path, output};

/// How often the download is tried: a module proxy has bad minutes, and Go resumes where it was.
const DOWNLOAD_ATTEMPTS: u32 = 3;
/// The end of a binary's name.
const WITH_CLOCK: &str = "-clock";
/// How many lines of Go's output are in its error.
const LAST_LINES: usize = 20;

/// A program, and where in its module it is.
pub(crate) struct Program {
    pub name: &'static str,
    pub module: &'static str,
    /// Without the `v`.
    pub version: &'static str,
    /// The folder of its `main` in the module.
    pub package: &'static str,
    pub ldflags: &'static str,
    /// The remedy without Go, as the end of a sentence.
    pub otherwise: &'static str,
}

impl Program {
    /// The binary in the cache, built if missing. `progress` gets lines about the build.
    pub fn find_or_build(&self, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
        self.find_or_build_as("", progress)
    }

    /// As [`Program::find_or_build`], another binary whose clock the variable `FAKETIME` shifts, by seconds: `+60`.
    pub fn find_or_build_with_clock(&self, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
        self.find_or_build_as(WITH_CLOCK, progress)
    }

    fn find_or_build_as(&self, variant: &str, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
        let Self { name, version, .. } = self;
        let dir = cache::dir()?.join("bin");
        let path = dir.join(format!("{name}-{version}{variant}"));
        if !path.is_file() {
            std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
            // Two builds at once (`up` beside `test`) would write the same file: the second waits and finds it done.
            let lock = File::create(dir.join(format!("{name}.lock")))?;
            lock.lock()?;
            if !path.is_file() {
                self.build(&path, variant == WITH_CLOCK, progress)?;
            }
        }
        Ok(path)
    }

    /// Builds from the module's own source directory, with the module's own `go.sum`.
    ///
    /// `go install …@version` would be shorter, but it asks the proxy for the list of versions to look for a deprecation
    /// notice, and proxies that serve pinned versions only refuse that.
    fn build(&self, path: &Path, with_clock: bool, progress: &mut dyn FnMut(&str)) -> Result<()> {
        let Self { name, version, .. } = self;
        let go = find_in_path("go").with_context(|| {
            format!(
                "{name} {version} is not installed and Go (1.26 or newer) is not there to build it: install Go, or {}",
                self.otherwise
            )
        })?;
        progress(&format!("Downloading the source of {name} {version}"));
        let source = self.download(&go, progress)?;
        progress(&format!("Building {name} {version} (once, some minutes)"));
        // Built beside the target and renamed, so that an interrupted build leaves no partial program.
        let partial = path.with_extension("partial");
        let overlay = with_clock.then(|| clock::Overlay::write(&go)).transpose()?;
        let mut command = Command::new(&go);
        command.args(["build", "-C"]).arg(&source);
        if let Some(overlay) = &overlay {
            command.arg("-overlay").arg(overlay.file());
        }
        command
            .args(["-v", "-ldflags", &format!("-s -w {}", self.ldflags), "-o"])
            .arg(&partial)
            .arg(self.package)
            .env("CGO_ENABLED", "0");
        compile(&mut command, progress).with_context(|| format!("{name} did not build"))?;
        std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn download(&self, go: &Path, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
        let Self {
            name,
            module,
            version,
            ..
        } = self;
        let mut attempt = 1;
        let answer = loop {
            let result = output(
                Command::new(go)
                    .args(["mod", "download", "-json", &format!("{module}@v{version}")])
                    // Outside any module, so that no go.mod has an effect.
                    .current_dir(std::env::temp_dir()),
            );
            match result {
                Ok(answer) => break answer,
                Err(error) if attempt == DOWNLOAD_ATTEMPTS => {
                    return Err(error.context(format!("the source of {name} could not be downloaded")));
                }
                Err(_) => progress(&format!("The download failed, trying again ({attempt})")),
            }
            attempt += 1;
            std::thread::sleep(Duration::from_secs(3));
        };
        source_dir(&answer).context("`go mod download -json` named no directory")
    }
}

/// Runs a `go build -v`, which names each package it compiles, and reports their number now and then.
fn compile(command: &mut Command, progress: &mut dyn FnMut(&str)) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run go")?;
    let (mut packages, mut told, mut last_lines) = (0, Instant::now(), VecDeque::new());
    for line in child
        .stderr
        .take()
        .into_iter()
        .flat_map(|stderr| BufReader::new(stderr).lines())
    {
        packages += 1;
        if told.elapsed() > Duration::from_secs(10) {
            progress(&format!("  {packages} packages"));
            told = Instant::now();
        }
        if last_lines.len() == LAST_LINES {
            last_lines.pop_front();
        }
        last_lines.push_back(line?);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("go failed ({status}):\n{}", Vec::from(last_lines).join("\n"));
    }
    Ok(())
}

/// The value of `"Dir"` in Go's flat JSON answer, one member a line. Paths in a module cache need no unescaping.
fn source_dir(answer: &str) -> Option<PathBuf> {
    let line = answer
        .lines()
        .find_map(|line| line.trim().strip_prefix("\"Dir\": \""))?;
    Some(PathBuf::from(line.trim_end_matches([',', '"'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_directory_is_read_from_gos_answer() {
        let answer = "{\n\t\"Path\": \"x/v6\",\n\t\"Dir\": \"/home/a/go/pkg/mod/x/v6@v6.9.6\",\n\t\"Sum\": \"h1:\"\n}\n";
        assert_eq!(
            source_dir(answer),
            Some(PathBuf::from("/home/a/go/pkg/mod/x/v6@v6.9.6"))
        );
        assert_eq!(source_dir("{}"), None);
    }
}
