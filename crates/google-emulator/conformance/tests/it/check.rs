//! `google-check` against an emulator over HTTP, without its admin API.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use google::Endpoints;
use google_conformance::authorize::{Browser, GivenTokens, sign_in};
use google_conformance::case::{self, Case, Need};
use google_conformance::check::{self, Options};
use google_conformance::matching::Mismatch;
use google_conformance::report::{Outcome, Report};
use google_conformance::runner::Difference;
use google_conformance::target::{self, Pace};
use google_conformance::{ID_PREFIX, scratch};
use google_emulator::{Emulator, Fault, Rule};
use serde_json::json;
use url::Url;

use crate::support::{ACCOUNT, Clients, SCOPE, SECOND, client, start};

fn options(emulator: &Emulator) -> Options {
    let tokens = |email: &str| GivenTokens {
        access: None,
        refresh: Some(emulator.mint(email, &[SCOPE]).unwrap().refresh_token.into()),
    };
    Options {
        account: ACCOUNT.into(),
        tokens: tokens(ACCOUNT),
        second_account: Some(SECOND.into()),
        second_tokens: tokens(SECOND),
        public_url: None,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        workspace: true,
        primary_calendar: true,
        person: false,
        ask: |_| {},
        only: Vec::new(),
        base_url: Some(Url::parse(emulator.base_url()).unwrap()),
        client: client(),
        browser: Browser {
            port: 0,
            show: |_, _| panic!("there is a token"),
        },
        pace: Pace {
            pause: Duration::ZERO,
            back_off: Duration::from_millis(1),
            retries: 3,
            longest_wait: Duration::from_mins(1),
        },
    }
}

async fn run(options: &Options) -> (Report, String) {
    check::run(options, std::future::pending(), |_| Ok(()))
        .await
        .unwrap()
}

/// Neither a scratch calendar nor an event of a case is left.
fn assert_clean(emulator: &Emulator) {
    for email in [ACCOUNT, SECOND] {
        let left: Vec<_> = emulator.with(|state| {
            let list = &state.user(email).unwrap().calendar_list;
            let entries = list.snapshot(state.revision());
            let live = entries.filter(|(_, entry)| !entry.body.contains_key("deleted"));
            live.map(|(id, _)| id.to_owned()).collect()
        });
        assert_eq!(left, [email], "the calendars of {email}");
        let events = emulator.events(email);
        let left = events
            .iter()
            .find(|event| event["id"].as_str().unwrap().starts_with(ID_PREFIX));
        assert_eq!(left, None, "the events of {email}");
    }
}

/// All cases on one calendar, beside each other, and through a limit that is waited for.
#[actix_web::test]
async fn a_whole_run_holds_and_leaves_nothing() {
    let emulator = start().await;
    let old = Clients::of(&emulator).target(&emulator);
    scratch::create(&old).await.unwrap();
    let left = json!({"id": format!("{ID_PREFIX}left"), "start": {"date": "2028-05-01"}, "end": {"date": "2028-05-02"}});
    emulator.insert(ACCOUNT, "primary", left).unwrap();
    let limit = Fault::Error {
        status: 403,
        reason: Some("userRateLimitExceeded".into()),
        message: None,
        retry_after: None,
    };
    emulator.fault(Rule::new("calendars.insert", limit).times(2));

    let (report, text) = run(&options(&emulator)).await;
    assert_eq!(report.differences(), 0, "{text}");
    for (case, outcome) in &report.results {
        let missing = [Need::Emulator, Need::PublicUrl, Need::Person];
        let is_skipped = missing.iter().any(|need| case.needs.contains(need));
        let is_right = match outcome {
            Outcome::Holds => !is_skipped,
            Outcome::Skipped(_) => is_skipped,
            Outcome::Differs(_) | Outcome::NotRun => false,
        };
        assert!(is_right, "{}: {outcome:?}", case.id);
    }
    assert_clean(&emulator);
}

