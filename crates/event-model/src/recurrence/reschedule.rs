//! The lines of a series that is moved as a whole.

use chrono::{Datelike, NaiveDateTime};

use super::line::Line;
use super::rule::WEEK;
use super::stamp::{basic_date, basic_time};
use crate::span::Span;
use crate::zone;

/// The lines cannot follow the series to another day or hour, because they name days or hours themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotMovable;

/// The lines of a series that starts with `new` instead of `old`: the same instances, each moved as the first.
pub fn reschedule(lines: &[String], old: Span, new: Span) -> Result<Vec<String>, NotMovable> {
    let same_kind = old.is_all_day() == new.is_all_day() && old.zone() == new.zone();
    if same_kind && old.distance(new).is_zero() {
        return Ok(lines.to_vec());
    }
    let shift = Shift {
        old,
        new,
        days: (new.local_start().date() - old.local_start().date()).num_days(),
    };
    lines
        .iter()
        .filter_map(|line| Line::parse(line))
        .map(|line| {
            if line.is_rule() {
                shift.rule(&line)
            } else {
                Ok(shift.dates(&line))
            }
        })
        .collect()
}

/// A series that starts with `new` instead of `old`.
struct Shift {
    old: Span,
    new: Span,
    /// How many days later its first day is.
    days: i64,
}

impl Shift {
    fn dates(&self, line: &Line<'_>) -> String {
        let values: Vec<String> = line
            .values()
            .filter_map(|value| self.stamp(line.local(value, self.old)?))
            .collect();
        let name = if self.new.is_all_day() {
            format!("{};VALUE=DATE", line.name())
        } else {
            line.name()
        };
        format!("{name}:{}", values.join(","))
    }

    fn rule(&self, line: &Line<'_>) -> Result<String, NotMovable> {
        let frequency = line.part("FREQ").unwrap_or_default().to_ascii_uppercase();
        let is_weekly = frequency == "WEEKLY";
        let skips_weeks = is_weekly && line.part("INTERVAL").is_some_and(|interval| interval != "1");
        let mut parts = Vec::new();
        // The start of the week decides which weeks are skipped, so it moves with the days.
        if skips_weeks && self.days % 7 != 0 && line.part("WKST").is_none() {
            parts.push(format!("WKST={}", self.weekdays("MO")?));
        }
        for (name, value) in line.parts().flatten() {
            let value = match name.to_ascii_uppercase().as_str() {
                "UNTIL" => line
                    .local_until(value, self.old)
                    .and_then(|until| self.stamp(until))
                    .ok_or(NotMovable)?,
                "BYHOUR" | "BYMINUTE" | "BYSECOND" if !self.keeps_time() => return Err(NotMovable),
                "BYDAY" | "WKST" if self.days != 0 && (is_weekly || frequency == "DAILY") => {
                    self.weekdays(value)?
                }
                "BYMONTHDAY" if self.days != 0 && value == self.old.local_start().day().to_string() => {
                    self.month_day()?
                }
                "BYDAY" | "BYMONTHDAY" | "BYYEARDAY" | "BYWEEKNO" | "BYSETPOS" | "BYMONTH"
                    if self.days != 0 =>
                {
                    return Err(NotMovable);
                }
                _ => value.to_owned(),
            };
            parts.push(format!("{name}={value}"));
        }
        // Some readers expect FREQ first.
        parts.sort_by_key(|part| !part.to_ascii_uppercase().starts_with("FREQ="));
        Ok(line.with_parts(&parts))
    }

    fn keeps_time(&self) -> bool {
        self.old.local_start().time() == self.new.local_start().time()
    }

    /// Weekdays without an ordinal, moved by the days.
    fn weekdays(&self, value: &str) -> Result<String, NotMovable> {
        let moved: Vec<&str> = value
            .split(',')
            .map(|day| {
                let day = day.trim().to_ascii_uppercase();
                let index = WEEK.iter().position(|(name, _)| *name == day)?;
                let index = (i64::try_from(index).ok()? + self.days).rem_euclid(7);
                Some(WEEK[usize::try_from(index).ok()?].0)
            })
            .collect::<Option<_>>()
            .ok_or(NotMovable)?;
        Ok(moved.join(","))
    }

    /// The fifteenth of each month becomes the sixteenth. Only within a month and up to the 28th: otherwise other months
    /// would move by another number of days.
    fn month_day(&self) -> Result<String, NotMovable> {
        let month = |span: Span| (span.local_start().year(), span.local_start().month());
        let day = self.new.local_start().day();
        if month(self.old) != month(self.new) || day > 28 {
            return Err(NotMovable);
        }
        Ok(day.to_string())
    }

    /// A moment of the old series as the new one writes it.
    fn stamp(&self, local: NaiveDateTime) -> Option<String> {
        let local = local.checked_add_signed(self.old.distance(self.new))?;
        match self.new {
            Span::Days { .. } => Some(basic_date(local.date())),
            Span::Time { zone, .. } => Some(basic_time(zone::instant(zone, local)?.naive_utc())),
        }
    }
}
