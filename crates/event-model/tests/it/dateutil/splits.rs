//! A series with an end, split at one of its instances. As dateutil expands all three, the two parts make the instances of
//! the whole, each its own side of the split.
//!
//! Not split at an instance that a change of clocks may have moved: a series at half past two has it at half past three on
//! the day without that hour, and no first start can name half past two on that day.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use event_model::expansion::count_before;
use event_model::recurrence::{Stamp, parse_stamp, split};
use event_model::span::{Span, Start};
use event_model::zone::{self, Zone};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::cases::{Case, calendar, iso};
use super::{ask, generate, seed};

#[test]
fn both_parts_of_a_split_series_agree_with_dateutil() {
    let cases = generate(to_be_split);
    let wholes = ask(cases.iter().map(Case::question).collect());
    let mut random = StdRng::seed_from_u64(seed());
    let mut splits = Vec::new();
    for (case, whole) in cases.iter().zip(wholes) {
        let whole = whole.unwrap_or_default();
        if whole.len() < 2 {
            continue;
        }
        let nth = random.random_range(1..whole.len());
        if let Some(parts) = parts(case, &whole[nth]) {
            splits.push((case, whole, nth, parts));
        }
    }
    let questions = splits.iter().flat_map(|(.., parts)| parts.clone());
    let answers = ask(questions.collect());

    let mut wrong = String::new();
    let mut slow = 0;
    for ((case, whole, nth, parts), answers) in splits.iter().zip(answers.chunks(2)) {
        let [Some(before), Some(after)] = answers else {
            slow += 1;
            continue;
        };
        if (before.as_slice(), after.as_slice()) != whole.split_at(*nth) {
            let sizes = (whole.len(), before.len(), after.len());
            writeln!(
                wrong,
                "{:?} from {} in {:?}, split at {} ({nth}): {sizes:?}\n  {}\n  {}",
                case.lines(),
                case.start,
                case.zone,
                whole[*nth],
                parts[0],
                parts[1]
            )
            .unwrap();
        }
    }
    let (cases, splits) = (cases.len(), splits.len());
    println!(
        "{splits} of {cases} series of seed {} split, {slow} too slow for dateutil",
        seed()
    );
    assert!(wrong.is_empty(), "seed {}\n{wrong}", seed());
    assert!(
        (splits - slow) * 2 >= cases,
        "{splits} splits of {cases} cases are too few"
    );
}

/// One rule, which ends.
fn to_be_split(random: &mut StdRng) -> Case {
    loop {
        let mut case = Case::generate(random);
        case.rules.truncate(1);
        case.excluded_rules.clear();
        case.added.clear();
        case.from = case.start - TimeDelta::days(1);
        let rule = &case.rules[0];
        let ends = rule.text.contains("COUNT=") || rule.until.is_some();
        // See the head of this test: positions in a week that the second part begins in the middle of.
        let is_odd = rule.text.contains("WEEKLY") && rule.text.contains("BYSETPOS");
        if ends && !is_odd {
            return case;
        }
    }
}

/// The questions for the two parts, when it is split at this start.
fn parts(case: &Case, at: &str) -> Option<[Value; 2]> {
    let (at, local) = match case.zone {
        None => {
            let day: NaiveDate = at.parse().unwrap();
            (Start::Day(day), day.and_time(chrono::NaiveTime::MIN))
        }
        Some(zone) => {
            let at: DateTime<Utc> = at.parse().unwrap();
            if may_have_been_moved(zone, at) {
                return None;
            }
            (Start::At(at), zone::local(zone, at))
        }
    };
    let event = case.event();
    let calendar = calendar();
    let parts = split(&case.lines(), first(case), at, |line| {
        count_before(&calendar, &event, line, at)
    });
    Some([
        question(case, case.start, &parts.before),
        question(case, local, &parts.after),
    ])
}

fn first(case: &Case) -> Span {
    match case.zone {
        None => Span::Days {
            start: case.start.date(),
            end: case.start.date() + chrono::Days::new(1),
        },
        Some(zone) => {
            let start = zone::instant(zone, case.start).unwrap();
            Span::Time {
                start,
                end: start,
                zone,
                end_zone: zone,
            }
        }
    }
}

/// Whether the clocks went forward within the day before, over the time that this instance may have had by its rule.
fn may_have_been_moved(zone: Zone, at: DateTime<Utc>) -> bool {
    let offset = |at| TimeDelta::seconds(zone::offset(zone, at).local_minus_utc().into());
    let forward = offset(at) - offset(at - TimeDelta::hours(25));
    forward > TimeDelta::zero()
        && zone
            .from_local_datetime(&(zone::local(zone, at) - forward))
            .earliest()
            .is_none()
}

/// As [`Case::question`], of other lines from another start.
fn question(case: &Case, start: NaiveDateTime, lines: &[String]) -> Value {
    let mut question = case.question();
    let (mut rules, mut excluded) = (Vec::new(), Vec::new());
    for line in lines {
        // A zone's name may have a colon.
        let (name, value) = line.rsplit_once(':').unwrap();
        if name.starts_with("EXDATE") {
            excluded.extend(value.split(',').map(|date| iso(local(case, date))));
        } else {
            rules.push(rule(value));
        }
    }
    question["start"] = iso(start).into();
    question["rules"] = rules.into();
    question["excluded"] = excluded.into();
    question
}

fn rule(value: &str) -> Value {
    let (ends, others): (Vec<&str>, Vec<&str>) =
        value.split(';').partition(|part| part.starts_with("UNTIL="));
    let until = ends
        .first()
        .map(|end| match parse_stamp(&end["UNTIL=".len()..]).unwrap() {
            Stamp::Date(date) => ("date", date.to_string()),
            Stamp::Utc(time) => ("utc", iso(time)),
            Stamp::Local(time) => ("local", iso(time)),
        });
    json!({"text": others.join(";"), "until": until})
}

fn local(case: &Case, date: &str) -> NaiveDateTime {
    match (parse_stamp(date).unwrap(), case.zone) {
        (Stamp::Date(date), _) => date.and_time(chrono::NaiveTime::MIN),
        (Stamp::Utc(time), Some(zone)) => zone::local(zone, time.and_utc()),
        (Stamp::Utc(time) | Stamp::Local(time), _) => time,
    }
}
