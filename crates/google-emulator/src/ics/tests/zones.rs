//! Zones by name and by rules.

use insta::assert_snapshot;
use serde_json::json;
use zones::Zone;

use super::{file, one, place};

#[test]
fn windows_names_of_zones_are_known() {
    for (windows, iana) in [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("SA Pacific Standard Time", "America/Bogota"),
        ("Aus Central W. Standard Time", "Australia/Eucla"),
        ("Line Islands Standard Time", "Pacific/Kiritimati"),
        ("South Sudan Standard Time", "Africa/Juba"),
        ("Yukon Standard Time", "America/Whitehorse"),
        ("Qyzylorda Standard Time", "Asia/Qyzylorda"),
        ("UTC-11", "Pacific/Pago_Pago"),
    ] {
        let event = one(&format!("DTSTART;TZID={windows}:20261122T090000"));
        let expected = if windows == "UTC-11" { "UTC-11" } else { iana };
        assert_eq!(event["start"]["timeZone"], expected, "{windows}");
    }
}

/// An event in a zone that only its `VTIMEZONE` describes.
fn custom(rules: &[(&str, &str)], event: &str) -> crate::ics::Import {
    let part = |(kind, lines): &(&str, &str)| format!("BEGIN:{kind}\n{lines}\nEND:{kind}\n");
    let parts: String = rules.iter().map(part).collect();
    let zone = format!("BEGIN:VTIMEZONE\nTZID:Ours\n{parts}END:VTIMEZONE\nBEGIN:VEVENT");
    crate::ics::calendar(&file(event).replacen("BEGIN:VEVENT", &zone, 1), "c").unwrap()
}

/// Exchange writes its rules from the year 1601 on.
const EASTERN: [(&str, &str); 2] = [
    (
        "STANDARD",
        "DTSTART:16010101T020000\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11",
    ),
    (
        "DAYLIGHT",
        "DTSTART:16010101T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nRRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3",
    ),
];

#[test]
fn a_zone_of_its_own_counts_by_its_rules() {
    let series = "DTSTART;TZID=Ours:20261030T090000\nRRULE:FREQ=WEEKLY\nEXDATE;TZID=Ours:20261106T090000";
    let import = custom(&EASTERN, series);
    assert_eq!(import.skipped, []);
    let event = &import.calendar.events[0];
    assert_eq!(event["start"]["dateTime"], "2026-10-30T09:00:00-04:00");
    assert_eq!(event["recurrence"][1], "EXDATE:20261106T140000Z");
    let zone: Zone = event["start"]["timeZone"].as_str().unwrap().parse().unwrap();
    let new_york: Zone = "America/New_York".parse().unwrap();
    for day in ["2027-02-01T12:00:00", "2027-07-01T12:00:00"] {
        let local = day.parse().unwrap();
        assert_eq!(
            crate::time::resolve(local, zone),
            crate::time::resolve(local, new_york),
            "{zone}"
        );
    }
}

#[test]
fn a_zone_without_changes_is_an_offset() {
    let fixed = [(
        "STANDARD",
        "DTSTART:19700101T000000\nTZOFFSETFROM:+0530\nTZOFFSETTO:+0530",
    )];
    let import = custom(&fixed, "DTSTART;TZID=Ours:20261122T090000\nRRULE:FREQ=WEEKLY");
    let start = &import.calendar.events[0]["start"];
    assert_eq!(
        *start,
        json!({"dateTime": "2026-11-22T09:00:00+05:30", "timeZone": "GMT+05:30"})
    );
}

#[test]
fn a_clock_of_no_known_zone_repeats_nothing() {
    let odd = [
        (
            "STANDARD",
            "DTSTART:19700101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0117\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
        ),
        (
            "DAYLIGHT",
            "DTSTART:19700101T020000\nTZOFFSETFROM:+0117\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
        ),
    ];
    let once = custom(&odd, "DTSTART;TZID=Ours:20261122T090000");
    assert_eq!(
        once.calendar.events[0]["start"]["dateTime"],
        "2026-11-22T09:00:00+01:17"
    );
    let often = custom(&odd, "DTSTART;TZID=Ours:20261122T090000\nRRULE:FREQ=DAILY");
    assert_eq!(often.calendar.events, []);
    assert_snapshot!(place(&often.skipped[0]), @r#"18: event "no SUMMARY": TZID "Ours" has the clock of no known zone, so the event cannot repeat"#);
}
