//! `google-check`: all cases against one Google, from the sign-in to the clean-up.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;

use anyhow::{Context, Result};
use google::Endpoints;
use url::Url;

use crate::authorize::{Browser, GivenTokens, sign_in};
use crate::case::{self, Case, Need};
use crate::inbox::Inbox;
use crate::report::{Outcome, Report};
use crate::target::{self, OAuthClient, Pace, Target};
use crate::{runner, scratch};

#[derive(Debug, Clone)]
pub struct Options {
    pub account: String,
    pub tokens: GivenTokens,
    pub second_account: Option<String>,
    pub second_tokens: GivenTokens,
    /// Where Google pushes to; it forwards to `listen`.
    pub public_url: Option<String>,
    pub listen: SocketAddr,
    pub workspace: bool,
    /// Cases may write into the primary calendars.
    pub primary_calendar: bool,
    /// Beginnings of case ids; all cases when empty.
    pub only: Vec<String>,
    /// An emulator instead of Google.
    pub base_url: Option<Url>,
    pub client: OAuthClient,
    pub browser: Browser,
    pub pace: Pace,
}

/// Runs the cases until the last or until `interrupted` resolves, and cleans up in both cases. Returns the report's text
/// beside it.
pub async fn run(options: &Options, interrupted: impl Future<Output = ()>) -> Result<(Report, String)> {
    let mut interrupted = pin!(interrupted);
    let cases = chosen(&options.only)?;
    let mut target = tokio::select! {
        target = prepare(options) => target?,
        () = &mut interrupted => anyhow::bail!("interrupted before anything was written"),
    };
    let (calendars, events) = scratch::clean(&target).await?;
    if calendars + events > 0 {
        eprintln!("Deleted {calendars} calendars and {events} events of an earlier run");
    }
    // Not interrupted: the calendar might exist without being known.
    target.calendar = scratch::create(&target).await?;
    let report = run_cases(&target, cases, interrupted).await;
    eprintln!("Cleaning up");
    scratch::clean(&target).await.with_context(|| {
        format!(
            "could not delete all of the run; run again, or delete {:?}",
            scratch::SUMMARY
        )
    })?;
    let google = if options.base_url.is_some() {
        "an emulator"
    } else {
        "Google"
    };
    let text = report.markdown(&target, google);
    Ok((report, text))
}

/// The cases whose ids begin with one of these.
pub fn chosen(only: &[String]) -> Result<Vec<Case>> {
    let mut cases = case::load()?;
    cases.retain(|case| only.is_empty() || only.iter().any(|start| case.id.starts_with(start.as_str())));
    anyhow::ensure!(!cases.is_empty(), "no case begins with {}", only.join(", "));
    Ok(cases)
}

async fn run_cases(target: &Target, cases: Vec<Case>, interrupted: impl Future<Output = ()>) -> Report {
    let mut interrupted = pin!(interrupted);
    let mut report = Report::default();
    let mut is_interrupted = false;
    let count = cases.len();
    for (n, case) in cases.into_iter().enumerate() {
        let unmet = target.unmet(&case);
        let outcome = if is_interrupted {
            Outcome::NotRun
        } else if !unmet.is_empty() {
            Outcome::Skipped(unmet)
        } else {
            tokio::select! {
                result = runner::run(target, &case) => match result {
                    Ok(()) => Outcome::Holds,
                    Err(difference) => Outcome::Differs(difference),
                },
                () = &mut interrupted => {
                    is_interrupted = true;
                    Outcome::NotRun
                }
            }
        };
        match &outcome {
            Outcome::Holds => eprintln!("[{}/{count}] {} holds", n + 1, case.id),
            Outcome::Differs(difference) => {
                eprintln!("[{}/{count}] {} DIFFERS\n{difference}", n + 1, case.id);
            }
            Outcome::Skipped(_) | Outcome::NotRun => {}
        }
        report.results.push((case, outcome));
    }
    report
}

async fn prepare(options: &Options) -> Result<Target> {
    let endpoints = options.base_url.as_ref().map(Endpoints::at).unwrap_or_default();
    let google = target::google(&options.client, &endpoints)?;
    let sign_in = |email, given| sign_in(&google, email, given, options.browser);
    let account = sign_in(&options.account, &options.tokens).await?;
    let mut abilities = BTreeSet::new();
    let second = match &options.second_account {
        Some(email) => {
            abilities.insert(Need::SecondAccount);
            Some(sign_in(email, &options.second_tokens).await?)
        }
        None => None,
    };
    let inbox = match options.public_url.as_deref() {
        Some(public) => {
            abilities.insert(Need::PublicUrl);
            Some(Inbox::start(options.listen, Some(public))?)
        }
        None => None,
    };
    if options.workspace {
        abilities.insert(Need::Workspace);
    }
    if options.primary_calendar {
        abilities.insert(Need::PrimaryCalendar);
    }
    Ok(Target {
        admin: None,
        client: options.client.clone(),
        account,
        second,
        calendar: String::new(),
        inbox,
        abilities,
        pace: options.pace,
        http: target::http_client(options.base_url.is_some())?,
        endpoints,
    })
}
