//! Wall-clock time in a zone: an hour may be missing or repeat, and a zone may skip a whole day.

use chrono::offset::LocalResult;
use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, Offset, SecondsFormat, TimeZone, Utc};
pub use zones::{Data, Zone, data};

/// The longest known gap is the day that Samoa and Kwajalein skipped.
const LONGEST_GAP_HOURS: i64 = 25;

/// The instant at which clocks in this zone show `local`.
///
/// Of a time that repeats, the first. A time in a gap is moved by the length of the gap, as in Google: a meeting at 02:30
/// takes place at 03:30 on the day when 02:00 is followed by 03:00. None: outside the years that chrono supports.
pub fn instant(zone: Zone, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant.to_utc()),
        LocalResult::None => {
            let utc = local.checked_sub_offset(zone.offset_before_gap(local)?)?;
            Some(utc.and_utc())
        }
    }
}

/// The zone's offset from UTC at an instant.
pub fn offset(zone: Zone, instant: DateTime<Utc>) -> FixedOffset {
    zone.offset_from_utc_datetime(&instant.naive_utc()).fix()
}

/// The wall-clock time in this zone at an instant.
pub fn local(zone: Zone, instant: DateTime<Utc>) -> NaiveDateTime {
    instant.with_timezone(&zone).naive_local()
}

/// The first instant of a day. A day without a midnight starts where the gap ends; a skipped day is empty and starts with
/// the next day.
pub fn day_start(zone: Zone, date: NaiveDate) -> Option<DateTime<Utc>> {
    let midnight = date.and_hms_opt(0, 0, 0)?;
    match zone.from_local_datetime(&midnight) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant.to_utc()),
        LocalResult::None => gap_end(zone, midnight),
    }
}

/// The instant at which a day ends: the next midnight, and the later of two where clocks go back over midnight, so that no
/// moment of the day is after its end.
pub fn day_end(zone: Zone, date: NaiveDate) -> Option<DateTime<Utc>> {
    let midnight = date.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0)?;
    match zone.from_local_datetime(&midnight) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(_, instant) => Some(instant.to_utc()),
        LocalResult::None => gap_end(zone, midnight),
    }
}

/// The instant at which clocks jump over `missing`, a time in a gap. Found by bisection, because a gap may start before
/// midnight (Toronto, 1919: from 23:30 to 00:30).
fn gap_end(zone: Zone, missing: NaiveDateTime) -> Option<DateTime<Utc>> {
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

/// RFC 3339 with the zone's offset at that instant. Historical offsets with seconds cannot be written; they become UTC.
pub fn rfc3339(instant: DateTime<Utc>, zone: Zone) -> String {
    let offset = offset(zone, instant);
    let offset = if offset.local_minus_utc() % 60 == 0 {
        offset
    } else {
        FixedOffset::east_opt(0).unwrap_or(offset)
    };
    instant
        .with_timezone(&offset)
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}
