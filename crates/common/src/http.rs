//! What every Calwire HTTP server has in common: binding, limits, health, a request log, and a graceful end.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// A client that has not sent its whole request head by then is closed, half-sent or silent alike.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a stopping server lets requests finish. With [`LEAVE_MAX`]
/// within 10 s; compose and systemd give 15 s.
const SHUTDOWN_TIMEOUT_SECONDS: u64 = 6;

/// How long an ending server waits for its clients to go elsewhere: as long as a proxy takes to notice.
const LEAVE_MAX: Duration = Duration::from_secs(2);
/// Without a request for so long, nobody is there to wait for.
const LEAVE_QUIET_MILLIS: u64 = 150;

/// Who asked for `/readyz` within so long, asks again.
const WATCHED_MILLIS: u64 = 5_000;

/// Less than [`PROBE_TIMEOUT`], so that what is missing is told.
const CHECK_TIMEOUT: Duration = Duration::from_millis(1_500);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const PROBE_ANSWER_MAX_LEN: u64 = 4_096;

/// A listening socket, bound before anything else starts so that a taken port is the first error.
pub fn bind(addr: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(addr)
        .map_err(|error| std::io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}")))
}

/// The body of every error answer that is not an RPC envelope: a word for programs, a sentence for people.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    pub error: &'a str,
    pub message: &'a str,
}

/// Tells at `/readyz` whether the service can do its work, and what is missing.
#[derive(Clone, Default)]
pub struct Readiness(Vec<Arc<Check>>);

struct Check {
    name: &'static str,
    is_required: bool,
    ask: Box<Ask>,
}

type Ask = dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync;

/// What one check found, in the answer of `/readyz`.
#[derive(Debug, Serialize)]
struct Found {
    name: &'static str,
    ok: bool,
    /// Without it the service is not ready.
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Debug, Serialize)]
struct Ready {
    status: &'static str,
    /// As in every [`ErrorBody`], when it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    checks: Vec<Found>,
}

impl Readiness {
    pub fn new() -> Self {
        Self::default()
    }

    /// Something without which the service cannot do its work. `Err` says what is missing.
    #[must_use]
    pub fn needs<F>(self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.with(name, true, check)
    }

    /// Something that is missed when it is not there, while most work goes on.
    #[must_use]
    pub fn misses<F>(self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.with(name, false, check)
    }

    fn with<F>(
        mut self,
        name: &'static str,
        is_required: bool,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.0.push(Arc::new(Check {
            name,
            is_required,
            ask: Box::new(move || Box::pin(check())),
        }));
        self
    }

    async fn ask(&self) -> Ready {
        let checks = join_all(self.0.iter().map(|check| check.find())).await;
        let missing: Vec<String> = checks
            .iter()
            .filter(|found| found.required && !found.ok)
            .map(|found| format!("{}: {}", found.name, found.message.as_deref().unwrap_or_default()))
            .collect();
        if missing.is_empty() {
            Ready {
                status: "ready",
                error: None,
                message: None,
                checks,
            }
        } else {
            Ready::not(missing.join("; "), checks)
        }
    }
}

impl Ready {
    fn not(message: String, checks: Vec<Found>) -> Self {
        Self {
            status: "not_ready",
            error: Some("not_ready"),
            message: Some(message),
            checks,
        }
    }
}

impl Check {
    async fn find(&self) -> Found {
        let outcome = tokio::time::timeout(CHECK_TIMEOUT, (self.ask)())
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs_f64())));
        Found {
            name: self.name,
            ok: outcome.is_ok(),
            required: self.is_required,
            message: outcome.err(),
        }
    }
}

/// Serves until `stop` is cancelled, then lets go of its clients: `/readyz` says that it is ending, connections close with
/// their next answer, and once nobody asks any more, or [`LEAVE_MAX`] later, it takes no new ones and finishes those in
/// flight. A proxy that asks `/readyz` every second, or tries another copy when it cannot connect, loses no request.
///
/// `routes` registers the service's own routes; `/healthz` (the process answers) and `/readyz` (it can do its work) are
/// added. HTTP/1.1 only: a proxy speaks HTTP/2 to the world.
pub async fn serve(
    listener: TcpListener,
    workers: usize,
    readiness: Readiness,
    stop: CancellationToken,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> std::io::Result<()> {
    let traffic = web::Data::new(Traffic::new(stop.clone()));
    let leaving = traffic.clone();
    let readiness = web::Data::new(readiness);
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(log_request))
            .app_data(readiness.clone())
            .app_data(traffic.clone())
            .route("/healthz", web::get().to(HttpResponse::Ok))
            .route("/readyz", web::get().to(readyz))
            .configure(routes.clone())
    })
    .workers(workers)
    .client_request_timeout(REQUEST_HEAD_TIMEOUT)
    .client_disconnect_timeout(Duration::from_secs(1))
    .shutdown_timeout(SHUTDOWN_TIMEOUT_SECONDS)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    tokio::pin!(server);
    tokio::select! {
        served = &mut server => return served,
        () = async { stop.cancelled().await; leaving.left().await } => {}
    }
    let (served, ()) = tokio::join!(server, handle.stop(true));
    served
}

/// Asks the service that listens on `addr` whether it is ready. For the `health` subcommand, which container health checks
/// run: `Err` is the line to print.
pub async fn probe(addr: SocketAddr) -> Result<(), String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    // A service that listens on every address answers on the loopback one.
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let addr = SocketAddr::new(ip, addr.port());
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(addr).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(PROBE_ANSWER_MAX_LEN).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(PROBE_TIMEOUT, ask)
        .await
        .map_err(|_| format!("{addr} did not answer within {} s", PROBE_TIMEOUT.as_secs()))?
        .map_err(|error| format!("{addr} cannot be reached: {error}"))?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let body = answer.split_once("\r\n\r\n").map_or(&*answer, |(_, body)| body);
    Err(format!("{addr} is not ready: {}", body.trim()))
}

