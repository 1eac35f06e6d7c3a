//! Both protocols, byte for byte, as the real clients send and read them.

mod compression;
mod orpc;
mod over_http;
mod trpc;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt, StreamExt};
use rpc::http::{Body, Request, Response, ResponseHeaders};
use rpc::{Code, Router, RpcError};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use ts_rs::TS;

#[derive(Clone)]
struct Caller {
    user: String,
    outgoing: ResponseHeaders,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Upcoming {
    days: u16,
    calendar_ids: Option<Vec<String>>,
}

impl Default for Upcoming {
    fn default() -> Self {
        Self {
            days: 1,
            calendar_ids: None,
        }
    }
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Stop {
    channel_id: String,
}

#[derive(Serialize, TS)]
struct Answer {
    user: String,
    days: u16,
}

#[derive(Serialize, TS)]
struct Stopped {
    success: bool,
}

async fn upcoming(caller: Caller, input: Upcoming) -> Result<Answer, RpcError> {
    assert!(input.calendar_ids.is_none_or(|ids| ids.len() < 100));
    Ok(Answer {
        user: caller.user,
        days: input.days,
    })
}

async fn stop(caller: Caller, input: Stop) -> Result<Stopped, RpcError> {
    caller
        .outgoing
        .add("set-cookie", format!("stopped={}", input.channel_id));
    Ok(Stopped { success: true })
}

async fn nothing(_: Caller, _: Nothing) -> Result<(), RpcError> {
    Ok(())
}

async fn leak(_: Caller, _: Nothing) -> Result<(), RpcError> {
    Err(std::io::Error::other("password=hunter2"))?
}

async fn panicking(_: Caller, _: Nothing) -> Result<(), RpcError> {
    panic!("password=hunter2")
}

async fn restarting(_: Caller, _: Nothing) -> Result<(), RpcError> {
    Err(std::io::Error::new(
        std::io::ErrorKind::ConnectionRefused,
        "password=hunter2",
    ))?
}

async fn forbidden(_: Caller, _: Nothing) -> Result<(), RpcError> {
    Err(RpcError::new(Code::Forbidden, "Not your channel").with_reason("NOT_YOURS"))
}

async fn hang(_: Caller, _: Nothing) -> Result<(), RpcError> {
    std::future::pending().await
}

fn router() -> Arc<Router<Caller>> {
    Arc::new(
        Router::new()
            .query("calendar.google.getUpcomingEvents", upcoming)
            .query("nothing", nothing)
            .query("leak", leak)
            .query("panicking", panicking)
            .query("restarting", restarting)
            .temporary_errors(|error| {
                error
                    .downcast_ref::<std::io::Error>()
                    .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
            })
            .query("forbidden", forbidden)
            .query("hang", hang)
            .mutation("calendar.google.stopWatchCalendar", stop),
    )
}

fn request(method: &str, target: &str, body: Option<&str>) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        content_type: body.map(|_| "application/json".into()),
        accept: None,
        orpc_batch: None,
        body: Ok(body.unwrap_or_default().to_owned().into()),
    }
}

/// The caller, and the headers that handlers add.
fn alice() -> (Caller, ResponseHeaders) {
    let outgoing = ResponseHeaders::default();
    let caller = Caller {
        user: "alice".into(),
        outgoing: outgoing.clone(),
    };
    (caller, outgoing)
}

/// Status, headers that not every response has, body.
async fn shown(response: Response) -> String {
    let mut text = response.status.to_string();
    for (name, value) in response.headers {
        let usual = [
            ("vary", "trpc-accept, accept, accept-encoding"),
            ("vary", "accept-encoding"),
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
        ];
        if !usual.contains(&(name, &value)) {
            let _ = write!(text, " {name}: {value}");
        }
    }
    let body = match response.body {
        Body::Empty => String::new(),
        Body::Full(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Body::Stream(parts) => {
            let parts: Vec<_> = parts.collect().await;
            String::from_utf8_lossy(&parts.concat()).into_owned()
        }
    };
    format!("{text}\n{body}").trim_end().to_owned()
}

fn encoded(json: &str) -> String {
    percent_encoding::utf8_percent_encode(json, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A caller with at most two calls running.
#[derive(Clone)]
struct Narrow {
    turns: Arc<Semaphore>,
    turn: Option<Arc<OwnedSemaphorePermit>>,
    most: Arc<AtomicUsize>,
}

async fn in_turn(mut caller: Narrow) -> Result<Narrow, RpcError> {
    let permit = Arc::clone(&caller.turns).acquire_owned().await;
    caller.turn = Some(Arc::new(permit.map_err(RpcError::internal)?));
    Ok(caller)
}

async fn slow(caller: Narrow, _: Nothing) -> Result<(), RpcError> {
    assert!(caller.turn.is_some());
    let running = 2 - caller.turns.available_permits();
    caller.most.fetch_max(running, Ordering::Relaxed);
    tokio::task::yield_now().await;
    Ok(())
}

#[tokio::test]
async fn each_call_of_a_batch_waits_for_its_turn() {
    let router = Arc::new(
        Router::new()
            .query("slow", slow)
            .admitted_by(|caller| in_turn(caller).boxed()),
    );
    let caller = || Narrow {
        turns: Arc::new(Semaphore::new(2)),
        turn: None,
        most: Arc::default(),
    };
    let outgoing = ResponseHeaders::default();
    let of_trpc = caller();
    let batch = request("GET", "slow,slow,slow,slow,slow?batch=1", None);
    let response = rpc::trpc::handle(&router, batch, of_trpc.clone(), &outgoing).await;
    assert_eq!(shown(response).await.matches("result").count(), 5);
    assert_eq!(of_trpc.most.load(Ordering::Relaxed), 2);

    let of_orpc = caller();
    let items = [r#"{"url":"http://localhost/rpc-v1/slow","body":{}}"#; 5].join(",");
    let batch = Request {
        orpc_batch: Some("buffered".into()),
        ..request("POST", "__batch__", Some(&format!("[{items}]")))
    };
    let response = rpc::orpc::handle(&router, "/rpc-v1", batch, of_orpc.clone(), &outgoing).await;
    assert_eq!(shown(response).await.matches("\"status\":200").count(), 5);
    assert_eq!(of_orpc.most.load(Ordering::Relaxed), 2);
}
