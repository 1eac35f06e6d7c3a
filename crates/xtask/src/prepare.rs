//! `prepare`: `.sqlx`, the answers of a real Postgres about every checked statement, one file each.
//!
//! The checked macros write a file for each statement they meet when `SQLX_OFFLINE_DIR` and a database are given, so
//! compiling `store` anew is all it takes, and no further tool.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use provision::postgres::{Binaries, Cluster, Script};

use crate::{interrupt, workspace};

/// The crates whose source has checked statements.
const CRATES: [&str; 1] = ["store"];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only compare with what is committed, and fail where they differ.
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args) -> Result<()> {
    interrupt::install()?;
    let binaries = Binaries::find_or_install(&mut |line| println!("{line}"))?;
    let cluster = Cluster::temporary(&binaries, false)?;
    if args.check {
        check(&binaries, &cluster)
    } else {
        write(&binaries, &cluster)
    }
}

fn write(binaries: &Binaries, cluster: &Cluster) -> Result<()> {
    let fresh = describe(binaries, cluster)?;
    let committed = workspace::root().join(".sqlx");
    if committed.exists() {
        fs::remove_dir_all(&committed)?;
    }
    fs::create_dir_all(&committed)?;
    for (name, text) in &fresh {
        fs::write(committed.join(name), text)?;
    }
    println!("Wrote .sqlx: {} statements", fresh.len());
    Ok(())
}

/// Fails when `.sqlx` is not what a database with today's migrations says about today's statements.
pub fn check(binaries: &Binaries, cluster: &Cluster) -> Result<()> {
    let fresh = describe(binaries, cluster)?;
    let committed = read(&workspace::root().join(".sqlx"))?;
    let differing: Vec<_> = fresh
        .keys()
        .chain(committed.keys())
        .filter(|&name| fresh.get(name) != committed.get(name))
        .map(|name| {
            format!(
                "\n  {name}: {}",
                statement(fresh.get(name).or(committed.get(name)))
            )
        })
        .collect();
    if !differing.is_empty() {
        let differing: String = differing.into_iter().take(10).collect();
        bail!(".sqlx is not up to date; run `cargo xtask prepare` and commit it. It differs in:{differing}");
    }
    println!("{} statements as committed", fresh.len());
    Ok(())
}

/// Compiles the crates with checked statements against a database that has only the migrations.
fn describe(binaries: &Binaries, cluster: &Cluster) -> Result<BTreeMap<String, String>> {
    let database = format!("prepare_{}", std::process::id());
    cluster.create_database(&database)?;
    let url = cluster.url_of(&database);
    for file in migrations()? {
        binaries
            .psql(&url, Script::File(&file))
            .with_context(|| format!("the migration {} failed", file.display()))?;
    }
    let out = tempfile::tempdir()?;
    let mut touched = Vec::new();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(workspace::root())
        .args(["check", "--quiet", "--all-targets"])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", out.path())
        .env("DATABASE_URL", &url);
    for name in CRATES {
        command.args(["--package", name]);
        touched.extend(touch(&workspace::root().join("crates").join(name))?);
    }
    interrupt::run(&mut command)?;
    drop(touched);
    read(out.path())
}

/// Makes Cargo compile the crate in `dir` again, for as long as what this returns is kept.
fn touch(dir: &Path) -> Result<Vec<Touched>> {
    ["src/lib.rs", "tests/it/main.rs"]
        .into_iter()
        .map(|root| dir.join(root))
        .filter(|path| path.is_file())
        .map(|path| Touched::new(&path))
        .collect()
}

/// A file that Cargo takes for changed. Dropping this restores its modification time, so that later calls of Cargo do not
/// rebuild the crate and all that depends on it.
struct Touched {
    file: fs::File,
    modified: SystemTime,
}

impl Touched {
    fn new(path: &Path) -> Result<Self> {
        let file = fs::File::options().append(true).open(path)?;
        let modified = file.metadata()?.modified()?;
        #[expect(clippy::disallowed_methods, reason = "Cargo compares with the real clock")]
        file.set_modified(SystemTime::now())?;
        Ok(Self { file, modified })
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        if let Err(error) = self.file.set_modified(self.modified) {
            eprintln!("cannot restore the modification time of a source file: {error}");
        }
    }
}

fn migrations() -> Result<Vec<std::path::PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(workspace::root().join("migrations"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|it| it == "sql"))
        .collect();
    files.sort();
    Ok(files)
}

/// The text of each `query-*.json` in `dir`, by name; empty when there is no `dir`.
fn read(dir: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && name.starts_with("query-")
        {
            files.insert(name.to_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}

/// The first line of the statement in a metadata file.
fn statement(json: Option<&String>) -> String {
    json.and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok())
        .and_then(|value| Some(value.get("query")?.as_str()?.trim().lines().next()?.to_owned()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_touched_file_gets_its_time_back() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        file.as_file().set_modified(before).unwrap();
        let modified = || file.path().metadata().unwrap().modified().unwrap();
        let touched = Touched::new(file.path()).unwrap();
        assert!(modified() > before);
        drop(touched);
        assert_eq!(modified(), before);
    }
}
