//! Wall-clock time in a zone, where an hour may be missing, or come twice, and now and then a whole day is skipped.

use chrono::offset::LocalResult;
use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The largest jump that a clock has made is the day that Samoa and Kwajalein skipped.
const LONGEST_GAP_HOURS: i64 = 25;

/// The instant at which clocks in this zone show `local`.
///
/// A time that comes twice is the first of the two. A time in a gap moves on by the gap, as Google has it: a meeting at
/// 02:30 takes place at 03:30 on the day when 02:00 is followed by 03:00. None: beyond the years that can be told.
pub fn instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant.to_utc()),
        LocalResult::None => {
            let before = offset_before_gap(zone, local)?;
            let utc = local.checked_sub_offset(before)?;
            Some(utc.and_utc())
        }
    }
}

fn offset_before_gap(zone: Tz, local: NaiveDateTime) -> Option<FixedOffset> {
    (1..=LONGEST_GAP_HOURS).find_map(|hours| {
        let earlier = local.checked_sub_signed(TimeDelta::hours(hours))?;
        let earlier = zone.from_local_datetime(&earlier).latest()?;
        Some(earlier.offset().fix())
    })
}

/// The zone's offset from UTC at an instant.
pub fn offset(zone: Tz, instant: DateTime<Utc>) -> FixedOffset {
    zone.offset_from_utc_datetime(&instant.naive_utc()).fix()
}

/// What clocks in this zone show at an instant.
pub fn local(zone: Tz, instant: DateTime<Utc>) -> NaiveDateTime {
    instant.with_timezone(&zone).naive_local()
}

/// The first instant of a day. A day without a midnight begins when its clocks begin; a skipped day is empty and begins
/// where the next one does.
pub fn day_start(zone: Tz, date: NaiveDate) -> Option<DateTime<Utc>> {
    let midnight = date.and_hms_opt(0, 0, 0)?;
    match zone.from_local_datetime(&midnight) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant.to_utc()),
        LocalResult::None => gap_end(zone, midnight),
    }
}

/// The instant at which a day is over: the next midnight, and the later one where clocks go back over midnight, so that a
/// day's end is never before a moment of that day.
pub fn day_end(zone: Tz, date: NaiveDate) -> Option<DateTime<Utc>> {
    let midnight = date.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0)?;
    match zone.from_local_datetime(&midnight) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(_, instant) => Some(instant.to_utc()),
        LocalResult::None => gap_end(zone, midnight),
    }
}

/// The instant at which clocks jump over `local`, a time in a gap: found by halving, for a gap may begin before midnight
/// (Toronto, 1919: from 23:30 to 00:30).
fn gap_end(zone: Tz, missing: NaiveDateTime) -> Option<DateTime<Utc>> {
    let after = instant(zone, missing)?;
    let (mut low, mut high) = (after.timestamp() - LONGEST_GAP_HOURS * 3600, after.timestamp());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let shown = local(zone, DateTime::from_timestamp(middle, 0)?);
        if shown < missing {
            low = middle;
        } else {
            high = middle;
        }
    }
    DateTime::from_timestamp(high, 0)
}
