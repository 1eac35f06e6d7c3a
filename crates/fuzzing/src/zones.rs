//! Zones and dates: a zone, a moment and a number of days, one a line.

use chrono::{DateTime, NaiveDateTime, Utc};
use event_model::expansion::{all_day_overlaps, days_window, horizon, hot_window, overlaps};
use event_model::recurrence::parse_stamp;
use event_model::zone::{self, Zone, rfc3339};

use crate::Target;

pub const TARGET: Target = Target {
    name: "zones_and_dates",
    run,
    words: &[
        "Pacific/Apia",
        "Australia/Lord_Howe",
        "America/Toronto",
        "Asia/Kathmandu",
        "Antarctica/Troll",
        "Africa/Monrovia",
        "GMT+02:00",
        "UTC-0330",
        "Etc/Unknown",
        "2011-12-30T00:00:00Z",
        "1919-03-30T23:30:00Z",
        "-262143-01-01T00:00:00Z",
        "+262142-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "20261122T120000Z",
        "365",
        "\n",
    ],
};

fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let named = lines.next().and_then(Zone::of_name).unwrap_or(Zone::UTC);
    let moment = lines.next().unwrap_or_default();
    let _ = parse_stamp(moment);
    let days = lines
        .next()
        .and_then(|days| days.parse::<u32>().ok())
        .unwrap_or(0)
        % 366;
    if let Ok(now) = moment.parse::<DateTime<Utc>>() {
        windows(named, now, days);
    }
    if let Ok(local) = moment.trim_end_matches('Z').parse::<NaiveDateTime>() {
        wall_clock(named, local);
    }
}

/// The years in which a calendar has events. Beyond them, a zone's offset may overflow the range of dates.
fn in_range(now: DateTime<Utc>) -> bool {
    (-9_999..=9_999).contains(&chrono::Datelike::year(&now))
}

fn windows(named: Zone, now: DateTime<Utc>, days: u32) {
    if !in_range(now) {
        return;
    }
    for window in [hot_window(now), horizon(now), days_window(now, days, named)] {
        assert!(window.from <= window.to, "{window:?}");
    }
    let window = days_window(now, days, named);
    let day = zone::local(named, now).date();
    let next = day.succ_opt().unwrap_or(day);
    assert!(
        all_day_overlaps((day, next), window, named),
        "today is in {window:?}"
    );
    assert!(overlaps(now, now, window));
    let shown = rfc3339(now, named);
    let back = shown.parse::<DateTime<Utc>>();
    if (0..=9_999).contains(&chrono::Datelike::year(&now.date_naive())) && back.is_ok() {
        assert_eq!(back.map(|back| back.timestamp()), Ok(now.timestamp()), "{shown}");
    }
}

fn wall_clock(named: Zone, local: NaiveDateTime) {
    let instant = zone::instant(named, local);
    if let Some(instant) = instant.filter(|instant| in_range(*instant)) {
        // Never earlier than the given wall-clock time: a time in a gap moves forward.
        assert!(zone::local(named, instant) >= local, "{local} in {named}");
    }
    if let (Some(start), Some(end)) = (
        zone::day_start(named, local.date()),
        zone::day_end(named, local.date()),
    ) {
        assert!(start <= end, "{local} in {named}");
    }
}
