//! Compressed answers, through the actix adapter.

#![expect(
    clippy::unwrap_used,
    reason = "clippy exempts tests, not the functions that they share"
)]

use std::io::{Read, Write};

use actix_web::App;
use actix_web::body::MessageBody;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use futures_util::future::poll_fn;
use tokio::sync::watch;

use super::*;

/// Opened by the test.
type Gate = watch::Receiver<bool>;

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
struct Len {
    len: usize,
}

#[derive(Serialize, TS)]
struct Text {
    text: String,
}

async fn text(_: Gate, input: Len) -> Result<Text, RpcError> {
    let text = "Standup ".repeat(input.len.div_ceil(8));
    Ok(Text {
        text: text[..input.len].to_owned(),
    })
}

async fn late(mut gate: Gate, input: Len) -> Result<Text, RpcError> {
    gate.wait_for(|open| *open).await.map_err(RpcError::internal)?;
    text(gate, input).await
}

fn router() -> Arc<Router<Gate>> {
    Arc::new(
        Router::new()
            .query("text", text)
            .query("late", late)
            .query("token", text)
            .mutation("connect", text)
            .secret("token")
            .secret("connect"),
    )
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    Some(headers.get(name)?.to_str().unwrap())
}

fn decoded(headers: &HeaderMap, body: &[u8]) -> String {
    let mut text = String::new();
    match header(headers, "content-encoding") {
        None => text.push_str(std::str::from_utf8(body).unwrap()),
        Some("gzip") => {
            flate2::read::GzDecoder::new(body)
                .read_to_string(&mut text)
                .unwrap();
        }
        Some("zstd") => {
            zstd::Decoder::new(body)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
        }
        Some(other) => panic!("{other}"),
    }
    text
}

/// The response's headers, the length of its body as it was sent, its text.
async fn send(request: TestRequest, accept: &str) -> (HeaderMap, usize, String) {
    let open = watch::Sender::new(true);
    let app = init_service(App::new().configure(|config| {
        rpc::actix::mount(config, &router(), "/trpc", &["/rpc"], move |_, _| {
            std::future::ready(Ok(open.subscribe()))
        });
    }))
    .await;
    let request = request.insert_header(("accept-encoding", accept));
    let response = call_service(&app, request.to_request()).await;
    let headers = response.headers().clone();
    let body = read_body(response).await;
    let text = decoded(&headers, &body);
    (headers, body.len(), text)
}

async fn get(uri: &str, accept: &str) -> (HeaderMap, usize, String) {
    send(TestRequest::get().uri(uri), accept).await
}

