//! A webhook that records its requests and answers as configured.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// A push as it came in, header names in lower case.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
}

impl Delivery {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `sync` or `exists`.
    pub fn state(&self) -> &str {
        self.header("x-goog-resource-state")
    }

    pub fn number(&self) -> u64 {
        self.header("x-goog-message-number").parse().unwrap()
    }
}

struct Hook {
    statuses: Mutex<Vec<u16>>,
    sender: UnboundedSender<Delivery>,
}

pub struct Receiver {
    pub url: String,
    hook: Arc<Hook>,
    deliveries: UnboundedReceiver<Delivery>,
}

impl Receiver {
    pub fn start() -> Self {
        let (sender, deliveries) = unbounded_channel();
        let hook = Data::new(Hook {
            statuses: Mutex::new(Vec::new()),
            sender,
        });
        let shared = hook.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .default_service(web::to(receive))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", server.addrs()[0]);
        tokio::spawn(server.run());
        Self {
            url,
            hook: hook.into_inner(),
            deliveries,
        }
    }

    /// The next answers, first first; 200 after them.
    pub fn answer(&self, statuses: &[u16]) {
        *self.hook.statuses.lock().unwrap() = statuses.to_vec();
    }

    pub async fn next(&mut self) -> Delivery {
        timeout(Duration::from_secs(5), self.deliveries.recv())
            .await
            .expect("a push in five seconds")
            .unwrap()
    }

    /// Fails when a push comes within a moment.
    pub async fn nothing(&mut self) {
        let push = timeout(Duration::from_millis(300), self.deliveries.recv()).await;
        assert!(push.is_err(), "{push:?}");
    }

    /// The requests received so far.
    pub fn arrived(&mut self) -> Vec<Delivery> {
        std::iter::from_fn(|| self.deliveries.try_recv().ok()).collect()
    }
}

async fn receive(request: HttpRequest, hook: Data<Hook>, body: Bytes) -> HttpResponse {
    let headers = request.headers().iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let status = {
        let mut statuses = hook.statuses.lock().unwrap();
        if statuses.is_empty() {
            200
        } else {
            statuses.remove(0)
        }
    };
    hook.sender.send(Delivery { headers, body }).unwrap();
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).finish()
}
