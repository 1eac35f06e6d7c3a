//! A broker in process that records publications: Centrifugo's publish and history calls with idempotency keys and versions,
//! and the faults of a plan. The end-to-end tests run the real one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::plan::BrokerTrouble;

pub const API_KEY: &str = "simulation-api-key-0123456789abcdef0123456789";

/// As Centrifugo's idempotency keys.
const IDEMPOTENT_FOR: TimeDelta = TimeDelta::minutes(5);

/// A publication. After the broker has lost its memory, the same message may be published again.
#[derive(Debug, Clone)]
pub struct Publication {
    pub seq: i64,
    pub data: Arc<Value>,
}

#[derive(Default)]
struct Books {
    channels: HashMap<String, Channel>,
    /// By channel, in order.
    published: HashMap<String, Vec<Publication>>,
    troubles: VecDeque<BrokerTrouble>,
    epoch: u64,
}

#[derive(Default)]
struct Channel {
    offset: u64,
    version: u64,
    version_epoch: String,
    kept: Vec<Arc<Value>>,
    keys: HashMap<String, (u64, DateTime<Utc>)>,
}

#[derive(Deserialize)]
struct Publish {
    channel: String,
    data: Value,
    idempotency_key: String,
    version: u64,
    version_epoch: String,
}

struct Served {
    books: Mutex<Books>,
    clock: Clock,
}

pub struct RecordingBroker {
    shared: Arc<Served>,
    server: ServerHandle,
    port: u16,
}

impl RecordingBroker {
    pub fn start(clock: Clock) -> Result<Self> {
        let shared = Arc::new(Served {
            books: Mutex::default(),
            clock,
        });
        let data = web::Data::from(Arc::clone(&shared));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/api/publish", web::post().to(publish))
                .route("/api/history", web::post().to(history))
        })
        .workers(1)
        // A process that waits for the processor would otherwise publish on a connection that is being closed.
        .keep_alive(Duration::from_mins(10))
        .disable_signals()
        .bind(("127.0.0.1", 0))?;
        let port = server.addrs()[0].port();
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self {
            shared,
            server: handle,
            port,
        })
    }

    #[expect(clippy::expect_used, reason = "an address with a number for a port")]
    pub fn url(&self) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}/api", self.port)).expect("a URL")
    }

    /// The next two publications fail in this way. A restart happens at once.
    pub fn trouble(&self, trouble: BrokerTrouble) {
        let mut books = self.shared.books();
        if trouble == BrokerTrouble::Restarts {
            books.channels.clear();
            books.epoch += 1;
        } else {
            books.troubles.extend([trouble; 2]);
        }
    }

    pub fn end_troubles(&self) {
        self.shared.books().troubles.clear();
    }

    /// All publications to the user's channel.
    pub fn published(&self, user: &str) -> Vec<Publication> {
        let books = self.shared.books();
        books
            .published
            .get(&format!("calendar:{user}"))
            .cloned()
            .unwrap_or_default()
    }

    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

impl Served {
    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn publish(shared: web::Data<Served>, command: web::Json<Publish>) -> HttpResponse {
    let now = shared.clock.now();
    let mut books = shared.books();
    let trouble = books.troubles.pop_front();
    match trouble {
        Some(BrokerTrouble::Refuses) => {
            return HttpResponse::Ok()
                .json(json!({"error": {"code": 100, "message": "internal server error"}}));
        }
        Some(BrokerTrouble::Away) => return HttpResponse::ServiceUnavailable().finish(),
        _ => {}
    }
    let command = command.into_inner();
    let epoch = books.epoch.to_string();
    let offset = books.take(command, now);
    if trouble == Some(BrokerTrouble::AnswerLost) {
        return HttpResponse::BadGateway().finish();
    }
    HttpResponse::Ok().json(json!({"result": {"offset": offset, "epoch": epoch}}))
}

impl Books {
    fn take(&mut self, command: Publish, now: DateTime<Utc>) -> u64 {
        let channel = self.channels.entry(command.channel.clone()).or_default();
        if let Some((offset, at)) = channel.keys.get(&command.idempotency_key)
            && now < *at + IDEMPOTENT_FOR
        {
            return *offset;
        }
        let is_old = channel.version_epoch == command.version_epoch && command.version <= channel.version;
        if is_old {
            return channel.offset;
        }
        channel.offset += 1;
        channel.version = command.version;
        channel.version_epoch = command.version_epoch;
        channel
            .keys
            .insert(command.idempotency_key, (channel.offset, now));
        let seq = command.data["seq"].as_i64().unwrap_or_default();
        let offset = channel.offset;
        let data = Arc::new(command.data);
        channel.kept.push(data.clone());
        let published = self.published.entry(command.channel).or_default();
        published.push(Publication { seq, data });
        offset
    }
}

/// The position, and with a `limit` the newest publications, newest first.
async fn history(shared: web::Data<Served>, command: web::Json<Value>) -> HttpResponse {
    let books = shared.books();
    let channel = books
        .channels
        .get(command["channel"].as_str().unwrap_or_default());
    let offset = channel.map_or(0, |channel| channel.offset);
    let kept = channel.map_or(&[][..], |channel| &channel.kept);
    let limit = usize::try_from(command["limit"].as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
    let newest = kept.iter().rev().take(limit);
    let publications: Vec<_> = newest.map(|data| json!({ "data": data })).collect();
    HttpResponse::Ok().json(json!({"result": {
        "offset": offset, "epoch": books.epoch.to_string(), "publications": publications,
    }}))
}
