//! The windows that Calwire keeps, publishes and answers queries for.

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::wire::Window;
use crate::zone::{self, Zone};

/// The window of messages: views within it need not query again. Aligned to UTC days, so it moves once a day. It contains
/// the current week, whatever its first day and wherever the viewer is: six days back, plus the differences of zones.
const HOT_DAYS_BACK: u64 = 8;
const HOT_DAYS_AHEAD: u64 = 42;

/// The horizon: the window in which instances are kept as rows. Thirteen months, so that it always contains a yearly event.
const HORIZON_MONTHS_BACK: u32 = 1;
const HORIZON_MONTHS_AHEAD: u32 = 13;

/// The window of messages and of the user's snapshot: from the start of the UTC day eight days ago to six weeks ahead.
pub fn hot_window(now: DateTime<Utc>) -> Window {
    let today = now.date_naive();
    Window {
        from: utc_midnight(today.checked_sub_days(Days::new(HOT_DAYS_BACK)).unwrap_or(today)),
        to: utc_midnight(today.checked_add_days(Days::new(HOT_DAYS_AHEAD)).unwrap_or(today)),
    }
}

/// The window in which instances are rows: from the start of the UTC day a month ago to thirteen months ahead.
pub fn horizon(now: DateTime<Utc>) -> Window {
    let today = now.date_naive();
    Window {
        from: utc_midnight(
            today
                .checked_sub_months(Months::new(HORIZON_MONTHS_BACK))
                .unwrap_or(today),
        ),
        to: utc_midnight(
            today
                .checked_add_months(Months::new(HORIZON_MONTHS_AHEAD))
                .unwrap_or(today),
        ),
    }
}

/// From now to the end of the `days`th local day after today: 0 is the rest of today, 1 ends with tomorrow. A day that the
/// zone skips (30 December 2011 in Apia) is not counted.
pub fn days_window(now: DateTime<Utc>, days: u32, zone: Zone) -> Window {
    let mut date = zone::local(zone, now).date();
    let mut left = days;
    while left > 0 {
        let Some(next) = date.succ_opt() else { break };
        date = next;
        if exists(zone, date) {
            left -= 1;
        }
    }
    Window {
        from: now,
        to: zone::day_end(zone, date).unwrap_or(DateTime::<Utc>::MAX_UTC),
    }
}

fn exists(zone: Zone, date: NaiveDate) -> bool {
    zone::day_start(zone, date) < zone::day_end(zone, date)
}

/// Whether an all-day span (`end` exclusive) has a day within the window, for a viewer in this zone. Dates are compared with
/// dates: the span itself belongs to no zone.
pub fn all_day_overlaps((start, end): (NaiveDate, NaiveDate), window: Window, viewer: Zone) -> bool {
    // `to` is exclusive: a window that ends at midnight does not contain the day that starts there.
    let last_moment = window
        .to
        .checked_sub_signed(TimeDelta::nanoseconds(1))
        .unwrap_or(window.to)
        .max(window.from);
    let first_day = zone::local(viewer, window.from).date();
    let last_day = zone::local(viewer, last_moment).date();
    start <= last_day && end > first_day
}

/// Whether `[start, end)` has a moment within the window. A span without length counts as the moment of its start.
pub fn overlaps(start: DateTime<Utc>, end: DateTime<Utc>, window: Window) -> bool {
    start < window.to && (end > window.from || (start == end && start >= window.from))
}

fn utc_midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}
