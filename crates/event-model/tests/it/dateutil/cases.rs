//! Seeded events that repeat.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Weekday};
use event_model::calendar::{AccessRole, CalendarContext};
use event_model::expansion::occurrences;
use event_model::resource::{self, EventResource};
use event_model::wire::Window;
use event_model::zone::Zone;
use ids::CalendarId;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

/// Zones whose rules changed in 2026, and a zone that has had the rules of each before.
pub const CHANGED: [(&str, &str); 3] = [
    ("America/Vancouver", "America/Los_Angeles"),
    ("America/Edmonton", "America/Denver"),
    ("America/Winnipeg", "America/Chicago"),
];

/// Half-hour daylight saving, quarter-hour offsets, the southern hemisphere, a skipped day, clocks that go back for Ramadan,
/// changes at midnight, no changes, and fixed offsets as Google names them.
const ZONES: [&str; 20] = [
    "Europe/Zurich",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/St_Johns",
    "Pacific/Chatham",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Europe/Dublin",
    "America/Havana",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
    "Antarctica/Troll",
    "UTC",
    "GMT+02:00",
    "UTC-03:30",
    "GMT+5",
    "Etc/GMT-2",
];

/// A rule. Its end is separate, because the two sides write it differently.
pub struct Generated {
    pub text: String,
    pub until: Option<Until>,
}

impl Generated {
    pub fn line(&self, name: &str) -> String {
        let until = self.until.as_ref().map_or("", |until| until.part.as_str());
        format!("{name}:{}{until}", self.text)
    }
}

pub struct Until {
    /// `date`, `utc` or `local`.
    pub kind: &'static str,
    /// In ISO 8601.
    pub shown: String,
    /// `;UNTIL=…`
    pub part: String,
}

pub struct Case {
    /// None: all-day.
    pub zone: Option<Zone>,
    pub start: NaiveDateTime,
    pub rules: Vec<Generated>,
    pub excluded_rules: Vec<Generated>,
    pub added: Vec<NaiveDateTime>,
    pub excluded: Vec<NaiveDateTime>,
    /// How the dates above are written: 0 UTC, 1 in the zone by name, 2 in the event's own.
    pub form: u8,
    pub from: NaiveDateTime,
    pub to: NaiveDateTime,
}

impl Case {
    pub fn generate(random: &mut StdRng) -> Self {
        let zone: Option<Zone> = random.random_bool(0.8).then(|| zone(random));
        let start = start(random, zone);
        let frequency = *[
            "DAILY", "DAILY", "WEEKLY", "WEEKLY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY", "HOURLY",
            "MINUTELY",
        ]
        .choose(random)
        .unwrap();
        let below_day = matches!(frequency, "HOURLY" | "MINUTELY");
        let frequency = if zone.is_none() && below_day {
            "MONTHLY"
        } else {
            frequency
        };
        let below_day = matches!(frequency, "HOURLY" | "MINUTELY");
        let (from, to) = if below_day {
            let from = start + TimeDelta::days(random.random_range(-1..6));
            (from, from + TimeDelta::hours(random.random_range(1..72)))
        } else {
            let from = start + TimeDelta::days(random.random_range(-40..700));
            (from, from + TimeDelta::days(random.random_range(1..430)))
        };
        let (from, to) = match zone {
            Some(_) => (from, to),
            None => (midnight(from.date()), midnight(to.date() + Days::new(1))),
        };
        let rule = |random: &mut StdRng| rule(random, frequency, start, zone, to);
        let mut rules = vec![rule(random)];
        if random.random_bool(0.05) {
            rules.push(rule(random));
        }
        let excluded_rules = if random.random_bool(0.05) {
            vec![rule(random)]
        } else {
            Vec::new()
        };
        let some_dates = |random: &mut StdRng| -> Vec<NaiveDateTime> {
            (0..random.random_range(0..4))
                .map(|_| start + TimeDelta::days(random.random_range(0..60)))
                .collect()
        };
        Self {
            added: if random.random_bool(0.1) {
                some_dates(random)
            } else {
                Vec::new()
            },
            excluded: if random.random_bool(0.3) {
                some_dates(random)
            } else {
                Vec::new()
            },
            form: random.random_range(0..3),
            zone,
            start,
            rules,
            excluded_rules,
            from,
            to,
        }
    }

    pub fn question(&self) -> Value {
        let rules = |rules: &[Generated]| -> Vec<Value> {
            rules
                .iter()
                .map(|rule| json!({"text": rule.text, "until": rule.until.as_ref().map(|until| (until.kind, &until.shown))}))
                .collect()
        };
        let dates =
            |dates: &[NaiveDateTime]| -> Vec<String> { dates.iter().map(|&date| iso(date)).collect() };
        json!({
            "zone": self.zone,
            "start": iso(self.start),
            "rules": rules(&self.rules),
            "excludedRules": rules(&self.excluded_rules),
            "added": dates(&self.added),
            "excluded": dates(&self.excluded),
            "from": iso(self.from),
            "to": iso(self.to),
        })
    }

