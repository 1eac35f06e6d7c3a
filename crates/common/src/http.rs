//! What every Calwire HTTP server has in common: binding, limits, health, a request log, and a graceful end.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// A client that has not sent its whole request head by then is closed, half-sent or silent alike.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a stopping server lets requests finish. Compose and systemd give 15 s; this leaves room for the loops.
const SHUTDOWN_TIMEOUT_SECONDS: u64 = 8;

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

/// Tells whether the service can do its work: `Err` says what is missing, for `/readyz`.
#[derive(Clone)]
pub struct Readiness(Arc<Check>);

type Check = dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync;

impl Readiness {
    pub fn new<F>(check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(check())))
    }
}

/// Serves until `stop` is cancelled, then lets requests in flight finish.
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
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(log_request))
            .app_data(web::Data::new(readiness.clone()))
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
        () = stop.cancelled() => {}
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

async fn readyz(readiness: web::Data<Readiness>) -> HttpResponse {
    match (readiness.0)().await {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(message) => HttpResponse::ServiceUnavailable().json(ErrorBody {
            error: "not_ready",
            message: &message,
        }),
    }
}

async fn log_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let started = std::time::Instant::now();
    let method = request.method().clone();
    // The path alone: a query may carry an authorisation code or a state.
    let path = request.path().to_owned();
    let response = next.call(request).await;
    let status = match &response {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let duration_ms = started.elapsed().as_secs_f64() * 1e3;
    tracing::debug!(http.method = %method, http.path = path, http.status = status.as_u16(), duration_ms, "Request answered");
    response
}
