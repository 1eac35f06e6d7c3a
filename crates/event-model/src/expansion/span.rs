//! How an event lies in time, and where its rules put the instances.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use chrono::{DateTime, Days, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::generate::{self, Budget};
use super::recurrence::{Recurrence, Start};
use super::rule::{Frequency, Rule, Until};
use super::show::{Place, rfc3339};
use super::window::overlaps;
use super::{CalendarContext, MAX_INSTANCES, zone};
use crate::resource::{EventResource, When};
use crate::wire::Window;

/// How an event lies in time: what an instance of it has in common with its siblings.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub start: Start,
    length: Length,
}

#[derive(Debug, Clone, Copy)]
enum Length {
    /// At least one.
    Days(u64),
    /// Exact, however the clocks change meanwhile; not negative. The zones are those that the start and the end are told in.
    Time {
        length: TimeDelta,
        zone: Tz,
        end_zone: Tz,
    },
}

impl Span {
    /// None: the event has no start. A missing or impossible end makes it as short as it can be.
    pub fn of(event: &EventResource, calendar: &CalendarContext) -> Option<Self> {
        Some(match event.start? {
            When::AllDay(start) => {
                let end = event.end.and_then(|end| end.date()).unwrap_or(start);
                let days = u64::try_from((end - start).num_days()).unwrap_or(0).max(1);
                Self {
                    start: Start::Day(start),
                    length: Length::Days(days),
                }
            }
            When::Timed(start) => {
                let end = event.end.and_then(|end| end.timed()).unwrap_or(start);
                let zone = start.zone.unwrap_or(calendar.time_zone);
                Self {
                    start: Start::At(start.instant),
                    length: Length::Time {
                        length: (end.instant - start.instant).max(TimeDelta::zero()),
                        zone,
                        end_zone: end.zone.unwrap_or(zone),
                    },
                }
            }
        })
    }

    /// The zone in which the rules run; none for dates.
    fn zone(&self) -> Option<Tz> {
        match self.length {
            Length::Days(_) => None,
            Length::Time { zone, .. } => Some(zone),
        }
    }

    /// Where a series' instances begin, as far as they may touch the window.
    pub fn starts(&self, lines: &[String], window: Window) -> BTreeSet<Start> {
        let recurrence = Recurrence::parse(lines, self.zone());
        let mut starts: BTreeSet<Start> = recurrence.added.iter().copied().collect();
        starts.insert(self.start);
        let mut budget = Budget::new();
        for rule in &recurrence.rules {
            let mut left = MAX_INSTANCES;
            self.each(rule, window, &mut budget, |start| {
                starts.insert(start);
                left -= 1;
                break_if(left == 0)
            });
        }
        for rule in &recurrence.excluded_rules {
            self.each(rule, window, &mut budget, |start| {
                starts.remove(&start);
                ControlFlow::Continue(())
            });
        }
        starts.retain(|start| !recurrence.excluded.contains(start));
        starts
    }

    /// How many starts before this one the rule of a line makes. The first start of the series is one of them only if the
    /// rule makes it, for so COUNT counts.
    pub fn count(&self, line: &str, before: Start) -> usize {
        let recurrence = Recurrence::parse(&[line.to_owned()], self.zone());
        let window = Window {
            from: DateTime::<Utc>::MIN_UTC,
            to: match before {
                Start::Day(day) => day.and_time(NaiveTime::MIN).and_utc(),
                Start::At(at) => at,
            },
        };
        let mut budget = Budget::new();
        let mut count = 0;
        for rule in recurrence.rules.iter().chain(&recurrence.excluded_rules) {
            self.each(rule, window, &mut budget, |start| {
                count += usize::from(start < before);
                break_if(count == MAX_INSTANCES)
            });
        }
        count
    }

    /// The wall-clock times between which an instance that touches the window begins, generously.
    fn reach(&self, window: Window) -> (NaiveDateTime, NaiveDateTime) {
        // A zone is up to 14 hours from UTC, and a gap up to a day.
        let slack = TimeDelta::days(2);
        let length = match self.length {
            Length::Days(days) => TimeDelta::try_days(i64::try_from(days).unwrap_or(i64::MAX)),
            Length::Time { length, .. } => Some(length),
        };
        let back = length.and_then(|length| length.checked_add(&slack));
        (
            back.and_then(|back| window.from.naive_utc().checked_sub_signed(back))
                .unwrap_or(NaiveDateTime::MIN),
            window
                .to
                .naive_utc()
                .checked_add_signed(slack)
                .unwrap_or(NaiveDateTime::MAX),
        )
    }

