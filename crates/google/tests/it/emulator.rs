//! Whole flows against the emulator, which implements Google's documentation independently of this crate.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::time::Duration;

use google::{
    AuthorizationRequest, Endpoints, Error, Google, GoogleConfig, ListCursor, NewChannel, Next, Pkce,
    RawEvent, scopes,
};
use google_emulator::{Config, Decision, Emulator, Fault, Rule, Seed};
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";
const REDIRECT: &str = "http://localhost:4000/oauth/google/callback";

async fn start() -> (Emulator, Google) {
    let seed = Seed::from_json(
        "seed.json",
        r#"{"users": [{"email": "alice@example.com", "name": "Alice", "calendars": [
            {"id": "alice@example.com", "summary": "Alice", "primary": true, "timeZone": "Europe/London"},
            {"id": "team#1@group.calendar.google.com", "summary": "Team", "accessRole": "reader"}]}]}"#,
    )
    .unwrap();
    let emulator = Emulator::start(Config {
        seed,
        allow_http_callbacks: true,
        ..Config::default()
    })
    .await
    .unwrap();
    let client = emulator.client();
    let mut config = GoogleConfig::new(client.id.clone(), client.secret.clone().into());
    config.timeout = Duration::from_secs(5);
    config.endpoints = Endpoints::at(&emulator.base_url().parse().unwrap());
    (emulator, Google::new(config).unwrap())
}

fn access(emulator: &Emulator) -> SecretString {
    emulator
        .mint(ALICE, &scopes::REQUESTED)
        .unwrap()
        .access_token
        .into()
}

/// Consents as a browser does. Returns the code.
fn consent(emulator: &Emulator, google: &Google, pkce: &Pkce, ticked: Option<&[&str]>) -> String {
    let url = google.authorization_url(&AuthorizationRequest {
        redirect_uri: REDIRECT,
        scopes: &scopes::REQUESTED,
        state: "st&te",
        code_challenge: &pkce.challenge,
        login_hint: Some(ALICE),
        force_consent: false,
    });
    let decision = Decision {
        user: ALICE.into(),
        scopes: ticked.map(|scopes| scopes.iter().map(|&scope| scope.to_owned()).collect()),
        deny: false,
    };
    let back = Url::parse(&emulator.authorize(url.as_str(), &decision).unwrap()).unwrap();
    let value = |name: &str| {
        back.query_pairs()
            .find(|(key, _)| key == name)
            .unwrap()
            .1
            .into_owned()
    };
    assert_eq!(value("state"), "st&te");
    value("code")
}

#[tokio::test]
async fn a_consent_becomes_a_grant() {
    let (emulator, google) = start().await;
    let pkce = Pkce::generate();
    let code = consent(&emulator, &google, &pkce, None);
    let wrong = google
        .exchange_code(&code, &Pkce::generate().verifier, REDIRECT)
        .await;
    assert_eq!(wrong.unwrap_err(), Error::GrantRejected);

    let code = consent(&emulator, &google, &pkce, None);
    let grant = google
        .exchange_code(&code, &pkce.verifier, REDIRECT)
        .await
        .unwrap();
    assert!(scopes::allows_events(&grant.scopes) && scopes::allows_calendar_list(&grant.scopes));
    let again = google.exchange_code(&code, &pkce.verifier, REDIRECT).await;
    assert_eq!(again.unwrap_err(), Error::GrantRejected, "a code is good once");

    let account = google.userinfo(&grant.access_token).await.unwrap();
    assert_eq!(account.email, ALICE);
}

#[tokio::test]
async fn a_refresh_token_works_until_it_is_revoked() {
    let (emulator, google) = start().await;
    let pkce = Pkce::generate();
    let code = consent(&emulator, &google, &pkce, None);
    let grant = google
        .exchange_code(&code, &pkce.verifier, REDIRECT)
        .await
        .unwrap();
    let refresh_token = grant.refresh_token.unwrap();
    let fresh = google.refresh(&refresh_token).await.unwrap();
    assert!(fresh.refresh_token.is_none());
    assert!(google.userinfo(&fresh.secret).await.is_ok());

    google.revoke(&refresh_token).await.unwrap();
    assert_eq!(
        google.refresh(&refresh_token).await.unwrap_err(),
        Error::GrantRejected
    );
    assert_eq!(
        google.userinfo(&fresh.secret).await.unwrap_err(),
        Error::Unauthorized
    );
    google.revoke(&refresh_token).await.unwrap();
}

#[tokio::test]
async fn an_unticked_scope_is_missing_in_grant_and_call() {
    let (emulator, google) = start().await;
    let pkce = Pkce::generate();
    let code = consent(&emulator, &google, &pkce, Some(&[scopes::EVENTS]));
    let grant = google
        .exchange_code(&code, &pkce.verifier, REDIRECT)
        .await
        .unwrap();
    assert!(scopes::allows_events(&grant.scopes) && !scopes::allows_calendar_list(&grant.scopes));
    let error = google
        .calendar_list(&grant.access_token, &ListCursor::default())
        .await
        .unwrap_err();
    assert_eq!(error, Error::ScopeMissing);
}

