//! A proxy before several copies of a service, as Caddy is in production: it tries the next copy when it cannot connect to one,
//! and for a `GET` also when no answer arrives. It checks the readiness of each copy continuously, and sends nothing to a
//! copy that is not ready.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::Method;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::Result;

const ASK_EVERY: Duration = Duration::from_millis(250);
/// A copy that takes longer to answer is not ready.
const ASK_WITHIN: Duration = Duration::from_secs(2);
/// Headers that apply to one hop, or that are set again for the next.
const NOT_PASSED_ON: [&str; 5] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "keep-alive",
];

pub struct Balancer {
    url: String,
    copies: Arc<Upstreams>,
    server: ServerHandle,
    asking: tokio::task::JoinHandle<()>,
}

struct Upstreams {
    all: Mutex<Vec<Upstream>>,
    next: AtomicUsize,
    http: reqwest::Client,
    /// The path of the readiness check.
    health: &'static str,
    repeated: AtomicUsize,
}

#[derive(Clone)]
struct Upstream {
    url: String,
    is_ready: bool,
}

impl Balancer {
    /// Starts without copies: every request is answered with 503. `health`: the path of the readiness check.
    pub fn start(health: &'static str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let copies = Arc::new(Upstreams {
            all: Mutex::default(),
            next: AtomicUsize::default(),
            // Redirects are passed on to the caller.
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            health,
            repeated: AtomicUsize::default(),
        });
        let data = Data::from(copies.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(1 << 20))
                .default_service(web::to(pass_on))
        })
        .workers(2)
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        let asking = tokio::spawn(ask(copies.clone()));
        Ok(Self {
            url,
            copies,
            server: handle,
            asking,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends requests to these copies from now on.
    pub fn serve(&self, urls: impl IntoIterator<Item = String>) {
        let copies = urls.into_iter().map(|url| Upstream { url, is_ready: true });
        *self.copies.all.lock().unwrap_or_else(PoisonError::into_inner) = copies.collect();
    }

    /// How many requests were repeated because the copy that received them gave no answer.
    pub fn repeated(&self) -> usize {
        self.copies.repeated.load(Ordering::Relaxed)
    }

    /// How many copies were ready at the last check.
    pub fn ready(&self) -> usize {
        self.copies.ready().len()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.asking.abort();
        tokio::spawn(self.server.stop(false));
    }
}

impl Upstreams {
    fn ready(&self) -> Vec<String> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter(|copy| copy.is_ready)
            .map(|copy| copy.url.clone())
            .collect()
    }
}

async fn ask(copies: Arc<Upstreams>) {
    loop {
        let all = copies.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for copy in all {
            let ask = copies
                .http
                .get(format!("{}{}", copy.url, copies.health))
                .timeout(ASK_WITHIN);
            let answer = ask.send().await;
            let is_ready = answer.is_ok_and(|answer| answer.status().is_success());
            let mut all = copies.all.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = all.iter_mut().find(|known| known.url == copy.url) {
                known.is_ready = is_ready;
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn pass_on(request: HttpRequest, body: Bytes, copies: Data<Upstreams>) -> HttpResponse {
    let ready = copies.ready();
    let first = copies.next.fetch_add(1, Ordering::Relaxed);
    for n in 0..ready.len() {
        let copy = &ready[(first + n) % ready.len()];
        let mut outgoing = copies.http.request(
            request.method().as_str().parse().unwrap_or_default(),
            format!("{copy}{}", request.uri()),
        );
        for (name, value) in request.headers() {
            if !NOT_PASSED_ON.contains(&name.as_str()) {
                outgoing = outgoing.header(name.as_str(), value.as_bytes());
            }
        }
        match outgoing.body(body.to_vec()).send().await {
            Ok(answer) => return passed_back(answer).await,
            Err(error) if error.is_connect() => {}
            Err(_) if request.method() == Method::GET => {
                copies.repeated.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                return HttpResponse::BadGateway().body(format!("{copy}: {error:?}"));
            }
        }
    }
    HttpResponse::ServiceUnavailable().body(format!("none of {} copies answers", ready.len()))
}

async fn passed_back(answer: reqwest::Response) -> HttpResponse {
    let mut response = HttpResponse::build(
        actix_web::http::StatusCode::from_u16(answer.status().as_u16()).unwrap_or_default(),
    );
    for (name, value) in answer.headers() {
        if !NOT_PASSED_ON.contains(&name.as_str()) {
            response.append_header((name.as_str(), value.as_bytes()));
        }
    }
    match answer.bytes().await {
        Ok(body) => response.body(body),
        Err(error) => HttpResponse::BadGateway().body(error.to_string()),
    }
}
