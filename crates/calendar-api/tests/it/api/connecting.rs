//! The connect flow.

mod attacks;

use reqwest::Url;

use super::*;

/// A flow that was begun: Google's URL, and the browser's cookie.
pub struct Begun {
    pub url: Url,
    pub cookie: String,
}

impl Begun {
    pub fn parameter(&self, name: &str) -> String {
        let found = self.url.query_pairs().find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

impl Api {
    pub async fn begin(&self, user: &str, input: Value) -> Begun {
        let request = self
            .post(user, "calendar.google.connect", &input)
            .header("origin", APP);
        let response = request.send().await.unwrap();
        let set_cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(
            set_cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
            "{set_cookie}"
        );
        let cookie = set_cookie.split(';').next().unwrap().to_owned();
        let answer = unwrap(response).await.unwrap();
        let url = answer["url"].as_str().unwrap().parse().unwrap();
        Begun { url, cookie }
    }

    /// Returns from Google. Returns the URL that the browser is redirected to.
    pub async fn back(&self, query: &str, cookie: Option<&str>) -> String {
        let mut request = self
            .http
            .get(format!("{}/oauth/google/callback?{query}", self.base));
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 303);
        assert_eq!(response.headers()["cache-control"], "no-store");
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Mocks Google's answers to a code and to userinfo.
    async fn google_grants(&self, token: ResponseTemplate) {
        self.google.reset().await;
        Mock::given(method("POST"))
            .and(path("/token"))
            .respond_with(token)
            .mount(&self.google)
            .await;
        let account = json!({"sub": "google-alice", "email": "alice@example.com", "email_verified": true});
        Mock::given(method("GET"))
            .and(path("/oauth2/v3/userinfo"))
            .respond_with(ResponseTemplate::new(200).set_body_json(account))
            .mount(&self.google)
            .await;
    }

    /// Alice's only account is to be connected again, and another one is chosen on Google's page.
    async fn choose_another_account(&self) -> String {
        let status = self.query("alice", "calendar.google.status", Value::Null).await;
        let id = status.unwrap()["connections"][0]["id"].clone();
        let begun = self.begin("alice", json!({"connectionId": id})).await;
        sqlx::query("update oauth_states set google_sub = 'another' where taken_at is null")
            .execute(&self.pool)
            .await
            .unwrap();
        let query = format!("state={}&code=abc", begun.parameter("state"));
        self.back(&query, Some(&begun.cookie)).await
    }

    async fn connections(&self) -> i64 {
        sqlx::query_scalar("select count(*) from connections")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

fn grant(scope: &str, refresh_token: Option<&str>) -> ResponseTemplate {
    let mut token =
        json!({"access_token": "access", "expires_in": 3599, "scope": scope, "token_type": "Bearer"});
    if let Some(refresh_token) = refresh_token {
        token["refresh_token"] = refresh_token.into();
    }
    ResponseTemplate::new(200).set_body_json(token)
}

fn all_scopes() -> String {
    google::scopes::REQUESTED.join(" ")
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_user_connects_and_returns_to_the_page(pool: PgPool) {
    let api = Api::start(pool.clone()).await;
    let begun = api
        .begin(
            "alice",
            json!({"returnTo": "/settings?tab=calendar&calwire=old#top"}),
        )
        .await;
    for (name, value) in [
        ("client_id", "client"),
        ("redirect_uri", "http://localhost:8080/oauth/google/callback"),
        ("response_type", "code"),
        ("access_type", "offline"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(begun.parameter(name), value, "{name}");
    }
    api.google_grants(grant(&all_scopes(), Some("refresh"))).await;
    let state = begun.parameter("state");
    let landed = api
        .back(
            &format!("state={state}&code=abc&scope=x&authuser=0"),
            Some(&begun.cookie),
        )
        .await;
    assert_eq!(
        landed,
        "http://localhost:3000/settings?tab=calendar&calwire=connected#top"
    );

    // The sent verifier matches the challenge.
    let requests = api.google.received_requests().await.unwrap();
    let form: BTreeMap<_, _> = Url::parse(&format!(
        "http://x/?{}",
        String::from_utf8_lossy(&requests[0].body)
    ))
    .unwrap()
    .query_pairs()
    .into_owned()
    .collect();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(form["code_verifier"].as_bytes());
    let challenge = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, digest);
    assert_eq!(
        (begun.parameter("code_challenge"), form["code"].as_str()),
        (challenge, "abc")
    );

    let status = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        (&status["connected"], &status["hasCalendarAccess"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(status["connections"][0]["state"], "importing");
    // The calendar list is due, browsers are notified, and no token is stored in plain text.
    let (due, messages): (i64, i64) = sqlx::query_as(
        "select (select count(*) from sync_state where kind = 'calendar_list' and dirty_seq > synced_seq),
                (select count(*) from outbox)",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!((due, messages), (1, 1));
    let (refresh, access): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("select refresh_token, access_token from connections")
            .fetch_one(&pool)
            .await
            .unwrap();
    for sealed in [refresh, access] {
        let text = String::from_utf8_lossy(&sealed).into_owned();
        assert!(!text.contains("refresh") && !text.contains("access"));
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_tabs_of_one_browser_can_both_connect(pool: PgPool) {
    let api = Api::start(pool).await;
    api.google_grants(grant(&all_scopes(), Some("refresh"))).await;
    let first = api.begin("alice", json!({"returnTo": "/1"})).await;
    let request = api
        .post("alice", "calendar.google.connect", &json!({"returnTo": "/2"}))
        .header("cookie", &first.cookie);
    let response = request.send().await.unwrap();
    assert!(
        response.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .starts_with(&first.cookie)
    );
    let answer = unwrap(response).await.unwrap();
    let second = Begun {
        url: answer["url"].as_str().unwrap().parse().unwrap(),
        cookie: first.cookie.clone(),
    };
    for (begun, page) in [(first, "/1"), (second, "/2")] {
        let query = format!("state={}&code=abc", begun.parameter("state"));
        let landed = api.back(&query, Some(&begun.cookie)).await;
        assert_eq!(landed, format!("http://localhost:3000{page}?calwire=connected"));
    }
    assert_eq!(api.connections().await, 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn failures_return_to_the_page_with_our_own_codes(pool: PgPool) {
    let api = Api::start(pool).await;
    let error = |reason: &str| format!("http://localhost:3000/?calwire=error&calwire_reason={reason}");
    let json = |status, body: Value| ResponseTemplate::new(status).set_body_json(body);
    let good = || grant(&all_scopes(), Some("refresh"));
    for (query, token, landed) in [
        (
            "error=access_denied",
            good(),
            "http://localhost:3000/?calwire=denied".to_owned(),
        ),
        (
            "error=%3Cscript%3Ealert(1)%3C/script%3E",
            good(),
            error("refused_by_google"),
        ),
        (
            "error=access_denied%0d%0aSet-Cookie:x=y",
            good(),
            error("refused_by_google"),
        ),
        (
            "error=admin_policy_enforced",
            good(),
            error("admin_policy_enforced"),
        ),
        (
            "code=abc",
            json(400, json!({"error": "access_denied"})),
            error("access_denied"),
        ),
        ("code=", good(), error("code_missing")),
        ("", good(), error("code_missing")),
        (
            "code=abc",
            json(400, json!({"error": "invalid_grant"})),
            error("code_rejected"),
        ),
        (
            "code=abc",
            json(401, json!({"error": "invalid_client"})),
            error("misconfigured"),
        ),
        (
            "code=abc",
            ResponseTemplate::new(503),
            error("google_unavailable"),
        ),
        (
            "code=abc",
            ResponseTemplate::new(200).set_body_string("<html>"),
            error("google_unavailable"),
        ),
        (
            "code=abc",
            grant(&all_scopes(), None),
            error("refresh_token_missing"),
        ),
    ] {
        api.google_grants(token).await;
        let begun = api.begin("alice", json!({})).await;
        let query = format!("state={}&{query}", begun.parameter("state"));
        assert_eq!(api.back(&query, Some(&begun.cookie)).await, landed, "{query}");
        assert_eq!(api.connections().await, 0);
    }
    let status = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    assert_eq!(status["connected"], false);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_missing_calendar_scope_is_reported_and_can_be_added(pool: PgPool) {
    let api = Api::start(pool).await;
    let connect = async |token: ResponseTemplate| {
        api.google_grants(token).await;
        let begun = api.begin("alice", json!({})).await;
        api.back(
            &format!("state={}&code=abc", begun.parameter("state")),
            Some(&begun.cookie),
        )
        .await
    };
    let landed = connect(grant("openid email", Some("refresh"))).await;
    assert_eq!(
        landed,
        "http://localhost:3000/?calwire=connected&calwire_reason=scope_missing"
    );
    let answer = api
        .query("alice", "calendar.google.getUpcomingEvents", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        (&answer["connected"], &answer["hasCalendarAccess"]),
        (&json!(true), &json!(false))
    );
    let status = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    assert_eq!(status["connections"][0]["state"], "scope_missing");

    // Again, without a new refresh token: the old one is kept, and the account has the same connection.
    let landed = connect(grant(&all_scopes(), None)).await;
    assert_eq!(landed, "http://localhost:3000/?calwire=connected");
    let status = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    assert_eq!(status["connections"].as_array().unwrap().len(), 1);
    assert_eq!(status["hasCalendarAccess"], true);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_browser_returns_to_the_application_only(pool: PgPool) {
    let api = Api::start(pool).await;
    let corpus: Value = serde_json::from_str(include_str!("../../../corpus/return_to.json")).unwrap();
    for return_to in corpus["refused"].as_array().unwrap() {
        let refused = api
            .mutate("alice", "calendar.google.connect", json!({"returnTo": return_to}))
            .await
            .unwrap_err();
        assert_eq!(refused["issues"][0]["path"], "returnTo", "{return_to}");
    }
    // A page of another origin does not choose the origin either.
    let request = api
        .post("alice", "calendar.google.connect", &json!({}))
        .header("origin", "https://evil.example");
    let response = request.send().await.unwrap();
    if response.status().is_success() {
        let cookie = response.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let answer = unwrap(response).await.unwrap();
        let begun = Begun {
            url: answer["url"].as_str().unwrap().parse().unwrap(),
            cookie,
        };
        let query = format!("state={}&error=access_denied", begun.parameter("state"));
        assert_eq!(
            api.back(&query, Some(&begun.cookie)).await,
            "http://localhost:3000/?calwire=denied"
        );
    }
}

/// Google Calendar can be off for an account: <https://github.com/closeio/sync-engine/pull/462>.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_callback_says_that_google_calendar_is_off(pool: PgPool) {
    let api = Api::start(pool).await;
    let begun = api.begin("alice", json!({})).await;
    api.google_grants(grant(&all_scopes(), Some("refresh"))).await;
    let off = json!({"error": {"code": 403, "message": "The user must be signed up for Google Calendar.",
        "errors": [{"domain": "calendar", "reason": "notACalendarUser"}]}});
    Mock::given(method("GET"))
        .and(path("/calendar/v3/users/me/calendarList"))
        .respond_with(ResponseTemplate::new(403).set_body_json(off))
        .mount(&api.google)
        .await;
    let state = begun.parameter("state");
    let landed = api
        .back(&format!("state={state}&code=abc"), Some(&begun.cookie))
        .await;
    assert_eq!(
        landed,
        "http://localhost:3000/?calwire=connected&calwire_reason=calendar_off"
    );
    assert_eq!(api.connections().await, 1);

    // The account that was to be connected again still waits, which is added.
    let landed = api.choose_another_account().await;
    assert_eq!(
        landed,
        "http://localhost:3000/?calwire=connected&calwire_reason=calendar_off&calwire_reason=other_account"
    );
    api.google_grants(grant("openid email", Some("refresh"))).await;
    let landed = api.choose_another_account().await;
    assert_eq!(
        landed,
        "http://localhost:3000/?calwire=connected&calwire_reason=scope_missing&calwire_reason=other_account"
    );
}

/// A reload, the back button, a link checker with the browser's cookie.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_repeated_callback_ends_as_the_first(pool: PgPool) {
    let api = Api::start(pool).await;
    for (token, landed) in [
        (grant(&all_scopes(), Some("refresh")), "/?calwire=connected"),
        (
            grant("openid", Some("refresh")),
            "/?calwire=connected&calwire_reason=scope_missing",
        ),
        (
            ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_grant"})),
            "/?calwire=error&calwire_reason=code_rejected",
        ),
    ] {
        api.google_grants(token.set_delay(std::time::Duration::from_millis(300)))
            .await;
        let begun = api.begin("alice", json!({})).await;
        let query = format!("state={}&code=abc", begun.parameter("state"));
        let twice = || api.back(&query, Some(&begun.cookie));
        let (first, second) = tokio::join!(twice(), twice());
        for url in [first, second, twice().await] {
            assert_eq!(url, format!("http://localhost:3000{landed}"));
        }
        let requests = api.google.received_requests().await.unwrap();
        let exchanges = requests
            .iter()
            .filter(|request| request.url.path() == "/token")
            .count();
        assert_eq!(exchanges, 1, "{landed}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_prefetched_callback_changes_nothing(pool: PgPool) {
    let api = Api::start(pool).await;
    api.google_grants(grant(&all_scopes(), Some("refresh"))).await;
    let begun = api.begin("alice", json!({})).await;
    let query = format!("state={}&code=abc", begun.parameter("state"));
    for (name, value) in [
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-moz", "prefetch"),
    ] {
        let url = format!("{}/oauth/google/callback?{query}", api.base);
        let request = api
            .http
            .get(url)
            .header("cookie", &begun.cookie)
            .header(name, value);
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["cache-control"]),
            (503, &"no-store".parse().unwrap())
        );
    }
    assert!(api.google.received_requests().await.unwrap().is_empty());
    let landed = api.back(&query, Some(&begun.cookie)).await;
    assert_eq!(landed, "http://localhost:3000/?calwire=connected");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn reconnecting_names_the_account_and_notices_another(pool: PgPool) {
    let api = Api::start(pool).await;
    api.google_grants(grant(&all_scopes(), Some("refresh"))).await;
    let first = api.begin("alice", json!({})).await;
    assert_eq!(
        (first.parameter("prompt"), first.parameter("login_hint")),
        ("select_account consent".into(), String::new())
    );
    let finish = async |begun: &Begun| {
        let query = format!("state={}&code=abc", begun.parameter("state"));
        api.back(&query, Some(&begun.cookie)).await
    };
    assert_eq!(finish(&first).await, "http://localhost:3000/?calwire=connected");
    let status = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    let id = status["connections"][0]["id"].clone();

    let again = api.begin("alice", json!({"connectionId": id})).await;
    assert_eq!(
        (again.parameter("prompt"), again.parameter("login_hint")),
        ("consent".into(), "alice@example.com".into())
    );
    assert_eq!(finish(&again).await, "http://localhost:3000/?calwire=connected");
    assert_eq!(api.connections().await, 1);

    assert_eq!(
        api.choose_another_account().await,
        "http://localhost:3000/?calwire=connected&calwire_reason=other_account"
    );
    let refused = api
        .mutate("bob", "calendar.google.connect", json!({"connectionId": id}))
        .await
        .unwrap_err();
    assert_eq!(refused["reason"], "CONNECTION_NOT_FOUND");
}
