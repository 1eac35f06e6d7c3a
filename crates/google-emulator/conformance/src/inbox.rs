//! Receives push notifications for the cases that wait for them.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use anyhow::{Context, Result};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::http::Answer;

/// Received pushes by channel id.
#[derive(Default)]
struct Received {
    queues: Mutex<BTreeMap<String, VecDeque<Answer>>>,
    arrived: Notify,
}

/// A server for pushes. It stops when this is dropped.
pub struct Inbox {
    url: String,
    received: Data<Received>,
    server: actix_web::dev::ServerHandle,
}

impl Inbox {
    /// Listens on `listen`. `public`: the address that Google pushes to; by default the listening one.
    pub fn start(listen: SocketAddr, public: Option<&str>) -> Result<Self> {
        let received = Data::new(Received::default());
        let shared = received.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .default_service(web::to(receive))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .bind(listen)
        .with_context(|| format!("cannot listen on {listen}"))?;
        let address = server.addrs().first().copied().unwrap_or(listen);
        let url = public.map_or_else(|| format!("http://{address}/"), ToOwned::to_owned);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self {
            url,
            received,
            server: handle,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next push of a channel, as an answer whose headers are the push's. None: none arrived in time.
    pub async fn next(&self, channel: &str, within: Duration) -> Option<Answer> {
        let next = async {
            loop {
                let arrived = self.received.arrived.notified();
                if let Some(push) = self.received.take(channel) {
                    return push;
                }
                arrived.await;
            }
        };
        timeout(within, next).await.ok()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // Creating the future sends the command; it need not be awaited.
        drop(self.server.stop(false));
    }
}

impl Received {
    fn take(&self, channel: &str) -> Option<Answer> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.get_mut(channel)?.pop_front()
    }
}

async fn receive(request: HttpRequest, received: Data<Received>, body: Bytes) -> HttpResponse {
    let headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let channel = headers.get("x-goog-channel-id").cloned().unwrap_or_default();
    let body = match String::from_utf8_lossy(&body) {
        text if text.is_empty() => Value::Null,
        text => Value::String(text.into_owned()),
    };
    let push = Answer {
        status: 200,
        headers,
        body,
    };
    let mut queues = received.queues.lock().unwrap_or_else(PoisonError::into_inner);
    queues.entry(channel).or_default().push_back(push);
    drop(queues);
    received.arrived.notify_waiters();
    HttpResponse::Ok().finish()
}
