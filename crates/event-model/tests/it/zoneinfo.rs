//! Series in every zone compared with Python's `zoneinfo` and its `tzdata` package: another reader of the tz database, from
//! another source. It fails when the package is renewed and our database is not.

#![expect(clippy::unwrap_used, reason = "a test: a panic is its way to fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chrono::{NaiveDateTime, TimeDelta};
use event_model::calendar::{AccessRole, CalendarContext};
use event_model::expansion::occurrences;
use event_model::resource;
use event_model::wire::Window;
use event_model::zone::{self, Zone};
use ids::CalendarId;
use serde_json::{Value, json};

/// From January 2024 to January 2028: at night on Sundays, when clocks change, and on Monday mornings.
const FIRSTS: [&str; 2] = ["2024-01-07T02:30:00", "2024-01-08T09:00:00"];
const WEEKS: u32 = 209;

type Starts = BTreeMap<String, Vec<String>>;

#[test]
fn series_in_every_zone_agree_with_zoneinfo() {
    let (then, now) = (python("requirements-2024.txt"), python("requirements.txt"));
    let mut changed = BTreeSet::new();
    for ((first, then), now) in FIRSTS.into_iter().zip(then).zip(now) {
        for (zone, theirs) in &now {
            assert_eq!(
                &ours(zone, first),
                theirs,
                "{zone} from {first}: {}",
                zone::data()
            );
            if then.get(zone).is_some_and(|then| then != theirs) {
                changed.insert(zone.clone());
            }
        }
        assert!(now.len() > 500, "{} zones", now.len());
    }
    println!("zones that changed since 2024: {changed:?}");
    for zone in [
        "Africa/Casablanca",
        "America/Asuncion",
        "America/Edmonton",
        "America/Havana",
        "America/Vancouver",
        "America/Winnipeg",
    ] {
        assert!(
            changed.contains(zone),
            "{zone} has changed, and no instance shows it"
        );
    }
}

/// The starts of both series by these packages.
fn python(requirements: &str) -> Vec<Starts> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/zoneinfo");
    let python = provision::python::environment_of("zoneinfo", &folder.join(requirements))
        .unwrap_or_else(|err| panic!("{err:#}"));
    let mut child = Command::new(python)
        .arg(folder.join("starts.py"))
        // The package's tz database, not the machine's.
        .env("PYTHONTZPATH", "")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for first in FIRSTS {
        writeln!(stdin, "{}", json!({"first": first, "weeks": WEEKS})).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "starts.py failed");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The starts of one series by Calwire.
fn ours(zone: &str, first: &str) -> Vec<String> {
    let local: NaiveDateTime = first.parse().unwrap();
    let start = zone::instant(Zone::named(zone).unwrap(), local).unwrap();
    let time: Value = json!({"dateTime": start, "timeZone": zone});
    let rule = format!("RRULE:FREQ=WEEKLY;COUNT={WEEKS}");
    let series = json!({"id": "m", "start": time, "end": time, "recurrence": [rule]});
    let calendar = CalendarContext {
        id: CalendarId::generate(),
        time_zone: Zone::UTC,
        access_role: AccessRole::Owner,
        is_primary: true,
    };
    let window = Window {
        from: start - TimeDelta::days(2),
        to: start + TimeDelta::weeks(i64::from(WEEKS) + 1),
    };
    let event = resource::parse(&series.to_string()).unwrap();
    occurrences(&calendar, &event, &[], window)
        .iter()
        .map(|one| one.starts_at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        .collect()
}
