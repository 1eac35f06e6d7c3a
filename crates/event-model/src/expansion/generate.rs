//! The starts that a recurrence rule generates, in wall-clock time without a zone.
//!
//! Written here because the crate `rrule` 0.14
//! - begins at DTSTART whatever the window, and tries 100,000 periods of a rule that generates nothing (30 February), without a
//!   way to stop it;
//! - refuses rules that are merely odd, such as one whose UNTIL is before DTSTART, which people get by editing;
//! - reads UNTIL without `Z` in the zone of the machine, and drops an instance whose midnight is in a gap.
//!
//! Here a rule without COUNT is entered at the window, so its cost is that of the window, and the work for one event is
//! bounded. The emulator expands with `rrule` and a test compares with python-dateutil: three readings of the RFC.

use std::ops::ControlFlow;

use chrono::{Datelike, Days, Months, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::filter::{allows, allows_day, day_number, days_in_month, days_in_year, week_begin};
use crate::recurrence::{Frequency, Rule};

/// The work that one event may cost, all its rules together: at most some 50 ms.
#[derive(Debug)]
pub struct Budget(u64);

impl Budget {
    /// Days and times. A daily rule with COUNT would have to start 2,700 years ago to come near this.
    const DAYS_AND_TIMES: u64 = 1_000_000;

    pub const fn new() -> Self {
        Self(Self::DAYS_AND_TIMES)
    }

    fn spend(&mut self, work: u64) {
        self.0 = self.0.saturating_sub(work);
    }

    const fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

/// Visits the starts that a rule generates within `[from, to]`, in order, until the visitor breaks.
///
/// `start` is the first start of the event and the phase of the rule. It is visited only if the rule generates it. UNTIL is left
/// to the visitor, which knows the zone.
pub fn visit(
    rule: &Rule,
    start: NaiveDateTime,
    (from, to): (NaiveDateTime, NaiveDateTime),
    budget: &mut Budget,
    mut visitor: impl FnMut(NaiveDateTime) -> ControlFlow<()>,
) {
    let plan = Plan::new(rule, start);
    let mut left = rule.count.unwrap_or(u32::MAX);
    // COUNT counts from the start.
    let mut index = match rule.count {
        None => plan.index_before(from),
        Some(_) => 0,
    };
    while let Some(period) = plan.period(index).filter(|&begin| begin <= to) {
        let (bases, next) = plan.bases(index, period);
        budget.spend(bases.examined * plan.cost_of_a_day);
        for time in plan.times(&bases) {
            budget.spend(1);
            if budget.is_spent() || time > to || left == 0 {
                return;
            }
            if time < start {
                continue;
            }
            left -= 1;
            if time >= from && visitor(time).is_break() {
                return;
            }
        }
        if budget.is_spent() {
            return;
        }
        index = next;
    }
}

/// A rule, completed from DTSTART where it is silent.
struct Plan {
    rule: Rule,
    start: NaiveDateTime,
    /// Rises with the lists of days, each of which is searched.
    cost_of_a_day: u64,
    /// The seconds within a base (a day, or the unit of a frequency below it) at which instances start, in order.
    offsets: Vec<u32>,
}

/// The days of one period, or its one hour, minute or second, that the rule's filters let through.
struct Bases {
    begins: Vec<NaiveDateTime>,
    /// How many were examined.
    examined: u64,
}

impl Plan {
    fn new(rule: &Rule, start: NaiveDateTime) -> Self {
        let mut rule = rule.clone();
        let free = rule.by_day.is_empty()
            && rule.by_month_day.is_empty()
            && rule.by_year_day.is_empty()
            && rule.by_week_no.is_empty();
        match rule.frequency {
            Frequency::Yearly if free => {
                if rule.by_month.is_empty() {
                    rule.by_month.push(start.month());
                }
                rule.by_month_day.push(day_number(start.day()));
            }
            Frequency::Monthly if free => rule.by_month_day.push(day_number(start.day())),
            Frequency::Weekly if free => rule.by_day.push((0, start.weekday())),
            // "The second Monday" has no meaning within a week or a day.
            Frequency::Weekly
            | Frequency::Daily
            | Frequency::Hourly
            | Frequency::Minutely
            | Frequency::Secondly => {
                rule.by_day.iter_mut().for_each(|(nth, _)| *nth = 0);
            }
            Frequency::Yearly | Frequency::Monthly => {}
        }
        let listed =
            rule.by_day.len() + rule.by_month_day.len() + rule.by_year_day.len() + rule.by_week_no.len();
        Self {
            cost_of_a_day: 1 + listed as u64 / 8,
            offsets: offsets(&rule, start),
            rule,
            start,
        }
    }

    fn interval(&self) -> i64 {
        i64::from(self.rule.interval)
    }

    /// The length of a period's unit in seconds, for the frequencies that are counted in seconds.
    fn unit(&self) -> i64 {
        match self.rule.frequency {
            Frequency::Secondly => 1,
            Frequency::Minutely => 60,
            Frequency::Hourly => 3600,
            Frequency::Daily | Frequency::Weekly | Frequency::Monthly | Frequency::Yearly => 86_400,
        }
    }

    /// The start of the period with index 0, which contains the first start.
    fn origin(&self) -> Option<NaiveDateTime> {
        let date = self.start.date();
        let date = match self.rule.frequency {
            Frequency::Yearly => date.with_ordinal(1)?,
            Frequency::Monthly => date.with_day(1)?,
            Frequency::Weekly => week_begin(date, self.rule.week_start)?,
            Frequency::Daily => date,
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                let into_unit = i64::from(self.start.num_seconds_from_midnight()) % self.unit();
                return self
                    .start
                    .with_nanosecond(0)?
                    .checked_sub_signed(TimeDelta::seconds(into_unit));
            }
        };
        Some(date.and_time(NaiveTime::MIN))
    }

    /// The start of a period. None: outside the years that chrono supports.
    fn period(&self, index: i64) -> Option<NaiveDateTime> {
        let origin = self.origin()?;
        let steps = index.checked_mul(self.interval())?;
        match self.rule.frequency {
            Frequency::Yearly => {
                origin.checked_add_months(Months::new(u32::try_from(steps.checked_mul(12)?).ok()?))
            }
            Frequency::Monthly => origin.checked_add_months(Months::new(u32::try_from(steps).ok()?)),
            Frequency::Weekly => {
                origin.checked_add_days(Days::new(u64::try_from(steps.checked_mul(7)?).ok()?))
            }
            Frequency::Daily | Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                origin.checked_add_signed(TimeDelta::try_seconds(steps.checked_mul(self.unit())?)?)
            }
        }
    }

    /// The index of a period that starts no later than `moment`, at most two periods before it.
    fn index_before(&self, moment: NaiveDateTime) -> i64 {
        let start = self.start;
        let passed = match self.rule.frequency {
            Frequency::Yearly => i64::from(moment.year()) - i64::from(start.year()),
            Frequency::Monthly => {
                (i64::from(moment.year()) - i64::from(start.year())) * 12 + i64::from(moment.month())
                    - i64::from(start.month())
            }
            Frequency::Weekly => (moment.date() - start.date()).num_weeks(),
            Frequency::Daily | Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                (moment - start).num_seconds() / self.unit()
            }
        };
        (passed / self.interval() - 1).max(0)
    }

    /// The filtered period, and the index of the period to examine next.
    fn bases(&self, index: i64, period: NaiveDateTime) -> (Bases, i64) {
        let date = period.date();
        let days = match self.rule.frequency {
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                return match self.next_allowed(period) {
                    None => (
                        Bases {
                            begins: vec![period],
                            examined: 1,
                        },
                        index + 1,
                    ),
                    Some(later) => (
                        Bases {
                            begins: Vec::new(),
                            examined: 1,
                        },
                        self.index_from(later).max(index + 1),
                    ),
                };
            }
            Frequency::Daily => 1,
            Frequency::Weekly => 7,
            Frequency::Monthly => u64::from(days_in_month(date)),
            Frequency::Yearly => u64::from(days_in_year(date)),
        };
        let begins = date
            .iter_days()
            .take(usize::try_from(days).unwrap_or(usize::MAX))
            .filter(|&day| allows_day(&self.rule, day))
            .map(|day| day.and_time(NaiveTime::MIN))
            .collect();
        (
            Bases {
                begins,
                examined: days,
            },
            index + 1,
        )
    }

    /// For the frequencies below a day. None: the filters let this moment through. Otherwise the earliest moment that they
    /// may let through, so that a rule for one day in a year does not try every second.
    fn next_allowed(&self, moment: NaiveDateTime) -> Option<NaiveDateTime> {
        let date = moment.date();
        let hour = moment.hour();
        let (from_midnight, unit) = if !allows_day(&self.rule, date) {
            (0, 86_400)
        } else if self.rule.frequency <= Frequency::Hourly && !allows(&self.rule.by_hour, hour) {
            (hour * 3600, 3600)
        } else if self.rule.frequency <= Frequency::Minutely && !allows(&self.rule.by_minute, moment.minute())
        {
            (hour * 3600 + moment.minute() * 60, 60)
        } else if self.rule.frequency == Frequency::Secondly && !allows(&self.rule.by_second, moment.second())
        {
            (moment.num_seconds_from_midnight(), 1)
        } else {
            return None;
        };
        let later = TimeDelta::seconds(i64::from(from_midnight + unit));
        Some(
            date.and_time(NaiveTime::MIN)
                .checked_add_signed(later)
                .unwrap_or(NaiveDateTime::MAX),
        )
    }

    /// The index of the first period that starts at `moment` or later, for the frequencies below a day.
    fn index_from(&self, moment: NaiveDateTime) -> i64 {
        let Some(origin) = self.origin() else {
            return i64::MAX;
        };
        let step = self.interval() * self.unit();
        let passed = (moment - origin).num_seconds();
        passed.div_euclid(step) + i64::from(passed.rem_euclid(step) > 0)
    }

    /// The starts within the bases, in order: all, or those that BYSETPOS selects.
    fn times<'a>(&'a self, bases: &'a Bases) -> Box<dyn Iterator<Item = NaiveDateTime> + 'a> {
        let len = bases.begins.len() * self.offsets.len();
        if self.rule.by_set_pos.is_empty() {
            return Box::new((0..len).filter_map(|place| self.time(bases, place)));
        }
        let mut places: Vec<usize> = self
            .rule
            .by_set_pos
            .iter()
            .filter_map(|&position| place(position, len))
            .collect();
        places.sort_unstable();
        places.dedup();
        Box::new(places.into_iter().filter_map(|place| self.time(bases, place)))
    }

    /// The set of a period is never built: a position in it is a base and an offset.
    fn time(&self, bases: &Bases, place: usize) -> Option<NaiveDateTime> {
        let base = bases.begins.get(place / self.offsets.len())?;
        let offset = self.offsets.get(place % self.offsets.len())?;
        base.checked_add_signed(TimeDelta::seconds(i64::from(*offset)))
    }
}

/// The times of day, or within the hour or minute, at which instances start.
fn offsets(rule: &Rule, start: NaiveDateTime) -> Vec<u32> {
    let own = |list: &[u32], below: Frequency, of_start: u32| match () {
        // A part at or below the frequency filters periods; it is no time within one.
        () if rule.frequency <= below => vec![0],
        () if list.is_empty() => vec![of_start],
        () => list.to_vec(),
    };
    let hours = own(&rule.by_hour, Frequency::Hourly, start.hour());
    let minutes = own(&rule.by_minute, Frequency::Minutely, start.minute());
    let seconds = own(&rule.by_second, Frequency::Secondly, start.second());
    let mut offsets = Vec::with_capacity(hours.len() * minutes.len() * seconds.len());
    for hour in &hours {
        for minute in &minutes {
            offsets.extend(seconds.iter().map(|second| hour * 3600 + minute * 60 + second));
        }
    }
    offsets
}

/// A BYSETPOS as an index into a set of this length.
fn place(position: i32, len: usize) -> Option<usize> {
    let from_end = usize::try_from(position.unsigned_abs()).ok()?;
    if position > 0 {
        Some(from_end - 1).filter(|&place| place < len)
    } else {
        len.checked_sub(from_end)
    }
}
