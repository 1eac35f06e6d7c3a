//! `google-check`: all cases against one Google, from the sign-in to the clean-up.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;

use anyhow::{Context, Result, bail, ensure};
use google::Endpoints;
use reqwest::Method;
use url::Url;

use crate::authorize::{Browser, GivenTokens, sign_in};
use crate::case::{self, Caller, Case, Need};
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
    /// A person is there and does what `ask` shows.
    pub person: bool,
    pub ask: fn(&str),
    /// Beginnings of case ids; all cases when empty.
    pub only: Vec<String>,
    /// An emulator instead of Google.
    pub base_url: Option<Url>,
    pub client: OAuthClient,
    pub browser: Browser,
    pub pace: Pace,
}

/// Runs the cases until the last or until `interrupted` resolves, and cleans up in both cases. Returns the report's text
/// beside it. `save` gets the text before the clean-up, which may fail or be killed.
pub async fn run(
    options: &Options,
    interrupted: impl Future<Output = ()>,
    save: impl Fn(&str) -> Result<()>,
) -> Result<(Report, String)> {
    let mut interrupted = pin!(interrupted);
    let cases = chosen(&options.only)?;
    let mut target = tokio::select! {
        target = prepare(options) => target?,
        () = &mut interrupted => bail!("interrupted before anything was written"),
    };
    let google = if options.base_url.is_some() {
        "an emulator"
    } else {
        "Google"
    };
    clean_earlier_runs(&target).await;
    // Not interrupted: the calendar might exist without being known.
    let calendar = scratch::create(&target).await;
    target.calendar = calendar.context("cannot create the scratch calendar; nothing was written")?;
    let mut report = run_cases(&target, cases, interrupted).await;
    if let Err(error) = save(&report.markdown(&target, google)) {
        eprintln!("{error:#}");
    }
    eprintln!("Cleaning up");
    report.left = scratch::clean(&target).await.left;
    for left in &report.left {
        eprintln!("Left behind: {left}");
    }
    let text = report.markdown(&target, google);
    Ok((report, text))
}

/// A failure does not prevent this run: the next clean-up tries again, and reports it.
async fn clean_earlier_runs(target: &Target) {
    let cleaned = scratch::clean(target).await;
    if cleaned.calendars + cleaned.events > 0 {
        eprintln!(
            "Deleted {} calendars and {} events of an earlier run",
            cleaned.calendars, cleaned.events
        );
    }
    for left in &cleaned.left {
        eprintln!("Cannot delete what an earlier run left behind: {left}");
    }
}

/// The cases whose ids begin with one of these.
pub fn chosen(only: &[String]) -> Result<Vec<Case>> {
    let mut cases = case::load()?;
    cases.retain(|case| only.is_empty() || only.iter().any(|start| case.id.starts_with(start.as_str())));
    ensure!(
        !cases.is_empty(),
        "no case has an id that begins with {}; --list shows all",
        only.join(" or ")
    );
    Ok(cases)
}

async fn run_cases(target: &Target, mut cases: Vec<Case>, interrupted: impl Future<Output = ()>) -> Report {
    let mut interrupted = pin!(interrupted);
    let mut report = Report::default();
    let mut is_interrupted = false;
    let count = cases.len();
    // The person is still there at the beginning.
    cases.sort_by_key(|case| !case.needs.contains(&Need::Person));
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
    let second = match &options.second_account {
        Some(email) => Some(sign_in(email, &options.second_tokens).await?),
        None => None,
    };
    let inbox = match options.public_url.as_deref() {
        Some(public) => Some(Inbox::start(options.listen, Some(public))?),
        None => None,
    };
    let target = Target {
        admin: None,
        client: options.client.clone(),
        account,
        second,
        calendar: String::new(),
        inbox,
        ask: options.ask,
        abilities: abilities(options),
        pace: options.pace,
        http: target::http_client(options.base_url.is_some())?,
        endpoints,
    };
    check_account(&target, Caller::Account).await?;
    if target.second.is_some() {
        check_account(&target, Caller::SecondAccount).await?;
        let [first, second] = [Caller::Account, Caller::SecondAccount].map(|caller| target.email(caller));
        ensure!(
            !second.eq_ignore_ascii_case(first),
            "--second-account must be another account than --account"
        );
    }
    Ok(target)
}

fn abilities(options: &Options) -> BTreeSet<Need> {
    let given = [
        (Need::SecondAccount, options.second_account.is_some()),
        (Need::PublicUrl, options.public_url.is_some()),
        (Need::Workspace, options.workspace),
        (Need::PrimaryCalendar, options.primary_calendar),
        (Need::Person, options.person),
    ];
    let given = given.into_iter().filter(|(_, is_given)| *is_given);
    given.map(|(need, _)| need).collect()
}

/// A given token may be another account's, or lack the scope.
async fn check_account(target: &Target, caller: Caller) -> Result<()> {
    let email = target.email(caller);
    let request = target.request(Method::GET, "calendars/primary")?;
    let answer = target.call(target.pace, caller, request).await?;
    ensure!(
        answer.is_success(),
        "cannot read the primary calendar of {email}: status {} {}",
        answer.status,
        answer.body["error"]["message"].as_str().unwrap_or_default()
    );
    let id = answer.body["id"].as_str().unwrap_or_default();
    ensure!(
        id.eq_ignore_ascii_case(email),
        "signed in as {id}, not as {email}: give the account's own address, or a token of {email}"
    );
    Ok(())
}
