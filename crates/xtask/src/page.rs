//! The demo page, built from `web/` when its sources are newer than the last build.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::node::{self, Npm};
use crate::workspace;

/// The workspaces of the page.
const PACKAGES: [&str; 2] = ["client", "demo"];
/// Files that they share.
const SHARED: [&str; 3] = ["package.json", "package-lock.json", "tsconfig.base.json"];
/// Generated folders.
const GENERATED: [&str; 2] = ["dist", "node_modules"];

/// The root of the npm workspaces.
pub fn web() -> PathBuf {
    workspace::root().join("web")
}

/// The folder that is served.
pub fn folder() -> PathBuf {
    web().join("demo/dist")
}

/// Builds the page if its sources are newer. Otherwise needs no Node.js.
pub fn build_if_stale() -> Result<()> {
    if is_current(&web()) {
        return Ok(());
    }
    let npm = Npm::find()?;
    npm.install(&web())?;
    build(&npm)
}

/// Builds the client package and the page.
pub fn build(npm: &Npm) -> Result<()> {
    println!("Building the page");
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with the times of files, which are real"
    )]
    let began = SystemTime::now();
    node::quietly(&mut npm.script(&web(), "build"))?;
    // As old as the sources that it was built from: a source saved during the build is newer.
    let index = folder().join("index.html");
    let file = fs::File::options().append(true).open(&index);
    file.and_then(|file| file.set_modified(began))
        .with_context(|| format!("the build made no {}", index.display()))
}

fn is_current(web: &Path) -> bool {
    let Some(built) = node::modified(&web.join("demo/dist/index.html")) else {
        return false;
    };
    let shared = SHARED.iter().map(|name| web.join(name));
    let packages = PACKAGES.iter().flat_map(|name| entries(&web.join(name)));
    shared
        .chain(packages)
        .filter_map(|path| newest(&path))
        .all(|source| source < built)
}

/// When a file, or anything in a folder, was last changed. Removing a file changes its folder.
fn newest(path: &Path) -> Option<SystemTime> {
    let inside = entries(path).into_iter().filter_map(|entry| newest(&entry)).max();
    node::modified(path).max(inside)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| !GENERATED.iter().any(|made| entry.file_name() == *made))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_page_is_rebuilt_when_a_source_changes() {
        let dir = tempfile::tempdir().unwrap();
        let web = dir.path();
        let write = |name: &str| {
            std::thread::sleep(Duration::from_millis(20));
            let path = web.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        write("client/src/index.ts");
        write("demo/src/main.tsx");
        write("demo/src/old.tsx");
        write("package-lock.json");
        assert!(!is_current(web));
        write("demo/dist/index.html");
        assert!(is_current(web));
        write("client/node_modules/x/index.js");
        write("client/dist/index.js");
        write("e2e/tests/x.test.mjs");
        assert!(is_current(web));
        write("client/src/index.ts");
        assert!(!is_current(web));
        write("demo/dist/index.html");
        assert!(is_current(web));
        std::thread::sleep(Duration::from_millis(20));
        fs::remove_file(web.join("demo/src/old.tsx")).unwrap();
        assert!(!is_current(web));
        write("demo/dist/index.html");
        write("package-lock.json");
        assert!(!is_current(web));
    }
}
