//! The lines of a series when the series is cut in two, or moved as a whole.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;

use crate::expansion::{Stamp, Start, parse_stamp, zone};
use crate::fields::Span;

/// A series in two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// What the old series keeps: everything before the cut.
    pub before: Vec<String>,
    /// What the new one repeats by, if it begins at the cut.
    pub after: Vec<String>,
}

/// The lines cannot follow the series to another day or hour, for they name days or hours themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed;

/// Cuts a series that begins with `first` so that `at` is the first start of the second part. `count_before` tells how
/// many starts before `at` a rule makes.
///
/// Known limit: on the day on which the clocks skip its hour, an instance is an hour late. Cut there, the second part stays
/// late, for no first start says the hour that is not there.
pub fn cut(lines: &[String], first: Span, at: Start, count_before: impl Fn(&str) -> usize) -> Cut {
    let mut cut = Cut {
        before: Vec::new(),
        after: Vec::new(),
    };
    for line in lines {
        let Some(read) = Line::parse(line) else { continue };
        if read.is_rule() {
            cut_rule(&mut cut, line, &read, first, at, &count_before);
        } else {
            let (before, after) = read.values().partition::<Vec<&str>, _>(|value| {
                read.local(value, first)
                    .is_some_and(|local| local < local_of(at, first))
            });
            cut.before.extend(read.with_values(&before));
            cut.after.extend(read.with_values(&after));
        }
    }
    cut
}

fn cut_rule(
    cut: &mut Cut,
    line: &str,
    read: &Line<'_>,
    first: Span,
    at: Start,
    count_before: &impl Fn(&str) -> usize,
) {
    if let Some(count) = read.part("COUNT").and_then(|count| count.parse::<usize>().ok()) {
        let before = count_before(line).min(count);
        if before > 0 {
            cut.before.push(read.with_part("COUNT", &before.to_string()));
        }
        if count > before {
            cut.after
                .push(read.with_part("COUNT", &(count - before).to_string()));
        }
        return;
    }
    let ended = read
        .part("UNTIL")
        .and_then(|until| read.local_until(until, first))
        .is_some_and(|until| until < local_of(at, first));
    if ended {
        cut.before.push(line.to_owned());
        return;
    }
    let last = match at {
        Start::Day(day) => day.checked_sub_days(Days::new(1)).map(basic_date),
        Start::At(at) => at
            .checked_sub_signed(TimeDelta::seconds(1))
            .map(|at| basic_time(at.naive_utc())),
    };
    if let Some(last) = last {
        cut.before.push(read.with_part("UNTIL", &last));
    }
    cut.after.push(line.to_owned());
}

/// The lines of a series that begins with `new` where it began with `old`: the same instances, each moved as the first.
pub fn moved(lines: &[String], old: Span, new: Span) -> Result<Vec<String>, Fixed> {
    let same_kind = old.is_all_day() == new.is_all_day() && old.zone() == new.zone();
    if same_kind && old.distance(new).is_zero() {
        return Ok(lines.to_vec());
    }
    let days = (new.local_start().date() - old.local_start().date()).num_days();
    let same_hour = old.local_start().time() == new.local_start().time();
    lines
        .iter()
        .filter_map(|line| Line::parse(line))
        .map(|line| {
            if line.is_rule() {
                move_rule(&line, old, new, days, same_hour)
            } else {
                let values: Vec<String> = line
                    .values()
                    .filter_map(|value| place(line.local(value, old)?, old, new))
                    .collect();
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let name = if new.is_all_day() {
                    format!("{};VALUE=DATE", line.name())
                } else {
                    line.name()
                };
                Ok(format!("{name}:{}", values.join(",")))
            }
        })
        .collect()
}