/// All pages from a cursor on: the events and the next sync token.
async fn all(
    google: &Google,
    access: &SecretString,
    calendar: &str,
    sync: Option<&str>,
) -> (Vec<RawEvent>, String) {
    let mut cursor = ListCursor {
        sync_token: sync.map(str::to_owned),
        page_token: None,
    };
    let mut events = Vec::new();
    loop {
        let page = google.events(access, calendar, &cursor, 2).await.unwrap();
        events.extend(page.items);
        match page.next {
            Next::Page(token) => cursor.page_token = Some(token),
            Next::Sync(token) => return (events, token),
        }
    }
}

#[tokio::test]
async fn a_listing_continues_from_its_sync_token() {
    let (emulator, google) = start().await;
    let access = access(&emulator);
    let add = |summary: &str| {
        let event = json!({"summary": summary, "start": {"dateTime": "2026-11-23T10:00:00+01:00", "timeZone": "Europe/Paris"},
            "end": {"dateTime": "2026-11-23T11:00:00+01:00", "timeZone": "Europe/Paris"}, "eventLabelId": "label-7"});
        emulator.insert(ALICE, "primary", event).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let ids: Vec<_> = ["a", "b", "c", "d", "e"].map(add).into();
    // An empty page in the middle is not the end.
    emulator.fault(Rule::new("events.list", Fault::EmptyPage { page: 2 }).times(1));
    let (events, token) = all(&google, &access, "primary", None).await;
    let mut seen: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
    let mut expected = ids.clone();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    let raw: Value = serde_json::from_str(events[0].raw.get()).unwrap();
    assert_eq!(raw["start"]["timeZone"], "Europe/Paris");
    let sent = raw["start"]["dateTime"].as_str().unwrap();
    assert!(sent.starts_with("2026-11-23T"), "{sent}");
    assert_eq!(raw["eventLabelId"], "label-7", "unknown to the generated types");

    emulator.delete(ALICE, "primary", &ids[0]).unwrap();
    emulator
        .patch(ALICE, "primary", &ids[1], json!({"summary": "B"}))
        .unwrap();
    let (changed, token) = all(&google, &access, "primary", Some(&token)).await;
    let status = |event: &RawEvent| {
        let event: Value = serde_json::from_str(event.raw.get()).unwrap();
        event["status"].as_str().unwrap().to_owned()
    };
    let mut changed: Vec<_> = changed
        .iter()
        .map(|event| (event.id.clone(), status(event)))
        .collect();
    changed.sort_unstable();
    let mut expected = [
        (ids[0].clone(), "cancelled".to_owned()),
        (ids[1].clone(), "confirmed".to_owned()),
    ];
    expected.sort_unstable();
    assert_eq!(changed, expected);

    emulator.expire_sync_tokens(None);
    let cursor = ListCursor {
        sync_token: Some(token),
        page_token: None,
    };
    let error = google.events(&access, "primary", &cursor, 2).await.unwrap_err();
    assert_eq!(error, Error::SyncTokenExpired);
}

#[tokio::test]
async fn calendars_are_listed_and_found_by_odd_ids() {
    let (emulator, google) = start().await;
    let access = access(&emulator);
    let page = google
        .calendar_list(&access, &ListCursor::default())
        .await
        .unwrap();
    let Next::Sync(token) = page.next else {
        panic!("two calendars fit on a page");
    };
    let team = page.items.iter().find(|calendar| !calendar.primary).unwrap();
    assert_eq!(
        (team.summary.as_str(), team.access_role.as_str()),
        ("Team", "reader")
    );
    let (events, _) = all(&google, &access, &team.id, None).await;
    assert_eq!(events.len(), 0);

    emulator.remove_calendar(ALICE, &team.id).unwrap();
    let cursor = ListCursor {
        sync_token: Some(token),
        page_token: None,
    };
    let page = google.calendar_list(&access, &cursor).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].deleted), (1, true));
    let unknown = google
        .events(&access, "nobody@example.com", &ListCursor::default(), 10)
        .await;
    assert_eq!(unknown.unwrap_err(), Error::NotFound);
}

#[tokio::test]
async fn a_channel_is_created_and_stopped_once() {
    let (emulator, google) = start().await;
    let access = access(&emulator);
    let new = NewChannel {
        id: "channel-1",
        token: &"t0ken".into(),
        address: "http://127.0.0.1:9/api/calendar/webhook",
        ttl: Duration::from_hours(1),
    };
    let channel = google.watch_events(&access, "primary", &new).await.unwrap();
    let life = channel.expires_at.unwrap() - emulator.now();
    assert!(life.num_minutes().abs_diff(60) <= 1, "{life}");
    assert_eq!(
        google.watch_events(&access, "primary", &new).await.unwrap_err(),
        Error::AlreadyExists
    );
    google
        .stop_channel(&access, "channel-1", &channel.resource_id)
        .await
        .unwrap();
    let error = google
        .stop_channel(&access, "channel-1", &channel.resource_id)
        .await
        .unwrap_err();
    assert_eq!(error, Error::NotFound);

    let list = NewChannel {
        id: "channel-2",
        ..new
    };
    assert!(google.watch_calendar_list(&access, &list).await.is_ok());
    emulator.fault(Rule::new("events.watch", Fault::Unwatchable));
    let third = NewChannel {
        id: "channel-3",
        ..list
    };
    assert_eq!(
        google.watch_events(&access, "primary", &third).await.unwrap_err(),
        Error::PushNotSupported
    );
}
