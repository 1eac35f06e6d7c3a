//! The HTTP server of every service: binding, limits, health, a request log, and a graceful stop.

mod draining;
mod probe;
mod readiness;
mod request;
pub mod source;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use probe::probe;
pub use readiness::Readiness;

use draining::Draining;
use readiness::ReadinessReport;

/// A client that has not sent its whole request head by then is disconnected, whether it sent half of it or nothing.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept. Longer than proxies keep theirs: otherwise one sends a request on a connection that is
/// being closed, and answers 502 if it may not send it again. Caddy keeps them for two minutes
/// (<https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#the-http-transport>), Google's load balancers for ten, and
/// ask backends for more (<https://cloud.google.com/load-balancing/docs/https#timeout-keepalive-backends>).
const KEEP_ALIVE: Duration = Duration::from_secs(620);
/// How long a stopping server lets requests finish. Draining takes up to 2 s before it: together within the 10 s that a
/// service may take to stop.
const SHUTDOWN_TIMEOUT_SECONDS: u64 = 6;

/// A listening socket. The error names `variable`, from which the address came.
pub fn bind(variable: &str, addr: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(addr).map_err(|error| {
        std::io::Error::new(
            error.kind(),
            format!("{variable}: cannot listen on {addr}: {error}"),
        )
    })
}

/// The body of every error response that is not an RPC envelope: a code for programs, a sentence for people.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    pub error: &'a str,
    pub message: &'a str,
}

/// Serves until `stop` is cancelled, then drains: `/readyz` answers 503, connections close with their next response, and once
/// no requests arrive any more, or after 2 s, the server closes its socket and finishes the requests in flight. A proxy that
/// checks `/readyz` every second, or tries another replica when it cannot connect, loses no request.
///
/// `routes` registers the service's own routes; `/healthz` (the process responds) and `/readyz` (it can do its work) are
/// added. HTTP/1.1 only: a proxy speaks HTTP/2 to the world.
pub async fn serve(
    listener: TcpListener,
    workers: usize,
    readiness: Readiness,
    stop: CancellationToken,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> std::io::Result<()> {
    let draining = web::Data::new(Draining::new(stop.clone()));
    let drain = draining.clone();
    let readiness = web::Data::new(readiness);
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(request::log))
            .app_data(readiness.clone())
            .app_data(draining.clone())
            .route("/healthz", web::get().to(HttpResponse::Ok))
            .route("/readyz", web::get().to(readyz))
            .configure(routes.clone())
    })
    .workers(workers)
    .keep_alive(KEEP_ALIVE)
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
        () = async { stop.cancelled().await; drain.drained().await } => {}
    }
    let (served, ()) = tokio::join!(server, handle.stop(true));
    served
}

async fn readyz(readiness: web::Data<Readiness>, draining: web::Data<Draining>) -> HttpResponse {
    let report = if draining.is_stopping() {
        draining.record_notified();
        ReadinessReport::not_ready("the service is stopping".to_owned(), Vec::new())
    } else {
        draining.record_probe();
        readiness.check().await
    };
    let status = if report.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    HttpResponse::build(status).json(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::sync::mpsc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::runtime::Handle;

    /// Like a database connection, it needs a runtime when it is dropped.
    struct NeedsRuntime(mpsc::Sender<bool>);

    impl Drop for NeedsRuntime {
        fn drop(&mut self) {
            let _ = self.0.send(Handle::try_current().is_ok());
        }
    }

    /// Beyond actix's default of five seconds.
    #[actix_web::test]
    async fn an_idle_connection_outlives_a_pause() {
        let listener = bind("LISTEN_ADDR", (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = actix_web::rt::spawn(serve(listener, 1, Readiness::new(), stop.clone(), |_| ()));
        let mut client = tokio::net::TcpStream::connect(addr).await.unwrap();
        let mut answer = [0; 4096];
        for pause in [Duration::ZERO, Duration::from_secs(6)] {
            tokio::time::sleep(pause).await;
            client
                .write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                .await
                .unwrap();
            let read = client.read(&mut answer).await.unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "after {pause:?}");
        }
        stop.cancel();
        serving.await.unwrap().unwrap();
    }

    #[actix_web::test]
    async fn an_unread_body_closes_its_connection() {
        let listener = bind("LISTEN_ADDR", (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let routes = |config: &mut web::ServiceConfig| {
            let read = |_: web::Bytes| async { HttpResponse::Ok().finish() };
            config
                .route("/read", web::post().to(read))
                .default_service(web::to(|| async {
                    HttpResponse::NotFound().body("no such path")
                }));
        };
        let serving = actix_web::rt::spawn(serve(listener, 1, Readiness::new(), stop.clone(), routes));
        for body in [
            "Content-Length: 100\r\n\r\nhalf",
            "Transfer-Encoding: chunked\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ] {
            let mut client = tokio::net::TcpStream::connect(addr).await.unwrap();
            let request = format!("POST /nowhere HTTP/1.1\r\nHost: a\r\n{body}");
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let closed = tokio::time::timeout(Duration::from_secs(15), client.read_to_end(&mut answer)).await;
            assert!(closed.is_ok(), "still open: {body:?}");
            assert!(answer.starts_with(b"HTTP/1.1 404"), "{body:?}");
        }
        // A body that was read leaves the connection as it is.
        let mut client = tokio::net::TcpStream::connect(addr).await.unwrap();
        let mut answer = [0; 4096];
        for _ in 0..2 {
            let request = b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
            client.write_all(request).await.unwrap();
            let read = client.read(&mut answer).await.unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
        }
        stop.cancel();
        serving.await.unwrap().unwrap();
    }

    #[actix_web::test]
    async fn an_unfinished_request_is_dropped_within_a_runtime() {
        let listener = bind("LISTEN_ADDR", (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, begun) = (CancellationToken::new(), CancellationToken::new());
        let (dropped, how) = mpsc::channel();
        let begin = begun.clone();
        let routes = move |config: &mut web::ServiceConfig| {
            let (dropped, begin) = (dropped.clone(), begin.clone());
            config.route(
                "/",
                web::get().to(move || {
                    let (held, begin) = (NeedsRuntime(dropped.clone()), begin.clone());
                    async move {
                        begin.cancel();
                        std::future::pending::<()>().await;
                        drop(held);
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
