use insta::assert_snapshot;

use super::*;

async fn send(request: Request) -> String {
    let (caller, outgoing) = alice();
    shown(rpc::orpc::handle(&router(), "/rpc-v1", request, caller, &outgoing).await).await
}

async fn get(target: &str) -> String {
    send(request("GET", target, None)).await
}

async fn post(target: &str, body: &str) -> String {
    send(request("POST", target, Some(body))).await
}

const UPCOMING: &str = "calendar/google/getUpcomingEvents";
const STOP: &str = "calendar/google/stopWatchCalendar";

#[tokio::test]
async fn single_calls() {
    assert_snapshot!(post(UPCOMING, r#"{"json":{"days":3}}"#).await, @r#"
    200
    {"json":{"user":"alice","days":3}}
    "#);
    assert_snapshot!(post(UPCOMING, r#"{"json":{"days":"3"},"meta":[[0,"days"]]}"#).await, @r#"
    200
    {"json":{"user":"alice","days":3}}
    "#);
    assert_snapshot!(post(UPCOMING, "{}").await, @r#"
    200
    {"json":{"user":"alice","days":1}}
    "#);
    assert_snapshot!(get(&format!("{UPCOMING}?data={}", encoded(r#"{"json":{"days":4}}"#))).await, @r#"
    200
    {"json":{"user":"alice","days":4}}
    "#);
    assert_snapshot!(post("nothing", "{}").await, @r#"
    200
    {}
    "#);
    assert_snapshot!(post(STOP, r#"{"json":{"channelId":"c"}}"#).await, @r#"
    200 set-cookie: stopped=c
    {"json":{"success":true}}
    "#);
}

#[tokio::test]
async fn errors_have_at_most_five_keys() {
    assert_snapshot!(post("forbidden", "{}").await, @r#"
    403
    {"json":{"defined":true,"code":"FORBIDDEN","status":403,"message":"Not your channel","data":{"reason":"NOT_YOURS"}}}
    "#);
    assert_snapshot!(post(UPCOMING, r#"{"json":{"days":-1}}"#).await, @r#"
    400
    {"json":{"defined":false,"code":"BAD_REQUEST","status":400,"message":"Input validation failed: days: invalid value: integer `-1`, expected u16","data":{"issues":[{"path":"days","message":"invalid value: integer `-1`, expected u16"}]}}}
    "#);
    assert_snapshot!(post("leak", "{}").await, @r#"
    500
    {"json":{"defined":false,"code":"INTERNAL_SERVER_ERROR","status":500,"message":"Internal server error"}}
    "#);
    assert_snapshot!(post("calendar/google/nope", "{}").await, @r#"
    404
    {"json":{"defined":false,"code":"NOT_FOUND","status":404,"message":"No procedure found on path \"calendar.google.nope\""}}
    "#);
    assert_snapshot!(get(STOP).await, @r#"
    405 allow: POST
    {"json":{"defined":false,"code":"METHOD_NOT_SUPPORTED","status":405,"message":"Method Not Supported"}}
    "#);
    assert_snapshot!(send(request("PUT", "nothing", Some("{}"))).await.lines().next().unwrap(), @"405 allow: GET, POST");
    for malformed in [
        "{",
        "[]",
        r#"{"json":{},"meta":1}"#,
        r#"{"json":{},"meta":[[1,"x"]]}"#,
    ] {
        let answer = post(UPCOMING, malformed).await;
        assert!(
            answer.starts_with("400\n") && answer.contains(r#""message":"Malformed request."#),
            "{answer}"
        );
    }
    assert_snapshot!(get(&format!("{UPCOMING}?data=%7B")).await.lines().next().unwrap(), @"400");
    assert_snapshot!(get("calendar/%zz").await.lines().next().unwrap(), @"400");
    assert_snapshot!(send(request("POST", "nothing", None)).await, @r#"
    415
    {"json":{"defined":false,"code":"UNSUPPORTED_MEDIA_TYPE","status":415,"message":"Unsupported Media Type"}}
    "#);
    assert_snapshot!(get(&"x".repeat(5_000)).await, @r#"
    400
    {"json":{"defined":false,"code":"BAD_REQUEST","status":400,"message":"Path too long"}}
    "#);
    assert_snapshot!(send(request("HEAD", "nothing", None)).await, @"204");

    let unauthorized = RpcError::of(Code::Unauthorized);
    let of_a_batch = Request {
        orpc_batch: Some("streaming".into()),
        ..request("POST", "__batch__", None)
    };
    let refused = shown(rpc::orpc::refuse(&of_a_batch, &unauthorized)).await;
    assert!(refused.starts_with(
        r#"401
[{"index":0,"status":401,"body":{"json":{"defined":false,"code":"UNAUTHORIZED""#
    ));
    assert_eq!(refused.matches("index").count(), 20);
    let refused = rpc::orpc::refuse(&request("POST", "nothing", None), &unauthorized);
    assert_snapshot!(shown(refused).await, @r#"
    401
    {"json":{"defined":false,"code":"UNAUTHORIZED","status":401,"message":"Unauthorized"}}
    "#);
}

#[tokio::test]
async fn batches() {
    let batched = |mode: &str, method, target: &str, body| Request {
        orpc_batch: Some(mode.into()),
        ..request(method, target, body)
    };
    let items = r#"[
        {"url":"http://localhost/rpc-v1/calendar/google/getUpcomingEvents","body":{"json":{"days":3}}},
        {"url":"http://localhost/rpc-v1/calendar/google/stopWatchCalendar","body":{"json":{"channelId":"c"}}},
        {"url":"http://localhost/rpc-v1/forbidden","body":{}},
        {"url":"http://elsewhere/other","body":{}}
    ]"#;
    assert_snapshot!(send(batched("buffered", "POST", "__batch__", Some(items))).await, @r#"
    207 set-cookie: stopped=c
    [{"index":0,"status":200,"body":{"json":{"user":"alice","days":3}}},{"index":1,"status":200,"body":{"json":{"success":true}}},{"index":2,"status":403,"body":{"json":{"defined":true,"code":"FORBIDDEN","status":403,"message":"Not your channel","data":{"reason":"NOT_YOURS"}}}},{"index":3,"status":404,"body":{"json":{"defined":false,"code":"NOT_FOUND","status":404,"message":"Not Found"}}}]
    "#);
    let one = r#"[{"url":"http://localhost/rpc-v1/nothing","body":{}}]"#;
    assert_snapshot!(send(batched("streaming", "POST", "__batch__", Some(one))).await, @r#"
    207 content-type: text/event-stream
    event: message
    data: {"index":0,"status":200,"body":{}}

    event: done
    "#);
    let by_get = encoded(
        r#"[{"url":"http://localhost/rpc-v1/nothing"},{"url":"http://localhost/rpc-v1/calendar/google/stopWatchCalendar","method":"POST","body":{"json":{"channelId":"c"}}}]"#,
    );
    assert_snapshot!(send(batched("buffered", "GET", &format!("__batch__?batch={by_get}"), None)).await, @r#"
    207
    [{"index":0,"status":200,"body":{}},{"index":1,"status":405,"body":{"json":{"defined":false,"code":"METHOD_NOT_SUPPORTED","status":405,"message":"Method Not Supported"}}}]
    "#);
    let many = format!("[{}]", [&one[1..one.len() - 1]; 21].join(","));
    assert_snapshot!(send(batched("buffered", "POST", "__batch__", Some(&many))).await, @r#"
    400
    {"json":{"defined":false,"code":"BAD_REQUEST","status":400,"message":"Batch call exceeds maximum size"}}
    "#);
}
