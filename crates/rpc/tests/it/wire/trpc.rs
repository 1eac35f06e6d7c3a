use insta::assert_snapshot;

use super::*;

async fn send(request: Request) -> String {
    let (caller, outgoing) = alice();
    shown(rpc::trpc::handle(&router(), request, caller, &outgoing).await).await
}

async fn get(target: &str) -> String {
    send(request("GET", target, None)).await
}

async fn post(target: &str, body: &str) -> String {
    send(request("POST", target, Some(body))).await
}

const UPCOMING: &str = "calendar.google.getUpcomingEvents";
const STOP: &str = "calendar.google.stopWatchCalendar";

#[tokio::test]
async fn single_calls() {
    let input = encoded(r#"{"days":7}"#);
    assert_snapshot!(get(&format!("{UPCOMING}?input={input}")).await, @r#"
    200
    {"result":{"data":{"user":"alice","days":7}}}
    "#);
    let default = get(UPCOMING).await;
    assert_snapshot!(default, @r#"
    200
    {"result":{"data":{"user":"alice","days":1}}}
    "#);
    for nothing in [
        get(&format!("{UPCOMING}?input=null")).await,
        get(&format!("{UPCOMING}?input=")).await,
        post(UPCOMING, "").await,
        post(UPCOMING, "null").await,
        post(UPCOMING, "{}").await,
    ] {
        assert_eq!(nothing, default);
    }
    assert_snapshot!(post(UPCOMING, r#"{"days":3}"#).await, @r#"
    200
    {"result":{"data":{"user":"alice","days":3}}}
    "#);
    assert_snapshot!(get("nothing").await, @r#"
    200
    {"result":{}}
    "#);
    assert_snapshot!(post(STOP, r#"{"channelId":"c1"}"#).await, @r#"
    200 set-cookie: stopped=c1
    {"result":{"data":{"success":true}}}
    "#);
}

#[tokio::test]
async fn batches() {
    let input = encoded(r#"{"0":{"days":2},"2":{"days":4}}"#);
    assert_snapshot!(get(&format!("{UPCOMING},nothing,{UPCOMING}?batch=1&input={input}")).await, @r#"
    200
    [{"result":{"data":{"user":"alice","days":2}}},{"result":{}},{"result":{"data":{"user":"alice","days":4}}}]
    "#);
    assert_snapshot!(get("nothing%2Cnothing?batch=1&input=%7B%7D").await, @r#"
    200
    [{"result":{}},{"result":{}}]
    "#);
    assert_snapshot!(get("nothing,forbidden?batch=1&input=%7B%7D").await, @r#"
    207
    [{"result":{}},{"error":{"message":"Not your channel","code":-32003,"data":{"code":"FORBIDDEN","httpStatus":403,"path":"forbidden","reason":"NOT_YOURS"}}}]
    "#);
    assert_snapshot!(get("nope,nope?batch=1").await, @r#"
    404
    [{"error":{"message":"No procedure found on path \"nope\"","code":-32004,"data":{"code":"NOT_FOUND","httpStatus":404,"path":"nope"}}},{"error":{"message":"No procedure found on path \"nope\"","code":-32004,"data":{"code":"NOT_FOUND","httpStatus":404,"path":"nope"}}}]
    "#);
    assert_snapshot!(post(&format!("{STOP},{STOP}?batch=1"), r#"{"0":{"channelId":"a"},"1":{"channelId":"b"}}"#).await, @r#"
    200 set-cookie: stopped=a set-cookie: stopped=b
    [{"result":{"data":{"success":true}}},{"result":{"data":{"success":true}}}]
    "#);
    // An array of inputs is accepted, as the original server does.
    assert_snapshot!(get(&format!("{UPCOMING}?batch=1&input={}", encoded(r#"[{"days":5}]"#))).await, @r#"
    200
    [{"result":{"data":{"user":"alice","days":5}}}]
    "#);
    assert_snapshot!(get(&format!("nothing?batch=1&input={}", encoded(r#""a""#))).await, @r#"
    400
    [{"error":{"message":"\"input\" needs to be an object when doing a batch call","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400,"path":"nothing"}}}]
    "#);
}

#[tokio::test]
async fn a_malformed_batch_is_one_error() {
    assert_snapshot!(post(&format!("{UPCOMING},{STOP}?batch=1"), "{}").await, @r#"
    400
    {"error":{"message":"Cannot mix procedure types in call: query, mutation","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400}}}
    "#);
    let twenty = ["nothing"; 20].join(",");
    assert!(get(&format!("{twenty}?batch=1")).await.starts_with("200"));
    assert_snapshot!(get(&format!("{twenty},nothing?batch=1")).await, @r#"
    400
    {"error":{"message":"Batch call exceeds maximum size","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400}}}
    "#);
}

#[tokio::test]
async fn a_batch_streams_as_jsonl() {
    let jsonl = |method, target: &str, body| Request {
        accept: Some("application/jsonl".into()),
        ..request(method, target, body)
    };
    assert_snapshot!(send(jsonl("GET", "nothing?batch=1", None)).await, @r#"
    200
    {"0":[[0],[null,0,0]]}
    [0,0,[[{"result":{}}]]]
    "#);
    let answer = send(jsonl("GET", &format!("{UPCOMING},nope?batch=1"), None)).await;
    let (head, lines) = answer.split_once("]}\n").unwrap();
    assert_eq!(head, "200\n{\"0\":[[0],[null,0,0]],\"1\":[[0],[null,0,1]");
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            r#"[0,0,[[{"result":{"data":{"user":"alice","days":1}}}]]]"#,
            r#"[1,0,[[{"error":{"message":"No procedure found on path \"nope\"","code":-32004,"data":{"code":"NOT_FOUND","httpStatus":404,"path":"nope"}}}]]]"#,
        ]
    );
    // The headers of a mutation are not lost to the first line.
    assert_snapshot!(send(jsonl("POST", &format!("{STOP}?batch=1"), Some(r#"{"0":{"channelId":"c"}}"#))).await, @r#"
    200 set-cookie: stopped=c
    {"0":[[0],[null,0,0]]}
    [0,0,[[{"result":{"data":{"success":true}}}]]]
    "#);
    assert_snapshot!(send(jsonl("GET", "nothing", None)).await, @r#"
    400
    {"error":{"message":"Streaming requests must be batched (you can do a batch of 1)","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400}}}
    "#);
}

#[tokio::test]
async fn invalid_inputs_are_answered_with_their_path() {
    assert_snapshot!(post(UPCOMING, r#"{"days":"x"}"#).await, @r#"
    400
    {"error":{"message":"Input validation failed: days: invalid type: string \"x\", expected u16","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400,"path":"calendar.google.getUpcomingEvents","issues":[{"path":"days","message":"invalid type: string \"x\", expected u16"}]}}}
    "#);
    assert_snapshot!(post(UPCOMING, r#"{"admin":true}"#).await, @r#"
    400
    {"error":{"message":"Input validation failed: admin: unknown field `admin`, expected `days` or `calendarIds`","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400,"path":"calendar.google.getUpcomingEvents","issues":[{"path":"admin","message":"unknown field `admin`, expected `days` or `calendarIds`"}]}}}
    "#);
    assert_snapshot!(post(UPCOMING, r#"{"calendarIds":["a",1]}"#).await.lines().next().unwrap(), @"400");
    assert!(
        post(UPCOMING, r#"{"calendarIds":["a",1]}"#)
            .await
            .contains(r#""path":"calendarIds[1]""#)
    );
    assert_snapshot!(post(UPCOMING, "[7]").await, @r#"
    400
    {"error":{"message":"Input validation failed: expected an object","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400,"path":"calendar.google.getUpcomingEvents","issues":[{"path":"","message":"expected an object"}]}}}
    "#);
    assert_snapshot!(post(STOP, "").await, @r#"
    400
    {"error":{"message":"Input validation failed: missing field `channelId`","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400,"path":"calendar.google.stopWatchCalendar","issues":[{"path":"","message":"missing field `channelId`"}]}}}
    "#);
    assert_snapshot!(post(UPCOMING, "{").await, @r#"
    400
    {"error":{"message":"EOF while parsing an object at line 1 column 1","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400,"path":"calendar.google.getUpcomingEvents"}}}
    "#);
}

#[tokio::test]
async fn malformed_requests_are_rejected() {
    assert_snapshot!(get("calendar.google.nope").await, @r#"
    404
    {"error":{"message":"No procedure found on path \"calendar.google.nope\"","code":-32004,"data":{"code":"NOT_FOUND","httpStatus":404,"path":"calendar.google.nope"}}}
    "#);
    assert_snapshot!(get(STOP).await, @r#"
    405 allow: POST
    {"error":{"message":"Unsupported GET-request to mutation procedure at path \"calendar.google.stopWatchCalendar\"","code":-32005,"data":{"code":"METHOD_NOT_SUPPORTED","httpStatus":405,"path":"calendar.google.stopWatchCalendar"}}}
    "#);
    assert_snapshot!(send(request("PUT", "nothing", Some("{}"))).await, @r#"
    405 allow: GET, POST
    {"error":{"message":"Unsupported PUT-request to query procedure at path \"nothing\"","code":-32005,"data":{"code":"METHOD_NOT_SUPPORTED","httpStatus":405,"path":"nothing"}}}
    "#);
    assert_snapshot!(send(request("POST", "nothing", None)).await, @r#"
    415
    {"error":{"message":"Missing content-type header","code":-32015,"data":{"code":"UNSUPPORTED_MEDIA_TYPE","httpStatus":415}}}
    "#);
    let plain = Request {
        content_type: Some("text/plain".into()),
        ..request("POST", "nothing", Some("{}"))
    };
    assert_snapshot!(send(plain).await, @r#"
    415
    {"error":{"message":"Unsupported content-type \"text/plain","code":-32015,"data":{"code":"UNSUPPORTED_MEDIA_TYPE","httpStatus":415}}}
    "#);
    assert_snapshot!(get("calendar%zz").await, @r#"
    400
    {"error":{"message":"Invalid URL-encoding in path \"calendar%zz\"","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400}}}
    "#);
    assert_snapshot!(get(&"x".repeat(5_000)).await, @r#"
    400
    {"error":{"message":"Path too long","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400}}}
    "#);
    assert_snapshot!(send(request("HEAD", "nothing", None)).await, @"204");
    let large = Request {
        body: Err(RpcError::of(Code::PayloadTooLarge)),
        ..request("POST", "nothing,nothing?batch=1", Some("{}"))
    };
    assert_snapshot!(send(large).await, @r#"
    413
    {"error":{"message":"PAYLOAD_TOO_LARGE","code":-32013,"data":{"code":"PAYLOAD_TOO_LARGE","httpStatus":413}}}
    "#);
}

/// Also in the form of superjson, because only the input would show whether the client has a transformer.
#[tokio::test]
async fn unauthenticated_and_rate_limited_requests() {
    let refuse = async |error: RpcError, request: Request| shown(rpc::trpc::refuse(&request, &error)).await;
    let unauthorized = async |request: Request| refuse(RpcError::of(Code::Unauthorized), request).await;
    assert_snapshot!(unauthorized(request("GET", "not%68ing", None)).await, @r#"
    401
    {"error":{"message":"UNAUTHORIZED","code":-32001,"data":{"code":"UNAUTHORIZED","httpStatus":401,"path":"nothing"},"json":{"message":"UNAUTHORIZED","code":-32001,"data":{"code":"UNAUTHORIZED","httpStatus":401,"path":"nothing"}}}}
    "#);
    let of_many = r#"401
{"error":{"message":"UNAUTHORIZED","code":-32001,"data":{"code":"UNAUTHORIZED","httpStatus":401},"json":{"message":"UNAUTHORIZED","code":-32001,"data":{"code":"UNAUTHORIZED","httpStatus":401}}}}"#;
    for path in [
        "nothing,nothing?batch=1",
        "nothing%2Cnothing?batch=1",
        "%zz",
        &"x".repeat(5_000),
    ] {
        assert_eq!(unauthorized(request("GET", path, None)).await, of_many, "{path}");
    }
    let streamed = |method: &str, target: &str| Request {
        accept: Some("application/jsonl".into()),
        ..request(method, target, None)
    };
    assert_snapshot!(unauthorized(streamed("POST", "nothing?batch=1")).await, @r#"
    200
    {"0":[[{"error":{"message":"UNAUTHORIZED","code":-32001,"data":{"code":"UNAUTHORIZED","httpStatus":401,"path":"nothing"}}}]],"json":[[[{"error":{"message":"UNAUTHORIZED","code":-32001,"data":{"code":"UNAUTHORIZED","httpStatus":401,"path":"nothing"}}}]]]}
    "#);
    assert_snapshot!(unauthorized(streamed("GET", "a,b?batch=1&input=%7B%7D")).await, @r#"
    200
    {"0":[[0],[null,0,0]],"1":[[0],[null,0,1]]}
    [0,0,[[{"error":{"message":"UNAUTHORIZED","code":-32001,"data":{"code":"UNAUTHORIZED","httpStatus":401,"path":"a"}}}]]]
    [1,0,[[{"error":{"message":"UNAUTHORIZED","code":-32001,"data":{"code":"UNAUTHORIZED","httpStatus":401,"path":"b"}}}]]]
    "#);
    let superjson = unauthorized(streamed(
        "GET",
        "a,b?batch=1&input=%7B%220%22%3A%7B%22json%22%3A1%7D%7D",
    ))
    .await;
    assert!(superjson.starts_with("200\n{\"json\":{\"0\":[[0]"), "{superjson}");
    assert_eq!(unauthorized(streamed("POST", "a,b?batch=1")).await, of_many);
    let often = RpcError::of(Code::TooManyRequests).with_retry_after(std::time::Duration::from_millis(1500));
    let often = refuse(often, request("GET", "nothing", None)).await;
    assert_snapshot!(often.lines().next().unwrap(), @"429 retry-after: 2");
}

#[tokio::test(start_paused = true)]
async fn internal_errors_leak_no_text() {
    let internal = r#"500
{"error":{"message":"INTERNAL_SERVER_ERROR","code":-32603,"data":{"code":"INTERNAL_SERVER_ERROR","httpStatus":500,"path":"PATH"}}}"#;
    assert_eq!(get("leak").await, internal.replace("PATH", "leak"));
    assert_eq!(get("panicking").await, internal.replace("PATH", "panicking"));
    assert_snapshot!(get("restarting").await, @r#"
    503 retry-after: 1
    {"error":{"message":"SERVICE_UNAVAILABLE","code":-32603,"data":{"code":"SERVICE_UNAVAILABLE","httpStatus":503,"path":"restarting"}}}
    "#);
    assert_snapshot!(get("hang").await, @r#"
    408
    {"error":{"message":"TIMEOUT","code":-32008,"data":{"code":"TIMEOUT","httpStatus":408,"path":"hang"}}}
    "#);
}

#[test]
fn codes_match_trpc() {
    let table: Vec<_> = Code::ALL
        .iter()
        .map(|code| format!("{} {} {}", code.name(), code.json_rpc(), code.status()))
        .collect();
    // From @trpc/server 11.25.2.
    assert_eq!(
        table.join("\n"),
        "PARSE_ERROR -32700 400\nBAD_REQUEST -32600 400\nUNAUTHORIZED -32001 401\nPAYMENT_REQUIRED -32002 402\n\
         FORBIDDEN -32003 403\nNOT_FOUND -32004 404\nMETHOD_NOT_SUPPORTED -32005 405\nTIMEOUT -32008 408\n\
         CONFLICT -32009 409\nPRECONDITION_FAILED -32012 412\nPAYLOAD_TOO_LARGE -32013 413\n\
         UNSUPPORTED_MEDIA_TYPE -32015 415\nUNPROCESSABLE_CONTENT -32022 422\nPRECONDITION_REQUIRED -32028 428\n\
         TOO_MANY_REQUESTS -32029 429\nCLIENT_CLOSED_REQUEST -32099 499\nINTERNAL_SERVER_ERROR -32603 500\n\
         NOT_IMPLEMENTED -32603 501\nBAD_GATEWAY -32603 502\nSERVICE_UNAVAILABLE -32603 503\n\
         GATEWAY_TIMEOUT -32603 504"
    );
}

#[test]
fn procedures_have_typescript_signatures() {
    let (router, config) = (router(), ts_rs::Config::default());
    let types: Vec<_> = router
        .procedures()
        .map(|procedure| {
            let (input, output) = (procedure.input_type(&config), procedure.output_type(&config));
            format!(
                "{} {}: {input} -> {output}",
                procedure.kind.name(),
                procedure.path
            )
        })
        .collect();
    assert_eq!(
        types[..2],
        [
            "query calendar.google.getUpcomingEvents: Upcoming -> Answer",
            "mutation calendar.google.stopWatchCalendar: Stop -> Stopped",
        ]
    );
}

/// As `@trpc/client` with `transformer: superjson` sends and reads them.
#[tokio::test]
async fn superjson_clients_are_answered_in_their_form() {
    let input = encoded(r#"{"json":{"days":7}}"#);
    assert_snapshot!(get(&format!("{UPCOMING}?input={input}")).await, @r#"
    200
    {"result":{"data":{"json":{"user":"alice","days":7}}}}
    "#);
    let none = encoded(r#"{"json":null,"meta":{"values":["undefined"]}}"#);
    assert_snapshot!(get(&format!("{UPCOMING}?input={none}")).await, @r#"
    200
    {"result":{"data":{"json":{"user":"alice","days":1}}}}
    "#);
    assert_snapshot!(get(&format!("nothing?input={none}")).await, @r#"
    200
    {"result":{"data":{"json":null}}}
    "#);
    let missing = get(&format!("missing?input={none}")).await;
    assert!(
        missing.contains(r#"{"error":{"json":{"message":"No procedure found on path \"missing\"""#),
        "{missing}"
    );
    let batch = encoded(r#"{"0":{"json":{"days":2}},"1":{"json":null,"meta":{"values":["undefined"]}}}"#);
    let target = format!("{UPCOMING},{UPCOMING}?batch=1&input={batch}");
    assert_snapshot!(get(&target).await, @r#"
    200
    [{"result":{"data":{"json":{"user":"alice","days":2}}}},{"result":{"data":{"json":{"user":"alice","days":1}}}}]
    "#);
    let mut streamed = request("GET", &target, None);
    streamed.accept = Some("application/jsonl".to_owned());
    let lines = send(streamed).await;
    assert!(
        lines.contains(r#"{"json":{"0":[[0],[null,0,0]],"1":[[0],[null,0,1]]}}"#),
        "{lines}"
    );
    assert!(
        lines.contains(r#"{"json":[0,0,[[{"result":{"data":{"user":"alice","days":2}}}]]]}"#),
        "{lines}"
    );
}
