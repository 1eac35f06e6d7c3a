//! A Go standard library whose wall clock can be shifted. Go reads the clock without the C library, so libfaketime does not
//! reach it; `go build -overlay` replaces the one function that everything goes through.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::TempDir;

use crate::process::output;

/// The beginning of `time.Now`, which reads the clock in its first line.
const NOW: &str = "func Now() Time {\n\tsec, nsec, mono := ";

/// `clockOffset`, from `FAKETIME` in the form `+60` or `-60`. The package may not import `strconv`.
const OFFSET: &str = r#"package time

import "syscall"

var clockOffset = func() (seconds int64) {
	text, _ := syscall.Getenv("FAKETIME")
	for _, digit := range []byte(text) {
		if '0' <= digit && digit <= '9' {
			seconds = 10*seconds + int64(digit-'0')
		}
	}
	if len(text) > 0 && text[0] == '-' {
		return -seconds
	}
	return seconds
}()
"#;

/// The files of an overlay, until it is dropped.
pub(super) struct Overlay(TempDir);

impl Overlay {
    pub fn write(go: &Path) -> Result<Self> {
        let root = output(Command::new(go).args(["env", "GOROOT"]))?;
        let package = PathBuf::from(root.trim()).join("src/time");
        let source = fs::read_to_string(package.join("time.go")).context("cannot read Go's package time")?;
        let shifted = shift(&source).context("this version of Go reads the clock in another way")?;
        let dir = tempfile::tempdir()?;
        let (time, offset) = (dir.path().join("time.go"), dir.path().join("offset.go"));
        fs::write(&time, shifted)?;
        fs::write(&offset, OFFSET)?;
        let replace = json!({"Replace": {
            (package.join("time.go").to_string_lossy()): time,
            (package.join("clock_offset.go").to_string_lossy()): offset,
        }});
        let overlay = Self(dir);
        fs::write(overlay.file(), replace.to_string())?;
        Ok(overlay)
    }

    /// For `go build -overlay`.
    pub fn file(&self) -> PathBuf {
        self.0.path().join("overlay.json")
    }
}

fn shift(source: &str) -> Option<String> {
    let read = source.find(NOW)? + NOW.len();
    let (before, after) = source.split_at(read + source[read..].find('\n')?);
    Some(format!("{before}\n\tsec += clockOffset{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_standard_library_is_shifted() {
        let source = format!("package time\n\n{NOW}runtimeNow()\n\tif mono == 0 {{\n");
        let shifted = format!("package time\n\n{NOW}runtimeNow()\n\tsec += clockOffset\n\tif mono == 0 {{\n");
        assert_eq!(shift(&source), Some(shifted));
        assert_eq!(
            shift("package time\n\nfunc Now() Time {\n\treturn read()\n"),
            None
        );
    }
}
