//! The whole connect flow against the emulator, an independent implementation of Google's rules (PKCE, single use of codes,
//! granular consent).

use google_emulator::{Decision, Emulator, Seed};

use super::connecting::Begun;
use super::*;

pub const ALICE: &str = "alice@example.com";

pub async fn start(pool: PgPool) -> (Emulator, Api) {
    let google = Emulator::start(google_emulator::Config {
        seed: Seed::demo(noon().date_naive()),
        ..google_emulator::Config::default()
    })
    .await
    .unwrap();
    let client = google.client().clone();
    let addresses = [
        ("GOOGLE_CLIENT_ID", client.id),
        ("GOOGLE_CLIENT_SECRET", client.secret),
        ("GOOGLE_BASE_URL", google.base_url().to_owned()),
        // Some tests call more often than a person does.
        ("RATE_LIMIT_PER_MINUTE", "1000000".to_owned()),
    ];
    let changes: Vec<_> = addresses
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let api = Api::start_with(pool, &changes).await;
    (google, api)
}

/// Decides on Google's consent page. Returns the query of the redirect.
fn decide(google: &Emulator, begun: &Begun, decision: &Decision) -> String {
    let back: reqwest::Url = google
        .authorize(begun.url.as_str(), decision)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(back.path(), "/oauth/google/callback");
    back.query().unwrap().to_owned()
}

/// Connects `user` to a Google account. Returns the URL that the browser ends on.
pub async fn connect(google: &Emulator, api: &Api, user: &str, decision: &Decision) -> String {
    let begun = api.begin(user, json!({})).await;
    let query = decide(google, &begun, decision);
    api.back(&query, Some(&begun.cookie)).await
}

pub fn all_of(account: &str) -> Decision {
    Decision {
        user: account.into(),
        scopes: None,
        deny: false,
    }
}

pub async fn pull_all(ctx: &sync::Context) {
    let puller = sync::pull::Puller::new(ctx.clone(), 8);
    while puller.run_once().await.unwrap() == common::worker::Pass::Worked {
        puller.drain().await;
    }
}

fn revocations(google: &Emulator) -> usize {
    google
        .requests()
        .iter()
        .filter(|request| request.path == "/revoke")
        .count()
}

const CONNECTED: &str = "http://localhost:3000/?calwire=connected";

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_account_is_connected_shared_and_disconnected(pool: PgPool) {
    let (google, api) = start(pool).await;
    let ctx = api.sync().await;
    let start = noon() + TimeDelta::hours(3);
    let lunch = json!({"summary": "Late lunch", "start": {"dateTime": start.to_rfc3339()},
        "end": {"dateTime": (start + TimeDelta::hours(1)).to_rfc3339()}});
    google.insert(ALICE, "primary", lunch).unwrap();
    // Two users of the host application, one Google account.
    for user in ["alice", "bob"] {
        assert_eq!(connect(&google, &api, user, &all_of(ALICE)).await, CONNECTED);
        pull_all(&ctx).await;
        let answer = api
            .query(
                user,
                "calendar.google.getUpcomingEvents",
                json!({"days": 1, "maxResults": 50}),
            )
            .await
            .unwrap();
        let titles: Vec<_> = answer["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| &event["title"])
            .collect();
        assert!(titles.contains(&&json!("Late lunch")), "{titles:?}");
        assert_eq!(answer["mode"], "polling");
        let list = api
            .query(user, "calendar.google.listCalendars", Value::Null)
            .await
            .unwrap();
        assert!(list["calendars"].as_array().unwrap().len() > 1);
    }

    // Revoking ends every grant of the account, so it waits until no other user shares it.
    api.mutate("alice", "calendar.google.disconnect", Value::Null)
        .await
        .unwrap();
    assert_eq!(revocations(&google), 0);
    api.mutate("bob", "calendar.google.syncNow", Value::Null)
        .await
        .unwrap();
    pull_all(&ctx).await;
    let status = api
        .query("bob", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    assert_eq!(status["connections"][0]["state"], "healthy");
    api.mutate("bob", "calendar.google.disconnect", Value::Null)
        .await
        .unwrap();
    assert_eq!(revocations(&google), 1);
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from connections) + (select count(*) from calendars) + (select count(*) from events)",
    )
    .fetch_one(&api.pool)
    .await
    .unwrap();
    assert_eq!(left, 0);

    // Connects again.
    assert_eq!(connect(&google, &api, "alice", &all_of(ALICE)).await, CONNECTED);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_code_of_another_flow_connects_no_account(pool: PgPool) {
    let (google, api) = start(pool).await;
    let (theirs, ours) = (
        api.begin("mallory", json!({})).await,
        api.begin("alice", json!({})).await,
    );
    let back = decide(&google, &theirs, &all_of("bob@example.com"));
    let code = back.split('&').find(|pair| pair.starts_with("code=")).unwrap();
    let query = format!("state={}&{code}", ours.parameter("state"));
    let landed = api.back(&query, Some(&ours.cookie)).await;
    assert_eq!(
        landed,
        "http://localhost:3000/?calwire=error&calwire_reason=code_rejected"
    );
    let status = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    assert_eq!(status["connected"], false);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_user_may_cancel_or_untick_the_calendar(pool: PgPool) {
    let (google, api) = start(pool).await;
    let cancelled = Decision {
        deny: true,
        ..all_of(ALICE)
    };
    let landed = connect(&google, &api, "alice", &cancelled).await;
    assert_eq!(landed, "http://localhost:3000/?calwire=denied");
    let unticked = Decision {
        scopes: Some(vec!["openid".into(), "email".into()]),
        ..all_of(ALICE)
    };
    let landed = connect(&google, &api, "alice", &unticked).await;
    assert_eq!(landed, format!("{CONNECTED}&calwire_reason=scope_missing"));
    let answer = api
        .query("alice", "calendar.google.getUpcomingEvents", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        (&answer["connected"], &answer["hasCalendarAccess"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(connect(&google, &api, "alice", &all_of(ALICE)).await, CONNECTED);
    pull_all(&api.sync().await).await;
    let status = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    assert_eq!(status["connections"][0]["state"], "healthy");
}
