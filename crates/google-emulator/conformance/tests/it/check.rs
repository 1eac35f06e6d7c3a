//! `google-check` against an emulator over HTTP, without its admin API.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use google::Endpoints;
use google_conformance::authorize::{Browser, GivenTokens, sign_in};
use google_conformance::case::{self, Need};
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
        },
    }
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

    let (report, text) = check::run(&options(&emulator), std::future::pending())
        .await
        .unwrap();
    assert_eq!(report.differences(), 0, "{text}");
    for (case, outcome) in &report.results {
        let is_skipped = case.needs.contains(&Need::Emulator) || case.needs.contains(&Need::PublicUrl);
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
    let (report, _) = check::run(&options(&emulator), interrupted).await.unwrap();
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
    let (report, text) = check::run(&options, std::future::pending()).await.unwrap();
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

/// How many events are in calendars other than the primary ones.
fn written(emulator: &Emulator) -> usize {
    let ids: Vec<_> = emulator.with(|state| state.calendars.keys().cloned().collect());
    let others = ids.iter().filter(|id| !id.ends_with("@example.com"));
    others.map(|id| emulator.events(id).len()).sum()
}

#[test]
fn a_report_has_no_address_and_no_token() {
    let case = case::load().unwrap().remove(0);
    let actual =
        format!(r#"{{"email": "{ACCOUNT}", "other": "dora@example.org", "token": "ya29.a0Ab-c_d"}}"#);
    let difference = Difference {
        step: 1,
        call: "GET calendars/primary".into(),
        mismatch: Mismatch::new("email", "x", actual),
    };
    let report = Report {
        results: vec![(case, Outcome::Differs(difference))],
    };
    let text = actix_web::rt::System::new().block_on(async {
        let emulator = start().await;
        let target = Clients::of(&emulator).target(&emulator);
        report.markdown(&target, "Google")
    });
    assert!(
        text.contains(r#"{"email": "<account>", "other": "<address>", "token": "<token>"}"#),
        "{text}"
    );
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