async fn readyz(readiness: web::Data<Readiness>, traffic: web::Data<Traffic>) -> HttpResponse {
    let ready = if traffic.stop.is_cancelled() {
        traffic.tell();
        Ready::not("it is ending".to_owned(), Vec::new())
    } else {
        traffic.probed();
        readiness.ask().await
    };
    let status = match ready.error {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    HttpResponse::build(status).json(ready)
}

/// Who still asks while the server ends.
struct Traffic {
    stop: CancellationToken,
    /// The one that the server is run by, which outlives those of actix's workers.
    runtime: Handle,
    started: Instant,
    /// When the last request came or was answered, in milliseconds since `started`.
    last: AtomicU64,
    /// When somebody last asked whether we are ready, and was first told that we are ending; 0: never.
    probed: AtomicU64,
    told: AtomicU64,
}

impl Traffic {
    fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            runtime: Handle::current(),
            started: Instant::now(),
            last: AtomicU64::new(0),
            probed: AtomicU64::new(0),
            told: AtomicU64::new(0),
        }
    }

    fn probed(&self) {
        self.probed.store(self.millis(), Ordering::Relaxed);
    }

    fn tell(&self) {
        // Who was told first has had the most time.
        let _ = self
            .told
            .compare_exchange(0, self.millis(), Ordering::Relaxed, Ordering::Relaxed);
    }

    fn note(&self) {
        self.last.store(self.millis(), Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A proxy that watches us has been told, and nobody has asked for a while; or it has taken long enough.
    async fn left(&self) {
        let since = Instant::now();
        let ago = |at: &AtomicU64| self.millis().saturating_sub(at.load(Ordering::Relaxed));
        let is_watched = self.probed.load(Ordering::Relaxed) > 0 && ago(&self.probed) < WATCHED_MILLIS;
        while since.elapsed() < LEAVE_MAX {
            let is_told = self.told.load(Ordering::Relaxed) > 0 && ago(&self.told) >= LEAVE_QUIET_MILLIS;
            if (is_told || !is_watched) && ago(&self.last) >= LEAVE_QUIET_MILLIS {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn log_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let started = Instant::now();
    let method = request.method().clone();
    // The path alone: a query may carry an authorisation code or a state.
    let path = request.path().to_owned();
    let traffic = request.app_data::<web::Data<Traffic>>().cloned();
    let runtime = traffic.as_ref().map(|traffic| traffic.runtime.clone());
    let is_probe = path == "/readyz" || path == "/healthz";
    let traffic = traffic.filter(|_| !is_probe);
    if let Some(traffic) = &traffic {
        traffic.note();
    }
    let mut response = match &runtime {
        Some(runtime) => Request::new(next.call(request), runtime).await,
        None => next.call(request).await,
    };
    if let Some(traffic) = &traffic
        && traffic.stop.is_cancelled()
    {
        traffic.note();
        if let Ok(response) = &mut response {
            response
                .response_mut()
                .head_mut()
                .set_connection_type(ConnectionType::Close);
        }
    }
    let status = match &response {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let duration_ms = started.elapsed().as_secs_f64() * 1e3;
    tracing::debug!(http.method = %method, http.path = path, http.status = status.as_u16(), duration_ms, "Request answered");
    response
}

/// A request at work. What it holds may need a runtime to be given back, as a connection to the database does; and when a
/// server must end, actix drops what is not over after the runtime of its worker.
struct Request<F> {
    work: Option<Pin<Box<F>>>,
    runtime: Handle,
}

impl<F: Future> Request<F> {
    fn new(work: F, runtime: &Handle) -> Self {
        Self {
            work: Some(Box::pin(work)),
            runtime: runtime.clone(),
        }
    }
}

impl<F: Future> Future for Request<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match &mut self.work {
            Some(work) => work.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Request<F> {
    fn drop(&mut self) {
        let _within = self.runtime.enter();
        self.work = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tokio::io::AsyncWriteExt;

    /// What a connection to the database does when it is dropped.
    struct Needy(mpsc::Sender<bool>);

    impl Drop for Needy {
        fn drop(&mut self) {
            let _ = self.0.send(Handle::try_current().is_ok());
        }
    }

    #[actix_web::test]
    async fn a_request_that_is_not_over_at_the_end_is_dropped_within_a_runtime() {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, begun) = (CancellationToken::new(), CancellationToken::new());
        let (dropped, how) = mpsc::channel();
        let begin = begun.clone();
        let routes = move |config: &mut web::ServiceConfig| {
            let (dropped, begin) = (dropped.clone(), begin.clone());
            config.route(
                "/",
                web::get().to(move || {
                    let (needy, begin) = (Needy(dropped.clone()), begin.clone());
                    async move {
                        begin.cancel();
                        std::future::pending::<()>().await;
                        drop(needy);
                        HttpResponse::Ok().finish()
                    }
                }),
            );
        };
        let serving = actix_web::rt::spawn(serve(listener, 1, Readiness::new(), stop.clone(), routes));
        let mut client = tokio::net::TcpStream::connect(addr).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        begun.cancelled().await;
        stop.cancel();
        serving.await.unwrap().unwrap();
        assert_eq!(how.recv_timeout(Duration::from_secs(5)), Ok(true));
    }
}
