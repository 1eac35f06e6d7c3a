//! Checks that depend on files alone: a check that passed is not repeated until one of the files changes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::workspace;

/// A check with its present inputs.
pub struct Check {
    /// The inputs with which it passed last.
    stamp: PathBuf,
    inputs: String,
}

impl Check {
    /// `also` is whatever else the result depends on, such as a version.
    pub fn new(name: &str, mut files: Vec<PathBuf>, also: &str) -> Result<Self> {
        files.sort();
        let mut hash = Sha256::new();
        hash.update(also);
        for file in files {
            hash.update(file.as_os_str().as_encoded_bytes());
            hash.update(Sha256::digest(fs::read(file)?));
        }
        let inputs = hash
            .finalize()
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        Ok(Self {
            stamp: workspace::state_dir()?.join(format!("{name}-checked")),
            inputs,
        })
    }

    pub fn has_passed(&self) -> bool {
        fs::read_to_string(&self.stamp).is_ok_and(|passed| passed == self.inputs)
    }

    /// Call it after the check has passed.
    pub fn keep(self) -> Result<()> {
        fs::write(&self.stamp, self.inputs).context("cannot write the stamp of the last check")
    }
}

/// All files under `folder`, except in folders of these names.
pub fn add_files(folder: &Path, except: &[&str], files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if !path.is_dir() {
            files.push(path);
        } else if !except.iter().any(|name| entry.file_name() == *name) {
            add_files(&path, except, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_checked_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("input");
        let check = || {
            let mut files = Vec::new();
            add_files(dir.path(), &["made"], &mut files).unwrap();
            Check {
                stamp: dir.path().join("made/stamp"),
                ..Check::new("test", files, "1").unwrap()
            }
        };
        fs::create_dir(dir.path().join("made")).unwrap();
        fs::write(&file, "one").unwrap();
        assert!(!check().has_passed());
        check().keep().unwrap();
        assert!(check().has_passed());
        fs::write(&file, "two").unwrap();
        assert!(!check().has_passed());
    }
}
