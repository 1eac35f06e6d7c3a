//! Which days a rule's filters let through.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use crate::recurrence::{Frequency, Rule};

/// Whether BYMONTH, BYDAY, BYMONTHDAY, BYYEARDAY and BYWEEKNO all allow the day.
pub fn allows_day(rule: &Rule, date: NaiveDate) -> bool {
    allows(&rule.by_month, date.month())
        && (rule.by_day.is_empty() || rule.by_day.iter().any(|&day| is_nth(rule, date, day)))
        && allows_ordinal(&rule.by_month_day, date.day(), days_in_month(date))
        && allows_ordinal(&rule.by_year_day, date.ordinal(), days_in_year(date))
        && (rule.by_week_no.is_empty() || allows_week(rule, date))
}

fn is_nth(rule: &Rule, date: NaiveDate, (nth, weekday): (i32, Weekday)) -> bool {
    if date.weekday() != weekday {
        return false;
    }
    // Within the year, unless months are named: then within each of them.
    let (day, days) = if rule.frequency == Frequency::Monthly || !rule.by_month.is_empty() {
        (date.day(), days_in_month(date))
    } else {
        (date.ordinal(), days_in_year(date))
    };
    match nth {
        0 => true,
        1.. => day_number((day - 1) / 7 + 1) == nth,
        _ => day_number((days - day) / 7 + 1) == -nth,
    }
}

fn allows_week(rule: &Rule, date: NaiveDate) -> bool {
    week_of_year(date, rule.week_start)
        .is_some_and(|(week, weeks)| allows_ordinal(&rule.by_week_no, week, weeks))
}

pub fn allows(list: &[u32], value: u32) -> bool {
    list.is_empty() || list.contains(&value)
}

/// Whether the list is empty or contains this ordinal of `of`, counted from the first or from the last.
fn allows_ordinal(list: &[i32], ordinal: u32, of: u32) -> bool {
    let from_first = day_number(ordinal);
    let from_last = from_first - day_number(of) - 1;
    list.is_empty() || list.contains(&from_first) || list.contains(&from_last)
}

/// Never above 366 here.
pub fn day_number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub fn days_in_month(date: NaiveDate) -> u32 {
    u32::from(date.num_days_in_month())
}

pub fn days_in_year(date: NaiveDate) -> u32 {
    if date.leap_year() { 366 } else { 365 }
}

pub fn week_begin(date: NaiveDate, first: Weekday) -> Option<NaiveDate> {
    date.checked_sub_days(Days::new(u64::from(date.weekday().days_since(first))))
}

/// The number of the date's week and the number of weeks in its year. The first week of a year is the first with four days
/// in it.
fn week_of_year(date: NaiveDate, first: Weekday) -> Option<(u32, u32)> {
    let week = week_begin(date, first)?;
    let year = week.checked_add_days(Days::new(3))?.year();
    let first_week = week_begin(NaiveDate::from_ymd_opt(year, 1, 4)?, first)?;
    let next_year = week_begin(NaiveDate::from_ymd_opt(year.checked_add(1)?, 1, 4)?, first)?;
    let number = (week - first_week).num_weeks() + 1;
    let weeks = (next_year - first_week).num_weeks();
    Some((u32::try_from(number).ok()?, u32::try_from(weeks).ok()?))
}
