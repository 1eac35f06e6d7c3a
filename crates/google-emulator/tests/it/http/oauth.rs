//! OAuth: consent, codes, PKCE, refresh, revocation.

use google_emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, oauth};
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::support::{ALICE, CALENDAR, Client, answer, http, start};

const REDIRECT: &str = "http://localhost:8080/oauth/google/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn ask(google: &Emulator, more: &[(&str, &str)]) -> Url {
    let mut url = Url::parse(&google.auth_url()).unwrap();
    let scope = format!("openid email {CALENDAR}.events {CALENDAR}.calendarlist.readonly");
    let challenge = oauth::challenge_of(VERIFIER);
    let basic = [
        ("client_id", DEFAULT_CLIENT_ID),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", scope.as_str()),
        ("state", "s&1"),
        ("access_type", "offline"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let kept = basic
        .iter()
        .filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    url.query_pairs_mut().extend_pairs(kept).extend_pairs(more);
    url
}

/// Presses a button on the consent page and returns the query of where it leads.
async fn press(google: &Emulator, url: &Url, fields: &[(&str, &str)]) -> Value {
    let page = http().get(url.clone()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    assert!(text.contains("Alice Meier") && text.contains("View and edit events on all your calendars"));
    let mut form = vec![("request", url.query().unwrap()), ("account", ALICE)];
    form.extend_from_slice(fields);
    let sent = http()
        .post(format!("{}/o/oauth2/v2/consent", google.base_url()))
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), StatusCode::FOUND);
    query_of(sent.headers()["location"].to_str().unwrap())
}

fn query_of(location: &str) -> Value {
    assert!(location.starts_with(REDIRECT), "{location}");
    let url = Url::parse(location).unwrap();
    url.query_pairs()
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect()
}

async fn token(google: &Emulator, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let client = [
        ("client_id", DEFAULT_CLIENT_ID),
        ("client_secret", DEFAULT_CLIENT_SECRET),
    ];
    let form: Vec<_> = client.iter().chain(form).collect();
    answer(http().post(google.token_url()).form(&form)).await
}

async fn exchange(google: &Emulator, code: &Value) -> (StatusCode, Value) {
    let code = code.as_str().unwrap();
    token(
        google,
        &[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ],
    )
    .await
}

#[tokio::test]
async fn an_unticked_box_gives_tokens_without_that_scope() {
    let google = start().await;
    let list = format!("{CALENDAR}.calendarlist.readonly");
    let back = press(
        &google,
        &ask(&google, &[]),
        &[("grant", &list), ("decision", "allow")],
    )
    .await;
    assert_eq!(back["state"], "s&1");
    let (status, tokens) = exchange(&google, &back["code"]).await;
    assert_eq!(status, 200, "{tokens}");
    let mut scopes: Vec<_> = tokens["scope"].as_str().unwrap().split(' ').collect();
    scopes.sort_unstable();
    assert_eq!(
        scopes,
        [
            list.as_str(),
            "https://www.googleapis.com/auth/userinfo.email",
            "openid"
        ]
    );
    assert!(tokens["refresh_token"].is_string() && tokens["expires_in"] == 3599);
    let (status, again) = exchange(&google, &back["code"]).await;
    assert_eq!(
        (status.as_u16(), &again["error"]),
        (400, &json!("invalid_grant")),
        "a code works once"
    );

    let access = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(verified(&google, &tokens).await["email"], ALICE);
    let (_, info) = answer(http().get(google.userinfo_url()).bearer_auth(&access)).await;
    assert_eq!((&info["email"], &info["name"]), (&json!(ALICE), &Value::Null));
    assert_eq!(info["sub"].as_str().unwrap().len(), 21);
    let client = Client::with_token(&google, &access);
    assert_eq!(client.get("users/me/calendarList").await.0, 200);
    assert_eq!(client.get("calendars/primary/events").await.0, 403);
    assert_eq!(
        press(&google, &ask(&google, &[]), &[("decision", "deny")]).await["error"],
        "access_denied"
    );
}