    /// The instances by Calwire, of the event as Google would send it.
    pub fn expand(&self) -> Vec<String> {
        let event = self.event();
        assert_eq!(event_model::expansion::flaws(&event), [], "{:?}", self.lines());
        let window = Window {
            from: self.from.and_utc(),
            to: self.to.and_utc(),
        };
        occurrences(&calendar(), &event, &[], window)
            .into_iter()
            // dateutil returns starts alone, without a day that began before the window.
            .filter(|one| one.starts_at >= window.from)
            .map(|one| match one.dates() {
                Some((date, _)) => date.to_string(),
                None => one.starts_at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            })
            .collect()
    }

    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.rules.iter().map(|rule| rule.line("RRULE")));
        lines.extend(self.excluded_rules.iter().map(|rule| rule.line("EXRULE")));
        for (name, dates) in [("RDATE", &self.added), ("EXDATE", &self.excluded)] {
            if !dates.is_empty() {
                lines.push(self.dates_line(name, dates));
            }
        }
        lines
    }

    pub fn event(&self) -> EventResource {
        let times = match self.zone {
            None => json!({"date": self.start.date().to_string()}),
            Some(zone) => {
                json!({"dateTime": first(zone, self.start).unwrap().to_rfc3339(), "timeZone": zone.name()})
            }
        };
        let raw = json!({"id": "m", "start": times, "end": times, "recurrence": self.lines()});
        resource::parse(&raw.to_string()).unwrap()
    }

    fn dates_line(&self, name: &str, dates: &[NaiveDateTime]) -> String {
        let local = |form: &str| {
            dates
                .iter()
                .map(|date| date.format(form).to_string())
                .collect::<Vec<_>>()
                .join(",")
        };
        match (self.zone, self.form) {
            (None, _) => format!("{name};VALUE=DATE:{}", local("%Y%m%d")),
            (Some(zone), 0) => {
                let dates: Vec<String> = dates
                    .iter()
                    .map(|&date| {
                        event_model::zone::instant(zone, date)
                            .unwrap()
                            .format("%Y%m%dT%H%M%SZ")
                            .to_string()
                    })
                    .collect();
                format!("{name}:{}", dates.join(","))
            }
            (Some(zone), 1) => format!("{name};TZID={zone}:{}", local("%Y%m%dT%H%M%S")),
            (Some(_), _) => format!("{name}:{}", local("%Y%m%dT%H%M%S")),
        }
    }
}

/// In UTC, so that a window means the same on both sides.
pub fn calendar() -> CalendarContext {
    CalendarContext {
        id: CalendarId::generate(),
        time_zone: Zone::UTC,
        access_role: AccessRole::Owner,
        is_primary: true,
    }
}

fn zone(random: &mut StdRng) -> Zone {
    let name = if random.random_bool(0.2) {
        CHANGED.choose(random).unwrap().0
    } else {
        ZONES.choose(random).unwrap()
    };
    name.parse().unwrap()
}

pub fn has_changed(zone: Zone) -> bool {
    CHANGED.iter().any(|(name, _)| *name == zone.name())
}

/// A wall-clock time that exists in the zone.
fn start(random: &mut StdRng, zone: Option<Zone>) -> NaiveDateTime {
    loop {
        let day = if zone == Some(Zone::named("Pacific/Apia").unwrap()) && random.random_bool(0.5) {
            NaiveDate::from_ymd_opt(2011, 12, random.random_range(1..=31)).unwrap()
        } else {
            let since = if zone.is_some_and(has_changed) { 2025 } else { 2008 };
            NaiveDate::from_ymd_opt(random.random_range(since..2027), 1, 1).unwrap()
                + Days::new(random.random_range(0..365))
        };
        // At night the clocks change.
        let hour = if random.random_bool(0.5) {
            random.random_range(0..4)
        } else {
            random.random_range(0..24)
        };
        let minute = *[0, 0, 15, 30, 45].choose(random).unwrap();
        let local = match zone {
            None => midnight(day),
            Some(_) => day.and_hms_opt(hour, minute, 0).unwrap(),
        };
        if zone.is_none_or(|zone| first(zone, local).is_some()) {
            return local;
        }
    }
}

fn first(zone: Zone, local: NaiveDateTime) -> Option<DateTime<Zone>> {
    zone.from_local_datetime(&local).earliest()
}