    /// The starts that a rule makes, as far as they may touch the window, until the visitor breaks off.
    fn each(
        &self,
        rule: &Rule,
        window: Window,
        budget: &mut Budget,
        mut visitor: impl FnMut(Start) -> ControlFlow<()>,
    ) {
        let mut visit = |start: Option<Start>, is_over: bool| {
            break_if(is_over)?;
            match start.filter(|&start| self.may_touch(start, window)) {
                Some(start) => visitor(start),
                None => ControlFlow::Continue(()),
            }
        };
        let reach = self.reach(window);
        match (self.start, self.length) {
            (Start::At(first), Length::Time { zone, .. }) => {
                let first_local = zone::local(zone, first);
                generate::visit(rule, first_local, reach, budget, |local| {
                    // The first start is an instant that Google gave; of a time that comes twice it may be the second.
                    let start = if local == first_local {
                        Some(first)
                    } else {
                        zone::instant(zone, local)
                    };
                    let is_over = match rule.until {
                        None => false,
                        Some(Until::Date(until)) => local.date() > until,
                        Some(Until::Local(until)) => local > until,
                        Some(Until::Utc(until)) => start.is_none_or(|start| start.naive_utc() > until),
                    };
                    visit(start.map(Start::At), is_over)
                });
            }
            (Start::Day(first), Length::Days(_)) => {
                let rule = of_days(rule);
                generate::visit(&rule, first.and_time(NaiveTime::MIN), reach, budget, |day| {
                    let is_over = rule.until.is_some_and(|until| day.date() > until.date());
                    visit(Some(Start::Day(day.date())), is_over)
                });
            }
            (Start::Day(_), Length::Time { .. }) | (Start::At(_), Length::Days(_)) => {}
        }
    }

    /// False: an instance that begins there has no moment in the window. Dates are told more exactly once they are placed.
    fn may_touch(&self, start: Start, window: Window) -> bool {
        match (start, self.length) {
            (Start::At(start), Length::Time { length, .. }) => start
                .checked_add_signed(length)
                .is_some_and(|end| overlaps(start, end, window)),
            _ => true,
        }
    }

    pub fn place(&self, calendar: &CalendarContext, start: Start) -> Option<Place> {
        match (start, self.length) {
            (Start::Day(start), Length::Days(days)) => {
                let end = start.checked_add_days(Days::new(days))?;
                Some(Place {
                    starts_at: zone::day_start(calendar.time_zone, start)?,
                    ends_at: zone::day_start(calendar.time_zone, end)?,
                    dates: Some((start, end)),
                    shown: (start.to_string(), end.to_string()),
                    zone: None,
                })
            }
            (
                Start::At(starts_at),
                Length::Time {
                    length,
                    zone,
                    end_zone,
                },
            ) => {
                let ends_at = starts_at.checked_add_signed(length)?;
                Some(Place {
                    starts_at,
                    ends_at,
                    dates: None,
                    shown: (rfc3339(starts_at, zone), rfc3339(ends_at, end_zone)),
                    zone: Some(zone),
                })
            }
            // An RDATE is read as what its series is, so the two are never mixed.
            (Start::Day(_), Length::Time { .. }) | (Start::At(_), Length::Days(_)) => None,
        }
    }
}

impl From<When> for Start {
    fn from(when: When) -> Self {
        match when {
            When::AllDay(date) => Self::Day(date),
            When::Timed(timed) => Self::At(timed.instant),
        }
    }
}

fn break_if(condition: bool) -> ControlFlow<()> {
    if condition {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// The rule without times of day, which mean nothing to dates.
fn of_days(rule: &Rule) -> Rule {
    Rule {
        frequency: rule.frequency.max(Frequency::Daily),
        by_hour: Vec::new(),
        by_minute: Vec::new(),
        by_second: Vec::new(),
        ..rule.clone()
    }
}