#[actix_web::test]
async fn an_interrupted_run_cleans_up() {
    let emulator = start().await;
    let interrupted = async {
        while written(&emulator) < 5 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let (report, _) = check::run(&options(&emulator), interrupted, |_| Ok(()))
        .await
        .unwrap();
    assert!(report.count(|outcome| matches!(outcome, Outcome::NotRun)) > 0);
    assert_clean(&emulator);
}

/// Without the flag a run only reads the primary calendar.
#[actix_web::test]
async fn a_primary_calendar_is_written_by_agreement_only() {
    let emulator = start().await;
    let options = Options {
        primary_calendar: false,
        only: vec!["types.".into(), "writes.".into()],
        ..options(&emulator)
    };
    let (report, text) = run(&options).await;
    assert!(report.count(|outcome| matches!(outcome, Outcome::Holds)) > 0);
    assert!(
        text.contains("- `types.birthday`: needs writes to the primary calendar"),
        "{text}"
    );
    let written: Vec<_> = emulator
        .requests()
        .into_iter()
        .filter(|request| request.method != "GET" && request.path.contains("/calendars/primary/"))
        .collect();
    assert!(written.is_empty(), "{written:?}");
}

/// A deletion that fails costs neither the report nor the next run.
#[actix_web::test]
async fn a_refused_deletion_is_reported_as_left_behind() {
    let emulator = start().await;
    let options = Options {
        only: vec!["types.birthday".into(), "writes.delete-twice".into()],
        ..options(&emulator)
    };
    let refused = Fault::Error {
        status: 403,
        reason: Some("forbidden".into()),
        message: None,
        retry_after: None,
    };
    let fault = emulator.fault(Rule::new("events.delete", refused).of_calendar(ACCOUNT));
    let saved = RefCell::new(String::new());
    let save = |text: &str| {
        // Before the clean-up, which may be killed.
        assert_eq!(scratch_calendars(&emulator), 1);
        saved.replace(text.to_owned());
        Ok(())
    };
    let (report, text) = check::run(&options, std::future::pending(), save).await.unwrap();
    assert!(saved.take().contains("## Differences"));
    assert_eq!(scratch_calendars(&emulator), 0, "the other deletions are done");
    let born = |case: &Case| case.id.starts_with("types.birthday") && case.steps[0].expect.status.is_none();
    let born = report
        .results
        .iter()
        .filter(|(case, outcome)| born(case) && !matches!(outcome, Outcome::Skipped(_)));
    let born = born.count();
    assert!(born > 2 && report.left.len() == born, "{born}: {:?}", report.left);
    let line = format!("- an event of 2028-02-07 in the primary calendar of <account>, id {ID_PREFIX}");
    assert!(text.contains("## Left behind") && text.contains(&line), "{text}");

    let (report, _) = run(&options).await;
    assert!(!report.left.is_empty());
    emulator.clear_fault(&fault);
    let (report, text) = run(&options).await;
    assert!(report.left.is_empty() && !text.contains("Left behind"), "{text}");
    assert_clean(&emulator);
}

fn scratch_calendars(emulator: &Emulator) -> usize {
    emulator.with(|state| state.calendars.len()) - 2
}

/// The limit may last: one deletion waits for it, the others are tried once.
#[actix_web::test]
async fn a_clean_up_waits_for_a_limit_once() {
    let emulator = start().await;
    for day in 1..=3 {
        let date = |day: u32| json!({"date": format!("2028-05-{day:02}")});
        let left = json!({"id": format!("{ID_PREFIX}left{day}"), "start": date(day), "end": date(day + 1)});
        emulator.insert(ACCOUNT, "primary", left).unwrap();
    }
    emulator.fault(Rule::new("events.delete", limited(None)));
    let mut target = Clients::of(&emulator).target(&emulator);
    target.pace = options(&emulator).pace;
    let cleaned = scratch::clean(&target).await;
    assert_eq!((cleaned.events, cleaned.left.len()), (0, 3), "{cleaned:?}");
    let attempts = 1 + target.pace.retries as usize;
    assert_eq!(emulator.requests_to("events.delete").len(), attempts + 2);
}

fn limited(retry_after: Option<u64>) -> Fault {
    Fault::Error {
        status: 429,
        reason: None,
        message: None,
        retry_after,
    }
}

/// The back-off of this test is a millisecond: it would try again too soon.
#[actix_web::test]
async fn nothing_is_sent_before_retry_after() {
    let emulator = start().await;
    emulator.fault(Rule::new("calendars.insert", limited(Some(3600))).times(1));
    let done = check::run(&options(&emulator), std::future::pending(), |_| Ok(())).await;
    let error = format!("{:#}", done.unwrap_err());
    assert!(error.contains("nothing was written: status 429"), "{error}");
    assert_eq!(emulator.requests_to("calendars.insert").len(), 1);
}

/// Otherwise a token of another account writes into the calendar of another person.
#[actix_web::test]
async fn a_token_of_another_account_is_refused() {
    let emulator = start().await;
    let right = options(&emulator);
    let access = GivenTokens {
        access: Some(emulator.mint(SECOND, &[SCOPE]).unwrap().access_token.into()),
        refresh: None,
    };
    let (first, second) = (right.tokens.clone(), right.second_tokens.clone());
    for (tokens, second_tokens, email) in [
        (access, second.clone(), ACCOUNT),
        (second.clone(), second, ACCOUNT),
        (first.clone(), first, SECOND),
    ] {
        let wrong = Options {
            tokens,
            second_tokens,
            ..right.clone()
        };
        let done = check::run(&wrong, std::future::pending(), |_| Ok(())).await;
        let error = format!("{:#}", done.unwrap_err());
        assert!(error.contains(&format!("not as {email}")), "{error}");
    }
    let is_write = |request: &google_emulator::Received| {
        request.path.contains("/calendar/v3/") && request.method != "GET"
    };
    assert!(!emulator.requests().iter().any(is_write));
}

/// The other half of the test splits the series, as a person does.
#[actix_web::test]
async fn a_person_splits_a_series_during_the_run() {
    let emulator = start().await;
    let options = Options {
        person: true,
        only: vec!["split.by-hand".into()],
        ..options(&emulator)
    };
    let person = async {
        let (calendar, id) = loop {
            let found = emulator.with(|state| state.calendars.keys().cloned().collect::<Vec<_>>());
            let series = found.into_iter().find_map(|calendar| {
                let events = emulator.events(&calendar);
                let series = events
                    .into_iter()
                    .find(|event| event["summary"] == "Split this series")?;
                Some((calendar, series["id"].as_str()?.to_owned()))
            });
            match series {
                Some(series) => break series,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let until = json!({"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20290416T065959Z"]});
        emulator.patch(ACCOUNT, &calendar, &id, until).unwrap();
        let split = json!({
            "id": format!("{id}_R20290416T070000"),
            "start": {"dateTime": "2029-04-16T09:00:00+02:00", "timeZone": "Europe/Zurich"},
            "end": {"dateTime": "2029-04-16T10:00:00+02:00", "timeZone": "Europe/Zurich"},
            "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
        });
        emulator.receive(ACCOUNT, &calendar, split).unwrap();
    };
    let ((report, text), ()) = tokio::join!(run(&options), person);
    assert_eq!(
        report.count(|outcome| matches!(outcome, Outcome::Holds)),
        1,
        "{text}"
    );
    assert!(text.contains("- `split.by-hand`"), "{text}");
    assert_clean(&emulator);
}

/// How many events are in calendars other than the primary ones.
fn written(emulator: &Emulator) -> usize {
    let ids: Vec<_> = emulator.with(|state| state.calendars.keys().cloned().collect());
    let others = ids.iter().filter(|id| !id.ends_with("@example.com"));
    others.map(|id| emulator.events(id).len()).sum()
}

/// The report's text about one difference.
fn reported(actual: String) -> String {
    let difference = Difference {
        step: 1,
        call: "GET calendars/primary".into(),
        mismatch: Mismatch::new("email", "x", actual),
    };
    let report = Report {
        results: vec![(case::load().unwrap().remove(0), Outcome::Differs(difference))],
        left: Vec::new(),
    };
    actix_web::rt::System::new().block_on(async {
        let emulator = start().await;
        let target = Clients::of(&emulator).target(&emulator);
        report.markdown(&target, "Google")
    })
}

#[test]
fn a_report_has_no_address_and_no_token() {
    let text = reported(format!(
        r#"{{"email": "{ACCOUNT}", "other": "mal{ACCOUNT}", "uri": "/alice%40example.com/events", "token": "ya29.a0Ab-c_d"}}"#
    ));
    let masked =
        r#"{"email": "<account>", "other": "<address>", "uri": "/<account>/events", "token": "<token>"}"#;
    assert!(text.contains(masked), "{text}");
}

#[test]
fn a_report_has_no_half_of_an_address() {
    for before in 785..800 {
        let text = reported(format!("{} {ACCOUNT} {}", "x".repeat(before), "y".repeat(100)));
        assert!(!text.contains(" al"), "{before}: {text}");
    }
}

/// The person's part is done by a task that decides on the emulator's consent page and follows the redirect.
#[actix_web::test]
async fn a_person_signs_in_by_the_browser() {
    fn follow(url: &Url, email: &str) {
        let (url, user) = (url.clone(), email.to_owned());
        tokio::spawn(async move {
            let http = target::http_client(true).unwrap();
            let admin = url.join("/_emulator/authorize").unwrap();
            let decision = json!({"url": url, "user": user});
            let answer = http.post(admin).json(&decision).send().await.unwrap();
            let answer: serde_json::Value = answer.json().await.unwrap();
            let icon = Url::parse(answer["location"].as_str().unwrap())
                .unwrap()
                .join("/favicon.ico")
                .unwrap();
            http.get(icon).send().await.unwrap();
            http.get(answer["location"].as_str().unwrap())
                .send()
                .await
                .unwrap();
        });
    }
    let emulator = start().await;
    let endpoints = Endpoints::at(&Url::parse(emulator.base_url()).unwrap());
    let google = target::google(&client(), &endpoints).unwrap();
    let browser = Browser {
        port: 0,
        show: follow,
    };
    let account = sign_in(&google, ACCOUNT, &GivenTokens::default(), browser)
        .await
        .unwrap();
    assert_eq!(account.email, ACCOUNT);
    account.access().await.unwrap();
}