fn rule(
    random: &mut StdRng,
    frequency: &str,
    start: NaiveDateTime,
    zone: Option<Zone>,
    to: NaiveDateTime,
) -> Generated {
    let mut text = format!("FREQ={frequency}");
    if random.random_bool(0.5) {
        let week_start = ["MO", "SU", "SA"].choose(random).unwrap();
        write!(text, ";WKST={week_start}").unwrap();
    }
    if random.random_bool(0.5) {
        let most = if frequency == "MINUTELY" { 200 } else { 6 };
        write!(text, ";INTERVAL={}", random.random_range(1..most)).unwrap();
    }
    text += &day_parts(random, frequency);
    if zone.is_some() && random.random_bool(0.15) {
        write!(text, ";BYHOUR={}", numbers(random, 23, false)).unwrap();
    }
    if zone.is_some() && random.random_bool(0.15) {
        write!(text, ";BYMINUTE={}", numbers(random, 59, false)).unwrap();
    }
    // dateutil takes the first week from DTSTART on, so positions are compared where that is the whole week.
    let whole_week = frequency != "WEEKLY" || (start.weekday() == Weekday::Mon && !text.contains("WKST"));
    if whole_week && text.contains("BY") && random.random_bool(0.2) {
        write!(text, ";BYSETPOS={}", numbers(random, 4, true)).unwrap();
    }
    let until = match random.random_range(0..4) {
        0 => {
            write!(text, ";COUNT={}", random.random_range(1..200)).unwrap();
            None
        }
        1 => Some(until(random, start, to)),
        _ => None,
    };
    Generated { text, until }
}

/// Which days, in combinations that the RFC allows for the frequency.
fn day_parts(random: &mut StdRng, frequency: &str) -> String {
    let mut text = String::new();
    let yearly = frequency == "YEARLY";
    let by_month = random.random_bool(if yearly { 0.5 } else { 0.05 });
    let by_month_day = random.random_bool(match frequency {
        "MONTHLY" | "YEARLY" => 0.4,
        "WEEKLY" => 0.0,
        _ => 0.05,
    });
    let by_year_day = yearly && !by_month && !by_month_day && random.random_bool(0.2);
    let by_week_no = yearly && !by_month && !by_month_day && !by_year_day && random.random_bool(0.3);
    if random.random_bool(if frequency == "WEEKLY" { 0.7 } else { 0.3 }) {
        let with_ordinal =
            matches!(frequency, "MONTHLY" | "YEARLY") && !by_week_no && random.random_bool(0.6);
        let most = match (with_ordinal, yearly && !by_month) {
            (false, _) => None,
            (true, true) => Some(53),
            (true, false) => Some(5),
        };
        let days: Vec<String> = (0..random.random_range(1..4))
            .map(|_| weekday(random, most))
            .collect();
        write!(text, ";BYDAY={}", days.join(",")).unwrap();
    }
    if by_month {
        write!(text, ";BYMONTH={}", numbers(random, 12, false)).unwrap();
    }
    if by_month_day {
        write!(text, ";BYMONTHDAY={}", numbers(random, 31, true)).unwrap();
    }
    if by_year_day {
        write!(text, ";BYYEARDAY={}", numbers(random, 366, true)).unwrap();
    }
    if by_week_no {
        let last = random.random_bool(0.3);
        let weeks = if last {
            "-1".to_owned()
        } else {
            numbers(random, 53, false)
        };
        write!(text, ";BYWEEKNO={weeks}").unwrap();
    }
    text
}

/// `TU`, or with an ordinal up to `most`.
fn weekday(random: &mut StdRng, most: Option<i32>) -> String {
    let day = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].choose(random).unwrap();
    match most {
        None => (*day).to_owned(),
        Some(most) => {
            let sign = if random.random_bool(0.4) { "-" } else { "" };
            format!("{sign}{}{day}", random.random_range(1..=most))
        }
    }
}

fn numbers(random: &mut StdRng, max: i32, negative: bool) -> String {
    let numbers: Vec<String> = (0..random.random_range(1..4))
        .map(|_| {
            let sign = if negative && random.random_bool(0.3) {
                "-"
            } else {
                ""
            };
            format!("{sign}{}", random.random_range(1..=max))
        })
        .collect();
    numbers.join(",")
}

fn until(random: &mut StdRng, start: NaiveDateTime, to: NaiveDateTime) -> Until {
    let span = (to - start).num_minutes().max(2);
    let end = start + TimeDelta::minutes(random.random_range(0..span));
    let (kind, shown, form) = match random.random_range(0..3) {
        0 => ("date", end.date().to_string(), "%Y%m%d"),
        1 => ("utc", iso(end), "%Y%m%dT%H%M%SZ"),
        _ => ("local", iso(end), "%Y%m%dT%H%M%S"),
    };
    Until {
        kind,
        shown,
        part: format!(";UNTIL={}", end.format(form)),
    }
}

pub fn iso(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn midnight(date: NaiveDate) -> NaiveDateTime {
    date.and_time(NaiveTime::MIN)
}
