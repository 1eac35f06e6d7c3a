//! Texts with a meaning for a database, a page, a header, a log or a path, in every field of every procedure and in every other
//! part of a request. They are in `corpus/hostile_texts.json`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use event_model::text::MAX_TITLE;
use reqwest::header::HeaderValue;

use super::authorisation::{CASES, both_connected};
use super::*;

/// A description, and the text.
fn texts() -> Vec<(String, String)> {
    let corpus: Value = serde_json::from_str(include_str!("../../../corpus/hostile_texts.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let texts: Vec<_> = corpus
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (text(&entry["what"]), text(&entry["text"])))
        .collect();
    assert!(texts.len() >= 60);
    texts
}

/// JSON pointers to the texts of an input.
fn text_fields(input: &Value, at: &str, found: &mut Vec<String>) {
    match input {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                text_fields(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                text_fields(value, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// Asserts an answer of the service that is not a 5xx.
async fn assert_well_formed(what: &str, response: reqwest::Response) -> Value {
    let status = response.status();
    assert!(
        !status.is_server_error(),
        "{what}: {status} {}",
        response.text().await.unwrap()
    );
    assert_eq!(response.headers()["content-type"], "application/json", "{what}");
    let set: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert!(
        set.iter()
            .all(|cookie| cookie.to_str().unwrap().starts_with("calwire_connect=")),
        "{what}: {set:?}"
    );
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        body.get("error").is_some(),
        status.is_client_error(),
        "{what}: {status} {body}"
    );
    if status.is_client_error() {
        let message = body["error"]["message"].as_str().unwrap();
        assert!(!message.is_empty(), "{what}: a refusal says why");
        let inside = [
            "sqlx",
            "postgres",
            "panicked",
            "src/",
            "syntax error",
            "invalid byte sequence",
        ];
        let text = body.to_string();
        assert!(!inside.iter().any(|word| text.contains(word)), "{what}: {text}");
    }
    body
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn hostile_text_in_any_field_never_causes_a_failure(pool: PgPool) {
    let (_google, api, alice) = both_connected(&pool).await;
    let mut tried = 0;
    let of_the_matrix = CASES.iter().map(|(path, _, input)| (*path, input(&alice)));
    // Fields that no row of the matrix has.
    let others = [("calendar.google.exportData", json!({"cursor": "x"}))];
    for (path, input) in of_the_matrix.chain(others) {
        let mut fields = Vec::new();
        text_fields(&input, "", &mut fields);
        for field in fields {
            for (what, text) in texts() {
                let mut input = input.clone();
                *input.pointer_mut(&field).unwrap() = Value::String(text);
                let what = format!("{path} {field}, {what}");
                assert_well_formed(&what, api.post("alice", path, &input).send().await.unwrap()).await;
                tried += 1;
            }
        }
    }
    assert!(tried > 1_500, "{tried}");
    // The tables are intact and alice's calendar is unchanged.
    let list = api
        .query("alice", "calendar.google.listCalendars", Value::Null)
        .await
        .unwrap();
    assert!(
        list["calendars"]
            .as_array()
            .unwrap()
            .iter()
            .any(|calendar| calendar["id"] == alice.calendar.as_str())
    );
}

/// The cursor of an export is base64 of JSON, and so can have texts that no field of a request has.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn hostile_text_in_an_export_cursor_never_causes_a_failure(pool: PgPool) {
    let api = Api::start(pool).await;
    let calendar = uuid::Uuid::nil();
    for (what, text) in texts() {
        for cursor in [
            json!({"Events": [calendar, text]}),
            json!({"EventVersions": [calendar, text, "etag"]}),
            json!({"EventVersions": [calendar, "event", text]}),
        ] {
            let what = format!("{what} in {cursor}");
            let input = json!({"cursor": URL_SAFE_NO_PAD.encode(cursor.to_string())});
            let path = "calendar.google.exportData";
            let body = assert_well_formed(&what, api.post("alice", path, &input).send().await.unwrap()).await;
            assert_eq!(body.get("error").is_some(), text.contains('\0'), "{what}: {body}");
        }
    }
}

/// The fields of an event that people fill in, with each text in all of them.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn user_text_is_stored_verbatim_or_rejected_by_field(pool: PgPool) {
    let (google, api, alice) = both_connected(&pool).await;
    for (n, (what, text)) in texts().into_iter().enumerate() {
        let event = json!({"title": text, "description": text, "location": text,
                           "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z"});
        let input = json!({"idempotencyKey": format!("h{n}"), "calendarId": alice.calendar, "event": event});
        let made = api
            .mutate("alice", "calendar.google.createEvent", input)
            .await
            .unwrap_or_else(|refused| panic!("{what}: {refused}"));
        // Postgres cannot store U+0000, so it is removed everywhere.
        let kept = text.replace('\0', "");
        let id = made["event"]["id"].as_str().unwrap();
        let truth = google.event("alice@example.com", id).unwrap();
        let summary = truth.get("summary").and_then(Value::as_str);
        assert_eq!(summary.unwrap_or_default().replace('\0', ""), kept, "{what}");

        let window = json!({"from": "2026-12-01T09:00:00Z", "to": "2026-12-01T10:00:00Z"});
        let read = api
            .query("alice", "calendar.google.getEvents", window)
            .await
            .unwrap();
        let read = read["events"]
            .as_array()
            .unwrap()
            .iter()
            .find(|event| event["id"] == id);
        let read = read.unwrap_or_else(|| panic!("{what}: not to be read again"));
        let shown = event_model::text::cut(&kept, MAX_TITLE);
        for (field, whole) in [("title", &shown), ("location", &kept), ("description", &kept)] {
            let text = read[field].as_str().unwrap_or_default();
            let is_cut = text
                .strip_suffix('…')
                .is_some_and(|start| whole.starts_with(start));
            assert!(text == whole || is_cut, "{what}, {field}: {text:?}");
        }
    }

    for (field, value) in [
        ("start", json!("' or 1=1 --")),
        ("timeZone", json!("posix/../../../etc/localtime")),
        (
            "recurrence",
            json!(["RRULE:FREQ=DAILY\r\nEXDATE:20261122T120000Z"]),
        ),
        (
            "attendees",
            json!([{"email": "a@example.com\r\nBcc: b@example.com"}]),
        ),
        ("conference", json!("<script>")),
    ] {
        let mut event = json!({"title": "x", "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z"});
        event[field] = value;
        let input = json!({"idempotencyKey": field, "calendarId": alice.calendar, "event": event});
        let refused = api
            .mutate("alice", "calendar.google.createEvent", input)
            .await
            .unwrap_err();
        assert_eq!(refused["code"], "BAD_REQUEST", "{field}: {refused}");
        assert!(refused.to_string().contains(field), "{field}: {refused}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn hostile_text_elsewhere_in_a_request_never_causes_a_failure(pool: PgPool) {
    let api = Api::start(pool).await;
    let status = "calendar.google.status";
    for (what, text) in texts() {
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let encoded = encoded.replace('+', "%20");
        let path = format!("{}/trpc/{encoded}", api.base);
        for request in [
            api.http.get(&path),
            api.http
                .post(&path)
                .header("content-type", "application/json")
                .body("{}"),
            api.http
                .get(format!("{}/trpc/{status}?input={encoded}", api.base)),
            api.http
                .get(format!("{}/trpc/{status},{encoded}?batch=1", api.base)),
            api.http
                .post(format!("{}/trpc/{status}", api.base))
                .body(text.clone()),
        ] {
            let response = request.bearer_auth(api.jwt("alice")).send().await.unwrap();
            let code = response.status();
            assert!(
                !code.is_server_error(),
                "{what}: {code} {}",
                response.text().await.unwrap()
            );
        }
        let orpc = api.http.get(format!(
            "{}/rpc-v1/calendar/google/status?data={encoded}",
            api.base
        ));
        assert!(
            !orpc
                .bearer_auth(api.jwt("alice"))
                .send()
                .await
                .unwrap()
                .status()
                .is_server_error(),
            "{what}"
        );

        // A text that is not a valid header value cannot be sent.
        if let Ok(value) = HeaderValue::from_str(&text) {
            for name in [
                "authorization",
                "origin",
                "cookie",
                "trpc-accept",
                "x-orpc-batch",
                "content-type",
            ] {
                let request = api
                    .http
                    .post(format!("{}/trpc/{status}", api.base))
                    .header(name, value.clone());
                let response = request.body("{}").send().await.unwrap();
                let code = response.status();
                assert!(!code.is_server_error(), "{what} in {name}: {code}");
                assert!(
                    response.headers().get("access-control-allow-origin").is_none(),
                    "{what} in {name}"
                );
            }
        }

        let landed = api
            .back(&format!("state={encoded}&code={encoded}&error={encoded}"), None)
            .await;
        let landed: reqwest::Url = landed.parse().unwrap();
        assert_eq!(landed.origin().ascii_serialization(), APP, "{what}");
        let ours = landed.query().unwrap();
        assert!(
            ["calwire=error&calwire_reason=invalid_state"].contains(&ours),
            "{what}: {ours}"
        );
    }
}
