//! RPC requests, in both protocols: a line `GET /path?query` and then the body. The handlers' database is closed, so valid
//! input is answered with 503, and no input with 500.

use futures_util::StreamExt;
use rpc::http::{Body, Request, Response};

use crate::Target;
use crate::fixture::block_on;

pub const TARGET: Target = Target {
    name: "rpc",
    run,
    words: &[
        "POST ",
        "GET ",
        "/calendar.google.getEvents",
        "/calendar/google/getEvents",
        "/calendar.google.createEvent",
        "/realtime.getSubscriptionToken",
        ",calendar.google.status",
        "/__batch__",
        "?batch=1",
        "&input=",
        "?data=",
        "%7B%22days%22%3A1%7D",
        r#"{"json":"#,
        r#","meta":[[1,"json"]]"#,
        r#"{"0":{"calendarIds":["#,
        r#""01890a5d-ac96-774b-bcce-b302099a8057""#,
        r#""idempotencyKey":"k","#,
        r#""patch":{"recurrence":["RRULE:FREQ=DAILY"]}"#,
        "\n",
    ],
};

/// Every status that a request may be answered with.
const STATUSES: [u16; 14] = [
    200, 204, 207, 400, 401, 403, 404, 405, 408, 412, 413, 415, 429, 503,
];

fn run(data: &[u8]) {
    let (line, body) = match data.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &data[data.len()..]),
    };
    let line = String::from_utf8_lossy(line);
    let (method, target) = line.split_once(' ').unwrap_or(("POST", &line));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = || Request {
        method: method.to_owned(),
        path: path.strip_prefix('/').unwrap_or(path).to_owned(),
        query: query.to_owned(),
        content_type: Some("application/json".to_owned()),
        accept: body
            .first()
            .filter(|&&byte| byte == b' ')
            .map(|_| "application/jsonl".to_owned()),
        orpc_batch: path.ends_with("__batch__").then(|| "buffered".to_owned()),
        body: Ok(body.to_vec().into()),
    };
    block_on(async |fixture| {
        let (alice, outgoing) = fixture.alice();
        let answer = rpc::trpc::handle(&fixture.router, request(), alice.clone(), &outgoing).await;
        assert_answer("tRPC", answer).await;
        let answer = rpc::orpc::handle(&fixture.router, "/rpc-v1", request(), alice, &outgoing).await;
        assert_answer("oRPC", answer).await;
    });
}

async fn assert_answer(protocol: &str, response: Response) {
    assert!(
        STATUSES.contains(&response.status),
        "{protocol}: {}",
        response.status
    );
    let (body, is_whole) = match response.body {
        Body::Empty => return,
        Body::Full(bytes) => (bytes.to_vec(), true),
        Body::Stream(parts) => (parts.collect::<Vec<_>>().await.concat(), false),
    };
    let text = String::from_utf8_lossy(&body);
    assert!(!text.contains("INTERNAL_SERVER_ERROR"), "{protocol}: {text}");
    let is_json = response
        .headers
        .iter()
        .any(|(name, value)| *name == "content-type" && value == "application/json");
    if is_json && is_whole {
        assert!(
            serde_json::from_str::<serde_json::Value>(&text).is_ok(),
            "{protocol}: {text}"
        );
    }
}
