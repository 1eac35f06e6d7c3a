//! Plain actix servers, with which the benchmarks compare.

use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use anyhow::Result;

/// Answers 200 to everything. Returns the port.
pub fn start_bare() -> Result<u16> {
    start(|config| {
        config.default_service(web::to(HttpResponse::Ok));
    })
}

/// Serves these routes with as many threads as `calendar-api` and `webhook-ingest` have. Returns the port.
pub fn start(routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> Result<u16> {
    let server = HttpServer::new(move || App::new().configure(routes.clone()))
        .workers(std::thread::available_parallelism().map_or(2, usize::from))
        .disable_signals()
        .bind("127.0.0.1:0")?;
    let port = server.addrs()[0].port();
    tokio::spawn(server.run());
    Ok(port)
}
