//! Attacks on the connect flow.

use futures_util::StreamExt;

use super::*;

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_state_is_valid_once_in_its_own_browser(pool: PgPool) {
    let api = Api::start(pool).await;
    api.google_grants(grant(&all_scopes(), Some("refresh"))).await;
    let error = |reason: &str| format!("http://localhost:3000/?calwire=error&calwire_reason={reason}");

    assert_eq!(api.back("code=abc", None).await, error("invalid_state"));
    assert_eq!(
        api.back("state=forged&code=abc", None).await,
        error("invalid_state")
    );
    assert_eq!(
        api.back(&format!("state={}&code=abc", "x".repeat(5000)), None)
            .await,
        error("invalid_state")
    );
    assert_eq!(
        api.back("state[]=x&state=a&state=b", None).await,
        error("invalid_state")
    );

    // An attacker's link, followed by a victim with a flow of its own, and by one without.
    let (attacker, victim) = (
        api.begin("mallory", json!({})).await,
        api.begin("alice", json!({})).await,
    );
    let state = attacker.parameter("state");
    assert_eq!(
        api.back(&format!("state={state}&code=abc"), Some(&victim.cookie))
            .await,
        error("other_browser")
    );
    let attacker = api.begin("mallory", json!({})).await;
    let state = attacker.parameter("state");
    assert_eq!(
        api.back(&format!("state={state}&code=abc"), None).await,
        error("other_browser")
    );
    assert_eq!(api.connections().await, 0);
    assert!(
        api.google.received_requests().await.unwrap().is_empty(),
        "Google was not asked"
    );

    let late = api.begin("alice", json!({})).await;
    api.clock.advance(TimeDelta::seconds(600));
    let query = format!("state={}&code=abc", late.parameter("state"));
    assert_eq!(api.back(&query, Some(&late.cookie)).await, error("expired_state"));

    let good = api.begin("alice", json!({})).await;
    let query = format!("state={}&code=abc", good.parameter("state"));
    assert_eq!(
        api.back(&query, Some(&good.cookie)).await,
        "http://localhost:3000/?calwire=connected"
    );
    // Its browser ends as before, without another exchange; any other learns nothing.
    assert_eq!(
        api.back(&query, Some(&good.cookie)).await,
        "http://localhost:3000/?calwire=connected"
    );
    assert_eq!(
        api.back(&query, Some(&attacker.cookie)).await,
        error("invalid_state")
    );
    assert_eq!(api.back(&query, None).await, error("other_browser"));
    let requests = api.google.received_requests().await.unwrap();
    let exchanges = requests
        .iter()
        .filter(|request| request.url.path() == "/token")
        .count();
    assert_eq!(exchanges, 1);
    assert_eq!(api.connections().await, 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_forged_state_neither_finishes_nor_consumes_a_flow(pool: PgPool) {
    let api = Api::start(pool).await;
    api.google_grants(grant(&all_scopes(), Some("refresh"))).await;
    let corpus: Value = serde_json::from_str(include_str!("../../../../corpus/oauth_states.json")).unwrap();
    let corpus = corpus.as_array().unwrap();
    assert!(corpus.len() >= 25);
    let begun = api.begin("alice", json!({})).await;
    let state = begun.parameter("state");
    let sha256: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(state.as_bytes()).into();
    for entry in corpus {
        let query = entry["query"]
            .as_str()
            .unwrap()
            .replace("{state}", &state)
            .replace("{cut}", &state[..state.len() - 1])
            .replace("{upper}", &state.to_uppercase())
            .replace("{sha256}", &hex(&sha256))
            .replace("{long}", &"A".repeat(5_000));
        let landed = api.back(&query, Some(&begun.cookie)).await;
        assert_eq!(
            landed, "http://localhost:3000/?calwire=error&calwire_reason=invalid_state",
            "{}",
            entry["what"]
        );
    }
    assert_eq!(api.connections().await, 0);
    let asked = api.google.received_requests().await.unwrap().len();
    assert_eq!(asked, 0, "Google was not asked");
    // Guessing has not consumed the flow.
    let landed = api
        .back(&format!("state={state}&code=abc"), Some(&begun.cookie))
        .await;
    assert_eq!(landed, "http://localhost:3000/?calwire=connected");
}

/// The answers to callbacks from anyone are the same without the table of flows.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn callbacks_of_strangers_do_not_reach_the_database(pool: PgPool) {
    let api = Api::start(pool.clone()).await;
    sqlx::query("alter table oauth_states rename to gone")
        .execute(&pool)
        .await
        .unwrap();
    let error = |reason: &str| format!("http://localhost:3000/?calwire=error&calwire_reason={reason}");
    let cookie = format!("calwire_connect={}", "A".repeat(43));
    let state = "A".repeat(43);
    for malformed in ["x", &state[1..], &format!("{state}A"), &state.replace("AA", "A=")] {
        let landed = api
            .back(&format!("state={malformed}&code=abc"), Some(&cookie))
            .await;
        assert_eq!(landed, error("invalid_state"), "{malformed}");
    }
    let query = format!("state={state}&code=abc");
    for cookie in [None, Some("calwire_connect=AAAA"), Some("calwire_connect=")] {
        assert_eq!(
            api.back(&query, cookie).await,
            error("other_browser"),
            "{cookie:?}"
        );
    }
    // It was not that callbacks never need the table.
    assert_eq!(api.back(&query, Some(&cookie)).await, error("internal"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_flood_of_callbacks_leaves_the_budget_of_others(pool: PgPool) {
    let api = Api::start_with(pool, &[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let begun = api.begin("alice", json!({})).await;
    let callback = |source: &str, state: &str| {
        api.http
            .get(format!(
                "{}/oauth/google/callback?error=access_denied&state={state}",
                api.base
            ))
            .header("cookie", &begun.cookie)
            .header("x-forwarded-for", source)
    };
    let made_up = "A".repeat(43);
    let flood = (0..600).map(|_| callback("198.51.100.1", &made_up).send());
    let statuses: Vec<u16> = futures_util::stream::iter(flood)
        .buffer_unordered(50)
        .map(|response| response.unwrap().status().as_u16())
        .collect()
        .await;
    assert!(statuses.contains(&429), "{statuses:?}");
    let state = begun.parameter("state");
    let landed = callback("203.0.113.9", &state).send().await.unwrap();
    assert_eq!(
        landed.headers()["location"],
        "http://localhost:3000/?calwire=denied"
    );
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn only_the_cookie_of_the_same_browser_finishes_a_flow(pool: PgPool) {
    let api = Api::start(pool).await;
    api.google_grants(grant(&all_scopes(), Some("refresh"))).await;
    let other = api.begin("bob", json!({})).await;
    for (what, cookie) in [
        ("none", None),
        ("empty", Some("calwire_connect=".to_owned())),
        ("of another flow of another user", Some(other.cookie.clone())),
        ("made up", Some(format!("calwire_connect={}", "A".repeat(43)))),
        ("too short", Some("calwire_connect=AAAA".to_owned())),
        (
            "of another name",
            Some(other.cookie.replace("calwire_connect", "calwire")),
        ),
        (
            "as https names it",
            Some(other.cookie.replace("calwire_connect", "__Host-calwire_connect")),
        ),
        ("SQL", Some("calwire_connect=' or 1=1 --".to_owned())),
    ] {
        let begun = api.begin("alice", json!({})).await;
        let query = format!("state={}&code=abc", begun.parameter("state"));
        let landed = api.back(&query, cookie.as_deref()).await;
        assert_eq!(
            landed, "http://localhost:3000/?calwire=error&calwire_reason=other_browser",
            "{what}"
        );
    }
    assert_eq!(api.connections().await, 0);
}
