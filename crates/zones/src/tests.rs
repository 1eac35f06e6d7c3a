use chrono::{DateTime, NaiveDateTime, Offset as _, TimeZone as _, Utc};

use super::*;

fn at(zone: &str, utc: &str) -> String {
    let utc: DateTime<Utc> = utc.parse().unwrap();
    utc.with_timezone(&Zone::of_name(zone).unwrap()).to_rfc3339()
}

/// British Columbia and Alberta have ended the change of clocks: <https://data.iana.org/time-zones/tzdb/NEWS>.
#[test]
fn zones_have_the_rules_of_2026() {
    assert!(data().version.as_str() >= "2026e", "{}", data());
    assert_eq!(
        at("America/Vancouver", "2026-12-07T16:00:00Z"),
        "2026-12-07T09:00:00-07:00"
    );
    assert_eq!(
        at("America/Edmonton", "2026-12-07T15:00:00Z"),
        "2026-12-07T09:00:00-06:00"
    );
    assert_eq!(
        at("Europe/Zurich", "2026-12-07T15:00:00Z"),
        "2026-12-07T16:00:00+01:00"
    );
}

#[test]
fn fixed_offsets_are_zones() {
    for (name, minutes) in [
        ("GMT+02:00", 120),
        ("UTC-03:30", -210),
        ("GMT+5", 300),
        ("GMT-0330", -210),
        ("UTC+14", 840),
        ("+05:45", 345),
        ("Etc/GMT-2", 120),
        ("GMT+0", 0),
    ] {
        let zone = Zone::named(name).unwrap();
        let noon = DateTime::UNIX_EPOCH.naive_utc();
        let offset = zone.offset_from_utc_datetime(&noon).fix();
        assert_eq!(offset.local_minus_utc(), minutes * 60, "{name}");
        assert_eq!((zone.name(), zone.is_known()), (name, true));
    }
    for name in [
        "GMT+24",
        "GMT+2:5",
        "GMT+",
        "GMT02:00",
        "UTC+02:60",
        "+",
        "-x",
        "GMT+1:2:3",
        "GMT+12345",
        "+é",
    ] {
        assert_eq!(Zone::named(name), None, "{name}");
    }
}

#[test]
fn unknown_names_are_kept() {
    for name in [
        "Mars/Olympus",
        "Etc/Unknown",
        "Europe/../Europe/Berlin",
        "/usr/share/zoneinfo/Europe/Berlin",
        "localtime",
        "right/Europe/Berlin",
        "(UTC+01:00) Bern",
    ] {
        let zone = Zone::of_name(name).unwrap();
        assert_eq!(
            (zone.name(), zone.is_known(), Zone::named(name)),
            (name, false, None)
        );
        let json = serde_json::to_value(zone).unwrap();
        assert_eq!(serde_json::from_value::<Zone>(json).unwrap().name(), name);
    }
    assert_eq!((Zone::of_name(""), Zone::of_name(&"x".repeat(101))), (None, None));
}

#[test]
fn an_unknown_zone_follows_another_clock() {
    let zurich = Zone::named("Europe/Zurich").unwrap();
    let utc: DateTime<Utc> = "2026-07-01T10:00:00Z".parse().unwrap();
    let mars = Zone::of_name("Mars/Olympus").unwrap().following(zurich);
    assert_eq!(utc.with_timezone(&mars).to_rfc3339(), "2026-07-01T12:00:00+02:00");
    assert_eq!((mars.name(), mars.is_known()), ("Mars/Olympus", false));
    let fixed = Zone::named("GMT+05:00").unwrap().following(zurich);
    assert_eq!(
        utc.with_timezone(&fixed).to_rfc3339(),
        "2026-07-01T15:00:00+05:00"
    );
}

#[test]
fn gaps_and_repeated_times_are_found() {
    let zurich = Zone::named("Europe/Zurich").unwrap();
    let local = |text: &str| text.parse::<NaiveDateTime>().unwrap();
    let gap = local("2026-03-29T02:30:00");
    assert!(zurich.from_local_datetime(&gap).single().is_none());
    assert_eq!(zurich.offset_before_gap(gap).unwrap().local_minus_utc(), 3600);
    assert_eq!(zurich.offset_before_gap(local("2026-03-29T03:30:00")), None);
    let twice = zurich.from_local_datetime(&local("2026-10-25T02:30:00"));
    assert_eq!(
        twice.earliest().unwrap().to_utc().to_rfc3339(),
        "2026-10-25T00:30:00+00:00"
    );
    assert_eq!(
        twice.latest().unwrap().to_utc().to_rfc3339(),
        "2026-10-25T01:30:00+00:00"
    );
}

#[test]
fn years_beyond_the_database_have_a_clock() {
    for zone in ["Europe/Zurich", "GMT+02:00"].map(|name| Zone::named(name).unwrap()) {
        for moment in [NaiveDateTime::MIN, NaiveDateTime::MAX] {
            let _ = zone.offset_from_utc_datetime(&moment);
            assert!(zone.offset_from_local_datetime(&moment).single().is_some());
        }
    }
}
