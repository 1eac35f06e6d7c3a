//! The user that a server runs as: not root, even if root starts it.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::is_root;

/// A user and a group. None: the current user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner(Option<(u32, u32)>);

impl Owner {
    /// The current user, or under root the first of `users` that exists.
    pub fn choose<const N: usize>(users: [&str; N]) -> Result<Self> {
        if !is_root() {
            return Ok(Self(None));
        }
        let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        users
            .into_iter()
            .find_map(|name| ids_of(&passwd, name))
            .map(|ids| Self(Some(ids)))
            .with_context(|| {
                format!(
                    "servers do not run as root, and there is no user {}",
                    users.join(" or ")
                )
            })
    }

    pub fn run(self, command: &mut Command) -> &mut Command {
        if let Some((uid, gid)) = self.0 {
            command.gid(gid).uid(uid);
        }
        command
    }

    pub fn own(self, path: &Path) -> Result<()> {
        if let Some((uid, gid)) = self.0 {
            chown(path, Some(uid), Some(gid))
                .with_context(|| format!("cannot give away {}", path.display()))?;
        }
        Ok(())
    }

    /// Whether it may enter this directory.
    pub fn passes(self, dir: &Path) -> bool {
        self.0.is_none_or(|(uid, _)| {
            fs::metadata(dir).is_ok_and(|it| it.mode() & 0o001 != 0 || it.uid() == uid)
        })
    }
}

/// User and group id of `name` in the text of `/etc/passwd`.
fn ids_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = passwd
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?
        .skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/usr/sbin/nologin\n";
        assert_eq!(ids_of(passwd, "nobody"), Some((65534, 65533)));
        assert_eq!(ids_of(passwd, "postgres"), None);
    }
}