fn move_rule(line: &Line<'_>, old: Span, new: Span, days: i64, same_hour: bool) -> Result<String, Fixed> {
    let is_weekly = line
        .part("FREQ")
        .is_some_and(|freq| matches!(freq.to_ascii_uppercase().as_str(), "WEEKLY" | "DAILY"));
    let is_by_week = line
        .part("FREQ")
        .is_some_and(|freq| freq.eq_ignore_ascii_case("WEEKLY"));
    let skips_weeks = is_by_week && line.part("INTERVAL").is_some_and(|interval| interval != "1");
    let mut parts = Vec::new();
    // Which weeks are skipped depends on where a week begins: it begins as much later as its days come.
    if skips_weeks && days % 7 != 0 && line.part("WKST").is_none() {
        parts.push(format!("WKST={}", move_weekdays("MO", days).ok_or(Fixed)?));
    }
    for (name, value) in line.parts() {
        let value = match name.to_ascii_uppercase().as_str() {
            "UNTIL" => {
                let until = line.local_until(value, old).ok_or(Fixed)?;
                place(until, old, new).ok_or(Fixed)?
            }
            "BYHOUR" | "BYMINUTE" | "BYSECOND" if !same_hour => return Err(Fixed),
            "BYDAY" | "WKST" if days != 0 && is_weekly => move_weekdays(value, days).ok_or(Fixed)?,
            "BYMONTHDAY" if days != 0 && value == old.local_start().day().to_string() => {
                // The fifteenth of each month becomes the sixteenth; within a month only, or others would be moved by
                // another number of days.
                let month = |span: Span| (span.local_start().year(), span.local_start().month());
                if month(old) != month(new) || new.local_start().day() > 28 {
                    return Err(Fixed);
                }
                new.local_start().day().to_string()
            }
            "BYDAY" | "BYMONTHDAY" | "BYYEARDAY" | "BYWEEKNO" | "BYSETPOS" | "BYMONTH" if days != 0 => {
                return Err(Fixed);
            }
            _ => value.to_owned(),
        };
        parts.push(format!("{name}={value}"));
    }
    // FREQ first, where readers of rules like to have it.
    parts.sort_by_key(|part| !part.to_ascii_uppercase().starts_with("FREQ="));
    Ok(format!("{}:{}", line.head, parts.join(";")))
}

/// A moment of the old series as the new one tells it.
fn place(local: NaiveDateTime, old: Span, new: Span) -> Option<String> {
    let local = local.checked_add_signed(old.distance(new))?;
    match new {
        Span::Days { .. } => Some(basic_date(local.date())),
        Span::Time { zone, .. } => Some(basic_time(zone::instant(zone, local)?.naive_utc())),
    }
}

const WEEK: [(&str, Weekday); 7] = [
    ("MO", Weekday::Mon),
    ("TU", Weekday::Tue),
    ("WE", Weekday::Wed),
    ("TH", Weekday::Thu),
    ("FR", Weekday::Fri),
    ("SA", Weekday::Sat),
    ("SU", Weekday::Sun),
];

fn move_weekdays(value: &str, days: i64) -> Option<String> {
    let moved: Vec<&str> = value
        .split(',')
        .map(|day| {
            let day = day.trim().to_ascii_uppercase();
            let index = WEEK.iter().position(|(name, _)| *name == day)?;
            let index = (i64::try_from(index).ok()? + days).rem_euclid(7);
            Some(WEEK[usize::try_from(index).ok()?].0)
        })
        .collect::<Option<_>>()?;
    Some(moved.join(","))
}

/// A cut or a moment as the wall-clock time of the series.
fn local_of(start: Start, first: Span) -> NaiveDateTime {
    match (start, first) {
        (Start::Day(day), _) => day.and_time(NaiveTime::MIN),
        (Start::At(at), Span::Time { zone, .. }) => zone::local(zone, at),
        (Start::At(at), Span::Days { .. }) => at.naive_utc(),
    }
}

fn basic_date(date: NaiveDate) -> String {
    date.format("%Y%m%d").to_string()
}

fn basic_time(utc: NaiveDateTime) -> String {
    utc.format("%Y%m%dT%H%M%SZ").to_string()
}

