//! `prepare`: `.sqlx`, the answers of a real Postgres about every checked statement, one file each.
//!
//! The checked macros write a file for each statement they meet when `SQLX_OFFLINE_DIR` and a database are given, so
//! compiling `store` again is enough, without a further tool.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use provision::postgres::{Binaries, Cluster, Script};

use crate::cargo::{PRODUCTION, cargo};
use crate::checked::{Check, add_files};
use crate::{interrupt, workspace};

/// The crate with the checked statements; none is in its tests.
const CRATE: &str = "store";

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
    let fresh = describe(binaries, cluster, &["--package", CRATE])?;
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

/// Fails when `.sqlx` is not how a database with today's migrations describes today's statements.
///
/// The whole workspace is compiled: the documentation needs the same libraries, and they prove that a release compiles.
/// Inputs that passed before are not checked again.
pub fn check(binaries: &Binaries, cluster: &Cluster) -> Result<()> {
    let check = Check::new("sqlx", inputs()?, &cluster.version()?)?;
    if check.has_passed() {
        println!("statements, migrations and .sqlx are unchanged since they were last checked");
        return interrupt::run(
            cargo()
                .args(["check", "--quiet", "--locked", "--lib"])
                .args(PRODUCTION),
        );
    }
    let fresh = describe(binaries, cluster, &PRODUCTION)?;
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
    check.keep()
}

/// The files that the comparison depends on.
fn inputs() -> Result<Vec<PathBuf>> {
    let root = workspace::root();
    let mut files = migrations()?;
    files.push(root.join("Cargo.lock"));
    for folder in [root.join(".sqlx"), root.join("crates").join(CRATE).join("src")] {
        add_files(&folder, &[], &mut files)?;
    }
    Ok(files)
}

/// Compiles the crate with the statements against a database that has only the migrations.
fn describe(binaries: &Binaries, cluster: &Cluster, packages: &[&str]) -> Result<BTreeMap<String, String>> {
    let database = format!("prepare_{}", std::process::id());
    cluster.create_database(&database)?;
    let url = cluster.url_of(&database);
    for file in migrations()? {
        binaries
            .psql(&url, Script::File(&file))
            .with_context(|| format!("the migration {} failed", file.display()))?;
    }
    let out = tempfile::tempdir()?;
    let touched = Touched::new(&workspace::root().join("crates").join(CRATE).join("src/lib.rs"))?;
    interrupt::run(
        cargo()
            .args(["check", "--quiet", "--locked", "--lib"])
            .args(packages)
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", out.path())
            .env("DATABASE_URL", &url),
    )?;
    drop(touched);
    read(out.path())
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

fn migrations() -> Result<Vec<PathBuf>> {
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
