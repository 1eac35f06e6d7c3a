//! The common behaviour of all procedures.

use super::*;

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn unauthenticated_calls_get_the_same_answer_everywhere(pool: PgPool) {
    let api = Api::start(pool).await;
    let good = api.jwt("alice");
    let tokens = [None, Some("x"), Some(""), Some(&good[..good.len() - 2])];
    for procedure in calendar_api::procedures::router().procedures() {
        for token in tokens {
            let url = format!("{}/trpc/{}", api.base, procedure.path);
            let mut request = api
                .http
                .post(url)
                .header("content-type", "application/json")
                .body("{}");
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401);
            let cache_control = response.headers()["cache-control"].to_str().unwrap();
            assert!(cache_control.starts_with("no-store"), "{cache_control}");
            let body: Value = response.json().await.unwrap();
            assert_eq!(body, unauthorized(procedure.path));

            let url = format!("{}/rpc-v1/{}", api.base, procedure.path.replace('.', "/"));
            let request = api
                .http
                .post(url)
                .header("content-type", "application/json")
                .body("{}");
            let response = request.bearer_auth(token.unwrap_or("none")).send().await.unwrap();
            assert_eq!(response.status(), 401);
            let body: Value = response.json().await.unwrap();
            let expected = json!({"json": {"defined": false, "code": "UNAUTHORIZED", "status": 401, "message": "Unauthorized"}});
            assert_eq!(body, expected);
        }
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_procedure_rejects_unknown_fields(pool: PgPool) {
    let api = Api::start(pool).await;
    for procedure in calendar_api::procedures::router().procedures() {
        let refused = api
            .mutate("alice", procedure.path, json!({"isAdmin": true}))
            .await
            .unwrap_err();
        assert_eq!(refused["code"], "BAD_REQUEST", "{}", procedure.path);
        let issue = &refused["issues"][0];
        assert!(
            issue["path"] == "isAdmin" && issue["message"].as_str().unwrap().contains("unknown field"),
            "{refused}"
        );
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_rate_limit_is_per_user(pool: PgPool) {
    let api = Api::start_with(pool, &[("RATE_LIMIT_PER_MINUTE", "5")]).await;
    for _ in 0..5 {
        api.query("alice", "calendar.google.status", Value::Null)
            .await
            .unwrap();
    }
    let response = api
        .get("alice", "calendar.google.status", &Value::Null)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "12");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["data"]["code"], "TOO_MANY_REQUESTS");
    api.query("bob", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    api.clock.advance(TimeDelta::seconds(12));
    api.query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_call_of_a_batch_is_counted(pool: PgPool) {
    let api = Api::start_with(pool, &[("RATE_LIMIT_PER_MINUTE", "5")]).await;
    let status = "calendar.google.status";
    let batch = [status; 7].join(",");
    let url = format!("{}/trpc/{batch}?batch=1", api.base);
    let response = api
        .http
        .get(url)
        .bearer_auth(api.jwt("alice"))
        .send()
        .await
        .unwrap();
    let answers: Vec<Value> = response.json().await.unwrap();
    let refused = answers
        .iter()
        .filter(|answer| answer["error"]["data"]["code"] == "TOO_MANY_REQUESTS");
    assert_eq!(refused.count(), 2, "{answers:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn only_configured_origins_may_call(pool: PgPool) {
    let api = Api::start(pool).await;
    let preflight = async |origin: &'static str, headers: &'static str| {
        let url = format!("{}/trpc/calendar.google.connect", api.base);
        let request = api
            .http
            .request(reqwest::Method::OPTIONS, url)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", headers);
        request.send().await.unwrap()
    };
    let allowed = preflight(
        APP,
        "content-type,authorization,trpc-accept,x-orpc-batch,x-csrf-token,last-event-id",
    )
    .await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], APP);
    assert_eq!(allowed.headers()["access-control-allow-credentials"], "true");
    for (origin, headers) in [
        ("https://evil.example", "content-type"),
        (APP, "x-evil"),
        ("null", "content-type"),
    ] {
        let refused = preflight(origin, headers).await;
        assert!(
            refused.headers().get("access-control-allow-origin").is_none(),
            "{origin} {headers}"
        );
    }
    // An error has the headers, too, or a page could not read it.
    let request = api
        .http
        .get(format!("{}/trpc/nope", api.base))
        .header("origin", APP);
    let response = request.send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["access-control-allow-origin"]
        ),
        (401, &APP.parse().unwrap())
    );
    let vary = format!(
        "{:?}",
        response.headers().get_all("vary").iter().collect::<Vec<_>>()
    )
    .to_lowercase();
    assert!(vary.contains("trpc-accept") && vary.contains("origin"), "{vary}");
}

/// An unknown procedure's name is repeated in the answer: an attacker's text beside the token.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_answer_with_a_token_is_never_compressed(pool: PgPool) {
    let api = Api::start(pool).await;
    // This client does not decompress.
    let http = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let token = "realtime.getConnectionToken";
    let long = "x".repeat(2_000);
    for (path, status, compressed) in [
        (long.clone(), 404, true),
        (format!("{long},calendar.google.status"), 207, true),
        (format!("{long},{token}"), 207, false),
        (format!("{token},{long}"), 207, false),
    ] {
        let batch = if path.contains(',') { "?batch=1" } else { "" };
        for coding in ["gzip", "zstd"] {
            let request = http
                .get(format!("{}/trpc/{path}{batch}", api.base))
                .bearer_auth(api.jwt("alice"))
                .header("accept-encoding", coding)
                .header("origin", APP);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            let headers = response.headers();
            let vary = headers["vary"].to_str().unwrap();
            assert!(
                vary.contains("accept-encoding") && vary.contains("Origin"),
                "{vary}"
            );
            let encoding = headers.get("content-encoding");
            assert_eq!(encoding.is_some_and(|name| name == coding), compressed, "{path}");
            assert!(
                compressed || headers["cache-control"] == "no-store, no-transform",
                "{path}"
            );
            let len = response.bytes().await.unwrap().len();
            assert_eq!(len < 1_000, compressed, "{len}");
        }
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn health_endpoints_answer_and_unknown_paths_are_404(pool: PgPool) {
    let api = Api::start(pool).await;
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/", 404),
        ("/admin", 404),
        ("/oauth/google", 404),
    ] {
        let response = api.http.get(format!("{}{path}", api.base)).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
}