/// `NAME;PARAM=VALUE:value`
struct Line<'a> {
    head: &'a str,
    value: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (head, value) = line.trim().split_once(':')?;
        Some(Self { head, value })
    }

    fn name(&self) -> String {
        let name = self.head.split(';').next().unwrap_or(self.head);
        name.trim().to_ascii_uppercase()
    }

    fn is_rule(&self) -> bool {
        matches!(self.name().as_str(), "RRULE" | "EXRULE")
    }

    fn zone(&self) -> Option<Tz> {
        self.head
            .split(';')
            .filter_map(|param| param.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("TZID"))
            .and_then(|(_, zone)| zone.trim().trim_matches('"').parse().ok())
    }

    fn parts(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.value
            .split(';')
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
    }

    fn part(&self, wanted: &str) -> Option<&'a str> {
        self.parts()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    }

    /// The rule with this end, and no other.
    fn with_part(&self, name: &str, value: &str) -> String {
        let others = self
            .parts()
            .filter(|(name, _)| !matches!(name.to_ascii_uppercase().as_str(), "COUNT" | "UNTIL"))
            .map(|(name, value)| format!("{name}={value}"));
        let parts: Vec<String> = others.chain([format!("{name}={value}")]).collect();
        format!("{}:{}", self.head, parts.join(";"))
    }

    fn values(&self) -> impl Iterator<Item = &'a str> {
        self.value.split(',').map(str::trim)
    }

    fn with_values(&self, values: &[&str]) -> Option<String> {
        (!values.is_empty()).then(|| format!("{}:{}", self.head, values.join(",")))
    }

    /// A date or time of a list in the series' wall-clock time. A period counts as its start.
    fn local(&self, value: &str, first: Span) -> Option<NaiveDateTime> {
        let value = value.split_once('/').map_or(value, |(start, _)| start);
        let stamp = parse_stamp(value)?;
        Some(match (stamp, first) {
            (Stamp::Date(date), _) => date.and_time(NaiveTime::MIN),
            (Stamp::Utc(time) | Stamp::Local(time), Span::Days { .. }) => {
                time.date().and_time(NaiveTime::MIN)
            }
            (Stamp::Utc(time), Span::Time { zone, .. }) => zone::local(zone, time.and_utc()),
            (Stamp::Local(time), Span::Time { zone, .. }) => match self.zone() {
                Some(other) if other != zone => {
                    let instant: DateTime<chrono::Utc> = zone::instant(other, time)?;
                    zone::local(zone, instant)
                }
                _ => time,
            },
        })
    }

    /// The end of a rule in the series' wall-clock time. A bare date covers its day.
    fn local_until(&self, until: &str, first: Span) -> Option<NaiveDateTime> {
        match (parse_stamp(until)?, first) {
            (Stamp::Date(date), Span::Time { .. }) => date.and_hms_opt(23, 59, 59),
            _ => self.local(until, first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Berlin;

    fn at(text: &str) -> Span {
        let start = DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        Span::Time {
            start,
            end: start + TimeDelta::hours(1),
            zone: Berlin,
            end_zone: Berlin,
        }
    }

    fn on(text: &str) -> Span {
        let start: NaiveDate = text.parse().unwrap();
        Span::Days {
            start,
            end: start + Days::new(1),
        }
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn a_series_is_cut_where_it_is_told_and_loses_nothing() {
        let first = at("2026-10-05T09:00:00+02:00");
        let split = at("2026-11-02T09:00:00+01:00").start();
        let parts = cut(
            &lines(&[
                "RRULE:FREQ=WEEKLY;BYDAY=MO",
                "EXDATE:20261012T070000Z,20261109T080000Z",
                "RDATE;TZID=America/New_York:20261101T030000",
            ]),
            first,
            split,
            |_| 4,
        );
        assert_eq!(
            parts.before,
            [
                "RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20261102T075959Z",
                "EXDATE:20261012T070000Z",
                "RDATE;TZID=America/New_York:20261101T030000"
            ]
        );
        assert_eq!(
            parts.after,
            ["RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE:20261109T080000Z"]
        );
    }

    #[test]
    fn a_count_is_divided_and_an_end_stays_with_the_later_part() {
        let first = at("2026-10-05T09:00:00+02:00");
        let split = at("2026-11-02T09:00:00+01:00").start();
        let parts = cut(&lines(&["RRULE:FREQ=WEEKLY;COUNT=10"]), first, split, |_| 4);
        assert_eq!(
            (parts.before, parts.after),
            (
                lines(&["RRULE:FREQ=WEEKLY;COUNT=4"]),
                lines(&["RRULE:FREQ=WEEKLY;COUNT=6"])
            )
        );
        let parts = cut(
            &lines(&[
                "RRULE:FREQ=WEEKLY;UNTIL=20261231T080000Z",
                "RRULE:FREQ=DAILY;UNTIL=20261007",
            ]),
            first,
            split,
            |_| 4,
        );
        assert_eq!(
            parts.before,
            [
                "RRULE:FREQ=WEEKLY;UNTIL=20261102T075959Z",
                "RRULE:FREQ=DAILY;UNTIL=20261007"
            ]
        );
        assert_eq!(parts.after, ["RRULE:FREQ=WEEKLY;UNTIL=20261231T080000Z"]);
        let days = cut(
            &lines(&["RRULE:FREQ=DAILY"]),
            on("2026-10-05"),
            on("2026-10-08").start(),
            |_| 3,
        );
        assert_eq!(days.before, ["RRULE:FREQ=DAILY;UNTIL=20261007"]);
    }

    #[test]
    fn a_first_start_that_the_rule_does_not_make_is_not_counted() {
        use crate::expansion::{CalendarContext, count_before};
        use crate::permissions::AccessRole;
        use crate::resource::parse;
        // A Tuesday.
        let first = at("2026-10-06T09:00:00+02:00");
        let rule = "RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=3";
        let mut event = serde_json::json!({"id": "m", "recurrence": [rule]});
        event["start"] = first.google_new()["start"].clone();
        event["end"] = first.google_new()["end"].clone();
        let event = parse(&event.to_string()).unwrap();
        let calendar = CalendarContext {
            id: ids::CalendarId::generate(),
            time_zone: Berlin,
            access_role: AccessRole::Owner,
            is_primary: true,
        };
        let parts = |text| {
            let split = at(text).start();
            let parts = cut(&lines(&[rule]), first, split, |line| {
                count_before(&calendar, &event, line, split)
            });
            (parts.before, parts.after)
        };
        assert_eq!(
            parts("2026-10-14T09:00:00+02:00"),
            (
                lines(&["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=1"]),
                lines(&["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2"])
            )
        );
        assert_eq!(parts("2026-10-07T09:00:00+02:00"), (vec![], lines(&[rule])));
    }

    #[test]
    fn a_series_takes_its_weekdays_ends_and_exceptions_along() {
        let old = at("2026-10-06T09:00:00+02:00");
        let new = at("2026-10-07T10:30:00+02:00");
        let moved = moved(
            &lines(&[
                "RRULE:FREQ=WEEKLY;BYDAY=TU,SU;UNTIL=20261103T080000Z",
                // After the change of the clocks: nine in the morning still.
                "EXDATE:20261027T080000Z",
            ]),
            old,
            new,
        );
        assert_eq!(
            moved,
            Ok(lines(&[
                "RRULE:FREQ=WEEKLY;BYDAY=WE,MO;UNTIL=20261104T093000Z",
                "EXDATE:20261028T093000Z"
            ]))
        );
    }

    #[test]
    fn a_rule_that_skips_weeks_skips_the_same_ones_wherever_its_days_go() {
        let old = at("2026-10-06T09:00:00+02:00");
        let two_days_before = at("2026-10-04T09:00:00+02:00");
        let rule = "RRULE:FREQ=WEEKLY;BYDAY=TU,TH,SU;INTERVAL=2;COUNT=2";
        assert_eq!(
            moved(&lines(&[rule]), old, two_days_before),
            Ok(lines(&[
                "RRULE:FREQ=WEEKLY;WKST=SA;BYDAY=SU,TU,FR;INTERVAL=2;COUNT=2"
            ]))
        );
    }

    #[test]
    fn a_series_becomes_all_day_and_back() {
        let timed = at("2026-10-06T09:00:00+02:00");
        let rules = lines(&[
            "RRULE:FREQ=DAILY;UNTIL=20261010T070000Z",
            "EXDATE:20261008T070000Z",
        ]);
        let days = moved(&rules, timed, on("2026-10-06")).unwrap();
        assert_eq!(
            days,
            ["RRULE:FREQ=DAILY;UNTIL=20261010", "EXDATE;VALUE=DATE:20261008"]
        );
        assert_eq!(moved(&days, on("2026-10-06"), timed), Ok(rules));
    }

    #[test]
    fn rules_that_name_their_day_do_not_follow_to_another() {
        let (old, next_day) = (at("2026-10-13T09:00:00+02:00"), at("2026-10-14T09:00:00+02:00"));
        let later = at("2026-10-13T11:00:00+02:00");
        let of = |rule: &str, new| moved(&lines(&[rule]), old, new);
        assert_eq!(of("RRULE:FREQ=MONTHLY;BYDAY=2TU", next_day), Err(Fixed));
        assert_eq!(
            of("RRULE:FREQ=MONTHLY;BYDAY=2TU", later),
            Ok(lines(&["RRULE:FREQ=MONTHLY;BYDAY=2TU"]))
        );
        assert_eq!(
            of("RRULE:FREQ=MONTHLY;BYMONTHDAY=13", next_day),
            Ok(lines(&["RRULE:FREQ=MONTHLY;BYMONTHDAY=14"]))
        );
        assert_eq!(of("RRULE:FREQ=DAILY;BYHOUR=9", later), Err(Fixed));
        assert_eq!(
            of("RRULE:FREQ=MONTHLY", next_day),
            Ok(lines(&["RRULE:FREQ=MONTHLY"]))
        );
    }

    mod series {
        use super::*;
        use crate::expansion::{CalendarContext, count_before, occurrences};
        use crate::permissions::AccessRole;
        use crate::resource::{EventResource, parse};
        use crate::wire::Window;
        use ids::CalendarId;
        use proptest::prelude::*;
        use serde_json::json;

        fn calendar() -> CalendarContext {
            CalendarContext {
                id: CalendarId::generate(),
                time_zone: Berlin,
                access_role: AccessRole::Owner,
                is_primary: true,
            }
        }

        fn master(when: Span, lines: &[String]) -> EventResource {
            let mut event = json!({"id": "m", "recurrence": lines});
            event["start"] = when.google_new()["start"].clone();
            event["end"] = when.google_new()["end"].clone();
            parse(&event.to_string()).unwrap()
        }

        fn starts(when: Span, lines: &[String]) -> Vec<DateTime<chrono::Utc>> {
            let ever = Window {
                from: "2026-01-01T00:00:00Z".parse().unwrap(),
                to: "2028-01-01T00:00:00Z".parse().unwrap(),
            };
            let instances = occurrences(&calendar(), &master(when, lines), &[], ever);
            instances.iter().map(|instance| instance.starts_at).collect()
        }

        /// A rule that begins with the Tuesday of `when`, a series of at most a year and a bit.
        fn rule() -> impl Strategy<Value = String> {
            let freq = prop_oneof![
                Just("FREQ=DAILY"),
                Just("FREQ=WEEKLY"),
                Just("FREQ=WEEKLY;BYDAY=TU,TH,SU"),
                Just("FREQ=MONTHLY"),
                Just("FREQ=MONTHLY;BYDAY=1TU"),
            ];
            let end = prop_oneof![
                (1_u32..40).prop_map(|count| format!(";COUNT={count}")),
                (1_u32..300).prop_map(|days| {
                    let until = NaiveDate::from_ymd_opt(2026, 10, 6).unwrap() + Days::new(days.into());
                    format!(";UNTIL={}T060000Z", until.format("%Y%m%d"))
                }),
            ];
            (freq, 1_u32..4, end)
                .prop_map(|(freq, interval, end)| format!("RRULE:{freq};INTERVAL={interval}{end}"))
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(400))]

            #[test]
            fn the_two_parts_make_what_the_whole_made(rule in rule(), nth in 0_usize..40, without in 0_usize..40) {
                // Over both changes of the clocks.
                let first = at("2026-10-06T09:00:00+02:00");
                let mut rules = vec![rule];
                let all = starts(first, &rules);
                if let Some(gone) = all.get(without).filter(|_| without > 0) {
                    rules.push(format!("EXDATE:{}", basic_time(gone.naive_utc())));
                }
                let all = starts(first, &rules);
                prop_assume!(nth > 0 && nth < all.len());
                let split = Start::At(all[nth]);
                let whole = master(first, &rules);
                let parts = cut(&rules, first, split, |line| count_before(&calendar(), &whole, line, split));
                let mut both = starts(first, &parts.before);
                prop_assert_eq!(both.len(), nth, "{:?} {:?}", &rules, &parts);
                both.extend(starts(first.at(split).unwrap(), &parts.after));
                prop_assert_eq!(both, all, "{:?} {:?}", rules, parts);
            }

            #[test]
            fn a_moved_series_is_the_same_one_elsewhere(rule in rule(), days in -3_i64..4, minutes in -500_i64..700) {
                let old = at("2026-10-06T09:00:00+02:00");
                let by = TimeDelta::days(days) + TimeDelta::minutes(minutes);
                let local = old.local_start() + by;
                let start = zone::instant(Berlin, local).unwrap();
                let new = Span::Time { start, end: start + TimeDelta::hours(1), zone: Berlin, end_zone: Berlin };
                let rules = vec![rule];
                let Ok(lines) = moved(&rules, old, new) else { return Ok(()) };
                // A month has its own days: the 31st has no equal in every month.
                prop_assume!(!rules[0].contains("MONTHLY") || new.local_start().date() == old.local_start().date());
                let locals = |when, rules: &[String]| -> Vec<NaiveDateTime> {
                    starts(when, rules).into_iter().map(|start| zone::local(Berlin, start)).collect()
                };
                // An hour that the clocks skip is shown as the one after it.
                let shown = |local| zone::local(Berlin, zone::instant(Berlin, local).unwrap());
                let expected: Vec<_> = locals(old, &rules).into_iter().map(|local| shown(local + by)).collect();
                prop_assert_eq!(locals(new, &lines), expected, "{:?} {:?}", rules, lines);
            }
        }
    }
}
