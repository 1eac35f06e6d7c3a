//! The starts that the lines of a series generate.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::generate::{self, Budget};
use super::window::overlaps;
use crate::recurrence::{Frequency, Recurrence, Rule, Stamp};
use crate::span::{Span, Start};
use crate::wire::Window;
use crate::zone;

/// The most instances of a series in one window; the earliest are kept. A daily event has 430 in the horizon, one every six
/// hours 1,700. One more than a read returns, so that a read over eleven years knows that it is cut.
pub const MAX_INSTANCES: usize = 5_001;

/// The starts of a series' instances, as far as these may touch the window. `first`: its first instance. `replaced`: how
/// many of them the caller takes out. [`MAX_INSTANCES`] are left if there are as many.
pub fn starts(first: Span, lines: &[String], window: Window, replaced: usize) -> BTreeSet<Start> {
    let recurrence = Recurrence::parse(lines, first.zone());
    let mut starts: BTreeSet<Start> = recurrence.added.iter().copied().collect();
    starts.insert(first.start());
    let mut budget = Budget::new();
    for rule in &recurrence.rules {
        let mut left = MAX_INSTANCES + recurrence.excluded.len() + replaced;
        let mut last = None;
        visit(first, rule, window, &mut budget, |start| {
            starts.insert(start);
            // A time that the change of clocks skips is the same start as the next one.
            left -= usize::from(last.replace(start) != Some(start));
            break_if(left == 0)
        });
    }
    for rule in &recurrence.excluded_rules {
        visit(first, rule, window, &mut budget, |start| {
            starts.remove(&start);
            ControlFlow::Continue(())
        });
    }
    starts.retain(|start| !recurrence.excluded.contains(start));
    starts
}

/// How many starts before this one the rule of a line generates. As for COUNT, the first start of the series is one of them only
/// if the rule generates it.
pub fn count(first: Span, line: &str, before: Start) -> usize {
    let recurrence = Recurrence::parse(&[line.to_owned()], first.zone());
    let window = Window {
        from: DateTime::<Utc>::MIN_UTC,
        to: before.as_utc(),
    };
    let mut budget = Budget::new();
    let mut count = 0;
    for rule in recurrence.rules.iter().chain(&recurrence.excluded_rules) {
        visit(first, rule, window, &mut budget, |start| {
            count += usize::from(start < before);
            break_if(count == MAX_INSTANCES)
        });
    }
    count
}

/// Visits the starts that a rule generates, as far as their instances may touch the window, until the visitor breaks.
fn visit(
    first: Span,
    rule: &Rule,
    window: Window,
    budget: &mut Budget,
    mut visitor: impl FnMut(Start) -> ControlFlow<()>,
) {
    let mut visit = |start: Option<Start>, is_over: bool| {
        break_if(is_over)?;
        match start.filter(|&start| may_touch(first, start, window)) {
            Some(start) => visitor(start),
            None => ControlFlow::Continue(()),
        }
    };
    let reach = reach(first, window);
    let local_start = first.local_start();
    match first {
        Span::Time {
            start: instant, zone, ..
        } => {
            generate::visit(rule, local_start, reach, budget, |local| {
                // Google gave the first start as an instant: of a time that repeats it may be the second.
                let start = if local == local_start {
                    Some(instant)
                } else {
                    zone::instant(zone, local)
                };
                let is_over = match rule.until {
                    None => false,
                    Some(Stamp::Date(until)) => local.date() > until,
                    Some(Stamp::Local(until)) => local > until,
                    Some(Stamp::Utc(until)) => start.is_none_or(|start| start.naive_utc() > until),
                };
                visit(start.map(Start::At), is_over)
            });
        }
        Span::Days { .. } => {
            let rule = of_days(rule);
            generate::visit(&rule, local_start, reach, budget, |day| {
                let is_over = rule.until.is_some_and(|until| day.date() > until.date());
                visit(Some(Start::Day(day.date())), is_over)
            });
        }
    }
}

/// The wall-clock times between which an instance that touches the window starts, with a margin.
fn reach(first: Span, window: Window) -> (NaiveDateTime, NaiveDateTime) {
    // A zone is up to 14 hours from UTC, and a gap up to a day.
    let margin = TimeDelta::days(2);
    let back = first.length().checked_add(&margin);
    (
        back.and_then(|back| window.from.naive_utc().checked_sub_signed(back))
            .unwrap_or(NaiveDateTime::MIN),
        window
            .to
            .naive_utc()
            .checked_add_signed(margin)
            .unwrap_or(NaiveDateTime::MAX),
    )
}

/// False: the instance that starts there has no moment in the window. Dates are compared exactly once they are placed.
fn may_touch(first: Span, start: Start, window: Window) -> bool {
    match start {
        Start::Day(_) => true,
        Start::At(start) => start
            .checked_add_signed(first.length())
            .is_some_and(|end| overlaps(start, end, window)),
    }
}

fn break_if(condition: bool) -> ControlFlow<()> {
    if condition {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// The rule without times of day, which have no meaning for dates.
fn of_days(rule: &Rule) -> Rule {
    Rule {
        frequency: rule.frequency.max(Frequency::Daily),
        by_hour: Vec::new(),
        by_minute: Vec::new(),
        by_second: Vec::new(),
        ..rule.clone()
    }
}