/// `input` of one call.
fn of_len(len: usize) -> String {
    encoded(&format!(r#"{{"len":{len}}}"#))
}

/// The text so that the whole answer of tRPC has 1,023 bytes.
const SMALL: usize = 1_023 - r#"{"result":{"data":{"text":""}}}"#.len();

#[actix_web::test]
async fn answers_of_1_kb_are_compressed_as_accepted() {
    for (len, accept, coding) in [
        (SMALL, "gzip, zstd", None),
        (SMALL + 1, "gzip", Some("gzip")),
        (100_000, "gzip, deflate, br", Some("gzip")),
        (100_000, "gzip, deflate, br, zstd", Some("zstd")),
        (100_000, "gzip, zstd;q=0", Some("gzip")),
        (100_000, "gzip;q=0", None),
        (100_000, "identity", None),
        (100_000, "br", None),
        (100_000, "", None),
    ] {
        let (headers, sent, text) = get(&format!("/trpc/text?input={}", of_len(len)), accept).await;
        let name = header(&headers, "content-encoding");
        assert_eq!(name, coding, "{len} {accept}");
        assert_eq!(text.len(), len + 1_023 - SMALL, "{len} {accept}");
        assert_eq!(sent < text.len(), coding.is_some(), "{sent} of {}", text.len());
        assert_eq!(
            header(&headers, "vary"),
            Some("trpc-accept, accept, accept-encoding")
        );
        assert_eq!(header(&headers, "cache-control"), Some("no-store"));
    }
    let data = encoded(r#"{"json":{"len":5000}}"#);
    let (headers, _, text) = get(&format!("/rpc/text?data={data}"), "gzip").await;
    assert_eq!(header(&headers, "content-encoding"), Some("gzip"));
    assert_eq!(header(&headers, "vary"), Some("accept-encoding"));
    assert!(text.starts_with(r#"{"json":{"text":"Standup "#), "{text}");
}

/// Requests with a secret in the answer, alone or beside other calls, by both protocols.
fn secret_requests() -> Vec<(&'static str, TestRequest)> {
    let (one, two) = (of_len(5_000), encoded(r#"{"0":{"len":5000},"1":{"len":5000}}"#));
    let batch = |paths| TestRequest::get().uri(&format!("/trpc/{paths}?batch=1&input={two}"));
    let data = encoded(r#"{"json":{"len":5000}}"#);
    let item = |path| format!(r#"{{"url":"http://localhost/rpc/{path}?data={data}"}}"#);
    let orpc = |mode| {
        let items = encoded(&format!("[{},{}]", item("text"), item("token")));
        TestRequest::get()
            .uri(&format!("/rpc/__batch__?batch={items}"))
            .insert_header(("x-orpc-batch", mode))
    };
    let post = |uri, body: &'static str| {
        TestRequest::post()
            .uri(uri)
            .insert_header(("content-type", "application/json"))
            .set_payload(body)
    };
    vec![
        (
            "alone",
            TestRequest::get().uri(&format!("/trpc/token?input={one}")),
        ),
        ("mutation", post("/trpc/connect", r#"{"len":5000}"#)),
        ("first of a batch", batch("token,text")),
        ("last of a batch", batch("text,token")),
        ("escaped", batch("text%2Ctoken")),
        (
            "streamed",
            batch("text,token").insert_header(("trpc-accept", "application/jsonl")),
        ),
        ("oRPC", TestRequest::get().uri(&format!("/rpc/token?data={data}"))),
        ("oRPC mutation", post("/rpc/connect", r#"{"json":{"len":5000}}"#)),
        ("oRPC batch", orpc("buffered")),
        ("oRPC stream", orpc("streaming")),
    ]
}

#[actix_web::test]
async fn an_answer_with_a_secret_is_never_compressed() {
    for (name, request) in secret_requests() {
        let (headers, _, text) = send(request, "gzip, zstd").await;
        assert!(
            text.len() > 5_000 && text.contains("Standup Standup"),
            "{name}: {text}"
        );
        assert_eq!(header(&headers, "content-encoding"), None, "{name}");
        assert_eq!(
            header(&headers, "cache-control"),
            Some("no-store, no-transform"),
            "{name}"
        );
    }
}

/// Decompresses what has arrived by then.
enum Decoder {
    Gzip(flate2::write::GzDecoder<Vec<u8>>),
    Zstd(zstd::stream::write::Decoder<'static, Vec<u8>>),
}

impl Decoder {
    fn read(&mut self, part: &[u8]) -> String {
        let text = match self {
            Self::Gzip(decoder) => {
                decoder.write_all(part).unwrap();
                decoder.flush().unwrap();
                std::mem::take(decoder.get_mut())
            }
            Self::Zstd(decoder) => {
                decoder.write_all(part).unwrap();
                decoder.flush().unwrap();
                std::mem::take(decoder.get_mut())
            }
        };
        String::from_utf8(text).unwrap()
    }
}

#[actix_web::test]
async fn a_compressed_stream_arrives_part_by_part() {
    for (accept, mut decoder) in [
        ("gzip", Decoder::Gzip(flate2::write::GzDecoder::new(Vec::new()))),
        (
            "zstd",
            Decoder::Zstd(zstd::stream::write::Decoder::new(Vec::new()).unwrap()),
        ),
    ] {
        let gate = watch::Sender::new(false);
        let waiting = gate.subscribe();
        let app = init_service(App::new().configure(|config| {
            rpc::actix::mount(config, &router(), "/trpc", &["/rpc"], move |_, _| {
                std::future::ready(Ok(waiting.clone()))
            });
        }))
        .await;
        let input = encoded(r#"{"0":{"len":9},"1":{"len":3000}}"#);
        let request = TestRequest::get()
            .uri(&format!("/trpc/late,text?batch=1&input={input}"))
            .insert_header(("trpc-accept", "application/jsonl"))
            .insert_header(("accept-encoding", accept));
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(header(response.headers(), "content-encoding"), Some(accept));
        let mut body = std::pin::pin!(response.into_body());
        let mut parts = Vec::new();
        while let Some(part) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            let part = part.unwrap();
            parts.push((part.len(), decoder.read(&part)));
            if parts.len() == 2 {
                assert!(
                    parts[0].1 == "{\"0\":[[0],[null,0,0]],\"1\":[[0],[null,0,1]]}\n",
                    "{parts:?}"
                );
                assert!(
                    parts[1].1.starts_with("[1,0,[[") && parts[1].1.ends_with("]]]\n"),
                    "{parts:?}"
                );
                assert!(parts[1].0 < 200, "{} bytes", parts[1].0);
                gate.send_replace(true);
            }
        }
        assert!(
            parts[2].1.starts_with("[0,0,[[") && parts[2].1.ends_with("]]]\n"),
            "{parts:?}"
        );
    }
}
