//! The actix adapter: mounts, escapes, body limits and streams.

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::{ConnectionType, header};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpRequest};

use super::*;

async fn context(request: HttpRequest, outgoing: ResponseHeaders) -> Result<Caller, RpcError> {
    let user = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    Ok(Caller {
        user: user.ok_or(RpcError::of(Code::Unauthorized))?.to_owned(),
        outgoing,
    })
}

async fn send(request: TestRequest) -> (u16, String, String) {
    let app = init_service(App::new().configure(|config| {
        rpc::actix::mount(config, &router(), "/trpc", &["/rpc", "/rpc-v1"], context);
    }))
    .await;
    let request = request.insert_header((header::AUTHORIZATION, "alice"));
    let response = call_service(&app, request.to_request()).await;
    let status = response.status().as_u16();
    let headers = format!("{:?}", response.headers());
    let body = read_body(response).await;
    (status, headers, String::from_utf8_lossy(&body).into_owned())
}

#[actix_web::test]
async fn both_protocols_are_mounted_and_escapes_arrive_unchanged() {
    let (status, headers, body) = send(TestRequest::get().uri("/trpc/nothing%2Cnothing?batch=1")).await;
    assert_eq!((status, body.as_str()), (200, r#"[{"result":{}},{"result":{}}]"#));
    assert!(headers.contains("no-store"), "{headers}");
    let (status, _, body) = send(TestRequest::get().uri("/rpc/calendar/google/getUpcomingEvents")).await;
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"json":{"user":"alice","days":1}}"#)
    );
    let (status, _, body) = send(TestRequest::get().uri("/rpc-v1/nothing")).await;
    assert_eq!((status, body.as_str()), (200, "{}"));
    let (status, _, body) = send(TestRequest::get().uri("/trpc/calendar%zz")).await;
    assert!(status == 400 && body.contains("Invalid URL-encoding"), "{body}");
    for uri in ["/trpc", "/trpc/"] {
        let (status, _, body) = send(TestRequest::get().uri(uri)).await;
        assert!(status == 404 && body.contains("NOT_FOUND"), "{uri}: {body}");
    }
}

#[actix_web::test]
async fn a_too_large_body_is_rejected_in_the_envelope() {
    let large = "x".repeat(rpc::actix::BODY_MAX_LEN + 1);
    for (uri, envelope) in [
        ("/trpc/nothing", r#"{"error":{"message":"Request body too large"#),
        (
            "/rpc/nothing",
            r#"{"json":{"defined":false,"code":"PAYLOAD_TOO_LARGE","status":413"#,
        ),
    ] {
        let request = TestRequest::post()
            .uri(uri)
            .insert_header(("content-type", "application/json"));
        let (status, _, body) = send(request.set_payload(large.clone())).await;
        assert!(status == 413 && body.starts_with(envelope), "{status} {body}");
    }
}

#[actix_web::test]
async fn a_streamed_batch_arrives_whole() {
    let request = TestRequest::get()
        .uri("/trpc/nothing?batch=1")
        .insert_header(("trpc-accept", "application/jsonl"));
    let (status, _, body) = send(request).await;
    assert_eq!(status, 200);
    assert_eq!(body, "{\"0\":[[0],[null,0,0]]}\n[0,0,[[{\"result\":{}}]]]\n");
}

#[actix_web::test]
async fn a_body_that_times_out_is_rejected_in_the_envelope() {
    let app = init_service(App::new().configure(|config| {
        rpc::actix::mount(config, &router(), "/trpc", &["/rpc-v1"], context);
    }))
    .await;
    tokio::time::pause();
    for (uri, envelope) in [
        (
            "/trpc/nothing",
            r#"{"error":{"message":"Timed out reading the request body","code":-32008"#,
        ),
        (
            "/rpc-v1/nothing",
            r#"{"json":{"defined":false,"code":"TIMEOUT","status":408"#,
        ),
    ] {
        let request = TestRequest::post()
            .uri(uri)
            .insert_header(("content-type", "application/json"))
            .insert_header((header::AUTHORIZATION, "alice"))
            .to_request();
        let never = futures_util::stream::pending::<Result<bytes::Bytes, PayloadError>>();
        let payload: Payload = Payload::Stream {
            payload: Box::pin(never),
        };
        let (request, _) = request.replace_payload(payload);
        let response = call_service(&app, request).await;
        assert_eq!(response.status(), 408);
        let body = read_body(response).await;
        let body = String::from_utf8_lossy(&body);
        assert!(body.starts_with(envelope), "{body}");
    }
}

#[actix_web::test]
async fn an_unauthenticated_request_is_refused_before_its_body() {
    let app = init_service(App::new().configure(|config| {
        rpc::actix::mount(config, &router(), "/trpc", &["/rpc-v1"], context);
    }))
    .await;
    for (uri, orpc_batch, announced) in [
        ("/trpc/nothing", false, ("content-length", "250000")),
        (
            "/trpc/nothing,nothing?batch=1",
            false,
            ("transfer-encoding", "chunked"),
        ),
        ("/rpc-v1/nothing", false, ("content-length", "250000")),
        ("/rpc-v1/__batch__", true, ("transfer-encoding", "chunked")),
    ] {
        let mut request = TestRequest::post()
            .uri(uri)
            .insert_header(("content-type", "application/json"))
            .insert_header(announced);
        if orpc_batch {
            request = request.insert_header(("x-orpc-batch", "buffered"));
        }
        let unread = futures_util::stream::poll_fn(|_| panic!("the body was read"));
        let payload: Payload = Payload::Stream {
            payload: Box::pin(unread),
        };
        let (request, _) = request.to_request().replace_payload(payload);
        let response = call_service(&app, request).await;
        assert_eq!(response.status(), 401, "{uri}");
        let connection = response.response().head().connection_type();
        assert_eq!(connection, ConnectionType::Close, "{uri}");
    }
    // Without a body, the connection can be used again.
    let request = TestRequest::get().uri("/trpc/nothing").to_request();
    let response = call_service(&app, request).await;
    assert_eq!(response.status(), 401);
    let connection = response.response().head().connection_type();
    assert_eq!(connection, ConnectionType::KeepAlive);
}