/// The claims of the id token, checked with the published key by a library that knows nothing of the emulator.
async fn verified(google: &Emulator, tokens: &Value) -> Value {
    let (_, certs) = answer(http().get(format!("{}/oauth2/v3/certs", google.base_url()))).await;
    let certs: jsonwebtoken::jwk::JwkSet = serde_json::from_value(certs).unwrap();
    let id_token = tokens["id_token"].as_str().unwrap();
    let kid = jsonwebtoken::decode_header(id_token).unwrap().kid.unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(certs.find(&kid).unwrap()).unwrap();
    let mut checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    checks.set_audience(&[DEFAULT_CLIENT_ID]);
    checks.set_issuer(&["https://accounts.google.com"]);
    jsonwebtoken::decode::<Value>(id_token, &key, &checks)
        .unwrap()
        .claims
}

#[tokio::test]
async fn the_verifier_the_redirect_uri_and_the_secret_are_enforced() {
    let google = start().await;
    let code = || async {
        press(
            &google,
            &ask(&google, &[]),
            &[("grant", CALENDAR), ("decision", "allow")],
        )
        .await["code"]
            .clone()
    };
    for (verifier, redirect) in [("wrong", REDIRECT), (VERIFIER, "http://localhost:8080/other")] {
        let code = code().await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str().unwrap()),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        assert_eq!(token(&google, &form).await.0, 400, "{verifier} {redirect}");
    }
    let missing = code().await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", missing.as_str().unwrap()),
        ("redirect_uri", REDIRECT),
    ];
    assert_eq!(
        token(&google, &form).await.1["error"],
        "invalid_grant",
        "no verifier"
    );

    let form = [
        ("client_id", DEFAULT_CLIENT_ID),
        ("client_secret", "wrong"),
        ("grant_type", "refresh_token"),
    ];
    assert_eq!(
        answer(http().post(google.token_url()).form(&form)).await.1["error"],
        "invalid_client"
    );
    for (name, value, code) in [
        (
            "redirect_uri",
            "https://evil.example/callback",
            "redirect_uri_mismatch",
        ),
        ("client_id", "other", "invalid_client"),
        ("scope", "https://example.com/everything", "invalid_scope"),
    ] {
        let page = http().get(ask(&google, &[(name, value)])).send().await.unwrap();
        assert_eq!(page.status(), 400, "a page, never a redirect");
        assert!(page.text().await.unwrap().contains(code));
    }
    let plain = http()
        .get(ask(&google, &[("code_challenge_method", "plain")]))
        .send()
        .await
        .unwrap();
    assert_eq!(
        query_of(plain.headers()["location"].to_str().unwrap())["error"],
        "invalid_request"
    );
}

#[tokio::test]
async fn a_second_refresh_token_needs_prompt_consent() {
    let google = start().await;
    let allow = [("grant", CALENDAR), ("decision", "allow")];
    let tokens = |more: &'static [(&str, &str)]| {
        let google = &google;
        async move {
            exchange(google, &press(google, &ask(google, more), &allow).await["code"])
                .await
                .1
        }
    };
    assert!(tokens(&[]).await["refresh_token"].is_string());
    assert!(tokens(&[]).await["refresh_token"].is_null());
    assert!(tokens(&[("prompt", "consent")]).await["refresh_token"].is_string());
    // A granted scope is not requested again when the account is known.
    let silent = http()
        .get(ask(&google, &[("login_hint", ALICE), ("scope", "openid email")]))
        .send()
        .await
        .unwrap();
    assert!(query_of(silent.headers()["location"].to_str().unwrap())["code"].is_string());
    let none = http()
        .get(ask(&google, &[("prompt", "none")]))
        .send()
        .await
        .unwrap();
    assert_eq!(
        query_of(none.headers()["location"].to_str().unwrap())["error"],
        "interaction_required"
    );
}
