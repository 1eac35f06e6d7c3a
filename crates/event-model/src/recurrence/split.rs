//! The lines of a series that is split in two.

use chrono::{Days, NaiveDateTime, NaiveTime, TimeDelta};

use super::line::Line;
use super::stamp::{basic_date, basic_time};
use crate::span::{Span, Start};
use crate::zone;

/// The lines of a series in two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitLines {
    /// Of the old series, which ends before the split.
    pub before: Vec<String>,
    /// Of a new series that starts at the split.
    pub after: Vec<String>,
}

/// Splits a series that starts with `first` so that `at` is the first start of the second part. `count_before` returns how
/// many starts before `at` the rule of a line generates.
///
/// Known limit: on a day whose clocks skip its hour, an instance is an hour late. Split there, the second part stays late,
/// because no first start can name an hour that does not exist.
pub fn split(lines: &[String], first: Span, at: Start, count_before: impl Fn(&str) -> usize) -> SplitLines {
    let mut split = SplitLines {
        before: Vec::new(),
        after: Vec::new(),
    };
    for text in lines {
        let Some(line) = Line::parse(text) else { continue };
        if line.is_rule() {
            split.add_rule(text, &line, first, at, &count_before);
        } else {
            let (before, after) = line.values().partition::<Vec<&str>, _>(|value| {
                line.local(value, first)
                    .is_some_and(|local| local < local_of(at, first))
            });
            split.before.extend(line.with_values(&before));
            split.after.extend(line.with_values(&after));
        }
    }
    split
}

impl SplitLines {
    fn add_rule(
        &mut self,
        text: &str,
        line: &Line<'_>,
        first: Span,
        at: Start,
        count_before: &impl Fn(&str) -> usize,
    ) {
        if let Some(count) = line.part("COUNT").and_then(|count| count.parse::<usize>().ok()) {
            let before = count_before(text).min(count);
            if before > 0 {
                self.before.push(line.with_end("COUNT", &before.to_string()));
            }
            if count > before {
                self.after
                    .push(line.with_end("COUNT", &(count - before).to_string()));
            }
            return;
        }
        let has_ended = line
            .part("UNTIL")
            .and_then(|until| line.local_until(until, first))
            .is_some_and(|until| until < local_of(at, first));
        if has_ended {
            self.before.push(text.to_owned());
            return;
        }
        let last = match at {
            Start::Day(day) => day.checked_sub_days(Days::new(1)).map(basic_date),
            Start::At(at) => at
                .checked_sub_signed(TimeDelta::seconds(1))
                .map(|at| basic_time(at.naive_utc())),
        };
        if let Some(last) = last {
            self.before.push(line.with_end("UNTIL", &last));
        }
        self.after.push(text.to_owned());
    }
}

/// A start in the wall-clock time of the series.
fn local_of(start: Start, first: Span) -> NaiveDateTime {
    match (start, first) {
        (Start::Day(day), _) => day.and_time(NaiveTime::MIN),
        (Start::At(at), Span::Time { zone, .. }) => zone::local(zone, at),
        (Start::At(at), Span::Days { .. }) => at.naive_utc(),
    }
}
