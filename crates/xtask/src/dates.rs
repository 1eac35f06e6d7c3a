//! `dates`: the end-to-end tests, those in a browser among them, on the next days when a calendar is easily wrong.
//!
//! Cargo runs under the machine's clock, and each test program with all that it starts under a shifted one: the emulator, the
//! services, Postgres, Redis, Node.js and Chromium by libfaketime, Centrifugo by a special build. `clocks` in `e2e` and
//! `smoke` in `web/e2e` check that all parts of a stack have the same time.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use provision::faketime::{self, Clock, Sweeper};
use provision::postgres::{Binaries, Cluster};
use provision::{centrifugo, chromium, redis};

use crate::cargo::{Profile, build_binaries};
use crate::nextest::nextest;
use crate::node::Npm;
use crate::services::PACKAGES;
use crate::{interrupt, page, workspace};

/// A kind of day, and a time on it some minutes before its critical moment.
struct Critical {
    about: &'static str,
    time: NaiveTime,
    is_on: fn(NaiveDate) -> bool,
}

const CRITICAL: [Critical; 5] = [
    Critical {
        about: "a 30th in the sixth row of its month",
        time: at(9, 0),
        is_on: |day| day.day() == 30 && day.weekday() == Weekday::Mon,
    },
    Critical {
        about: "new year, in Zurich at 23:00",
        time: at(22, 50),
        is_on: |day| (day.month(), day.day()) == (12, 31),
    },
    Critical {
        about: "the end of a month, a Sunday",
        time: at(23, 50),
        is_on: |day| day == last_of_month(day) && day.weekday() == Weekday::Sun,
    },
    Critical {
        about: "Zurich's clocks go forward at 01:00",
        time: at(0, 50),
        is_on: |day| day.month() == 3 && is_last_sunday(day),
    },
    Critical {
        about: "Zurich's clocks go back at 01:00",
        time: at(0, 50),
        is_on: |day| day.month() == 10 && is_last_sunday(day),
    },
];

const fn at(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).expect("a time of day")
}

fn last_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(day.num_days_in_month().into()).unwrap_or(day)
}

fn is_last_sunday(day: NaiveDate) -> bool {
    day.weekday() == Weekday::Sun && last_of_month(day) - day < TimeDelta::weeks(1)
}

impl Critical {
    /// The next such time.
    fn after(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now.date_naive()
            .iter_days()
            .filter(|&day| (self.is_on)(day))
            .map(|day| day.and_time(self.time).and_utc())
            .find(|&time| time > now)
            .expect("each kind of day comes again")
    }
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run under this time, which must not have passed, instead of the usual five; may be given several times.
    #[arg(long, value_name = "TIME", value_parser = time)]
    on: Vec<DateTime<Utc>>,
    /// Run only the tests that this filter of nextest selects, such as `test(clocks)`.
    #[arg(long, value_name = "FILTER", default_value = "all()")]
    tests: String,
}

/// The simulation has its own clock, and chaos shifts clocks itself.
const TESTS: &str = "package(e2e) & kind(test) & not test(/^(simulation|chaos)::/)";

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    text.parse()
        .map_err(|error| format!("{error}; expected a time such as 2032-12-31T22:50:00Z"))
}

pub fn run(args: &Args) -> Result<()> {
    interrupt::install()?;
    let tools = Tools::prepare()?;
    let _sweeper = Sweeper::start();
    let now = now();
    let days: Vec<_> = match args.on.as_slice() {
        [] => CRITICAL.iter().map(|day| (day.after(now), day.about)).collect(),
        chosen => chosen.iter().map(|&at| (at, "")).collect(),
    };
    let mut failed = Vec::new();
    let mut lines = Vec::new();
    for (at, about) in days {
        println!("\n-- {at}: {about}");
        let start = Instant::now();
        let result = tools.test(at, &args.tests);
        interrupt::check()?;
        let outcome = match result {
            Ok(()) => "ok".to_owned(),
            Err(error) => {
                failed.push(at.to_string());
                format!("FAILED: {error:#}")
            }
        };
        lines.push(format!(
            "{at}  {:4} s  {about}: {outcome}",
            start.elapsed().as_secs()
        ));
    }
    println!("\n{}", lines.join("\n"));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// The programs that the tests need besides their own.
struct Tools {
    faketime: PathBuf,
    centrifugo: PathBuf,
    redis: PathBuf,
    postgres: Binaries,
}

impl Tools {
    fn prepare() -> Result<Self> {
        let mut progress = |line: &str| println!("{line}");
        build_binaries(&PACKAGES, Profile::Debug)?;
        let npm = Npm::find()?;
        npm.install(&page::web())?;
        npm.install(&workspace::root().join("web/conformance"))?;
        page::build_if_stale()?;
        chromium::find_or_install(&mut progress)?;
        Ok(Self {
            faketime: faketime::find_or_install(&mut progress)
                .context("libfaketime is not installed: install it (Debian: apt-get install libfaketime)")?,
            centrifugo: centrifugo::binary_with_clock(&mut progress)?,
            redis: redis::find_or_install(&mut progress)?,
            postgres: Binaries::find_or_install(&mut progress)?,
        })
    }

    fn test(&self, at: DateTime<Utc>, chosen: &str) -> Result<()> {
        let ahead = (at - now()).num_seconds();
        // libfaketime shows a signal handler the machine's time, and Postgres decides in one which timeouts have passed: with
        // a clock that is behind, any of them ends at once.
        ensure!(
            ahead >= 0,
            "{at} has passed: Postgres works only with a clock that is ahead; choose a later time"
        );
        let clock = Clock::ahead_by(self.faketime.clone(), ahead);
        let postgres = Cluster::temporary_at(&self.postgres, false, Some(clock.clone()))?;
        interrupt::run(
            nextest(&format!("{TESTS} & ({chosen})"))?
                .arg("--config")
                .arg(runner(&clock))
                .env("DATABASE_URL", postgres.url())
                .env("CENTRIFUGO_BIN", &self.centrifugo)
                .env("REDIS_SERVER_BIN", &self.redis),
        )
    }
}

#[expect(clippy::disallowed_methods, reason = "the machine's clock is what is shifted")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Cargo's setting that runs each test program, but not the compiler, with the clock.
fn runner(clock: &Clock) -> String {
    let variables = clock.variables().map(|(name, value)| format!("'{name}={value}'"));
    format!("target.'cfg(all())'.runner = ['env', {}]", variables.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_critical_days_are_chosen() {
        let of = |now: &str| CRITICAL.map(|day| day.after(now.parse().unwrap()).to_rfc3339());
        assert_eq!(
            of("2026-11-30T14:00:00Z"),
            [
                "2027-08-30T09:00:00+00:00",
                "2026-12-31T22:50:00+00:00",
                "2027-01-31T23:50:00+00:00",
                "2027-03-28T00:50:00+00:00",
                "2027-10-31T00:50:00+00:00",
            ]
        );
        assert_eq!(
            of("2027-12-31T23:00:00Z"),
            [
                "2028-10-30T09:00:00+00:00",
                "2028-12-31T22:50:00+00:00",
                "2028-04-30T23:50:00+00:00",
                "2028-03-26T00:50:00+00:00",
                "2028-10-29T00:50:00+00:00",
            ]
        );
    }

    #[test]
    fn a_wrong_time_names_a_right_one() {
        let error = time("tomorrow").unwrap_err();
        time(error.rsplit(' ').next().unwrap()).unwrap();
    }
}
