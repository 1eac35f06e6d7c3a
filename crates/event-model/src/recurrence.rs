//! The `recurrence` lines of an event (RFC 5545): rules, and single dates that are added or excluded.
//!
//! Reading is lenient line by line: a line that cannot be followed is reported ([`unreadable`]) and ignored.

mod line;
mod reschedule;
mod rule;
mod split;
mod stamp;

use std::collections::HashSet;

use chrono::NaiveTime;

use crate::span::Start;
use crate::zone::Zone;
use crate::{text, zone};
use line::Line;
pub use reschedule::{NotMovable, reschedule};
pub use rule::Unreadable;
pub(crate) use rule::{Frequency, Rule};
pub use split::{SplitLines, split};
pub use stamp::{Stamp, parse_stamp};

/// The lines of a series, parsed.
#[derive(Debug, Default)]
pub(crate) struct Recurrence {
    pub rules: Vec<Rule>,
    /// EXRULE has left the standard; Google still documents it.
    pub excluded_rules: Vec<Rule>,
    /// RDATE.
    pub added: Vec<Start>,
    /// EXDATE.
    pub excluded: HashSet<Start>,
    /// Why each of the other lines is ignored.
    pub unreadable: Vec<Unreadable>,
}

impl Recurrence {
    /// `zone`: the event's; none for an all-day series.
    pub fn parse(lines: &[String], zone: Option<Zone>) -> Self {
        let mut recurrence = Self::default();
        for line in lines {
            if let Err(why) = recurrence.add(line, zone) {
                recurrence.unreadable.push(why);
            }
        }
        recurrence
    }

    fn add(&mut self, line: &str, zone: Option<Zone>) -> Result<(), Unreadable> {
        let line = Line::parse(line).ok_or(Unreadable::Property)?;
        match line.name().as_str() {
            "RRULE" => self.rules.push(Rule::parse(&line)?),
            "EXRULE" => self.excluded_rules.push(Rule::parse(&line)?),
            "RDATE" => self.added.extend(starts(&line, zone)?),
            "EXDATE" => self.excluded.extend(starts(&line, zone)?),
            _ => return Err(Unreadable::Property),
        }
        Ok(())
    }
}

/// Why a line of a series cannot be followed: the first such line's reason. `zone`: none for an all-day series.
pub fn unreadable(lines: &[String], zone: Option<Zone>) -> Option<Unreadable> {
    Recurrence::parse(lines, zone).unreadable.into_iter().next()
}

fn starts(line: &Line<'_>, zone: Option<Zone>) -> Result<Vec<Start>, Unreadable> {
    line.values()
        .map(|value| start(line, zone, stamp::of_value(value)?))
        .collect::<Option<_>>()
        .ok_or_else(|| Unreadable::Date(text::cut(&line.name(), 20)))
}

/// A time for an all-day series counts as its date, and a date for a timed series as its midnight: Google too applies an
/// EXDATE without a time only to an instance at midnight.
fn start(line: &Line<'_>, zone: Option<Zone>, stamp: Stamp) -> Option<Start> {
    let Some(zone) = zone else {
        return Some(Start::Day(stamp.date()));
    };
    Some(Start::At(match stamp {
        Stamp::Date(date) => zone::instant(zone, date.and_time(NaiveTime::MIN))?,
        Stamp::Utc(time) => time.and_utc(),
        Stamp::Local(time) => zone::instant(line.zone().unwrap_or(zone), time)?,
    }))
}

#[cfg(test)]
mod tests;
