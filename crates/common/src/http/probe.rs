//! The client side of `/readyz`, for container health checks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_MAX_LEN: u64 = 4_096;

/// Requests `/readyz` of the service that listens on `addr`. `Err` is the line to print when it is not ready.
pub async fn probe(addr: SocketAddr) -> Result<(), String> {
    // A service that listens on every address answers on the loopback one.
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let addr = SocketAddr::new(ip, addr.port());
    let response = tokio::time::timeout(PROBE_TIMEOUT, request(addr))
        .await
        .map_err(|_| format!("{addr} did not answer within {} s", PROBE_TIMEOUT.as_secs()))?
        .map_err(|error| format!("cannot reach {addr}: {error}"))?;
    if response.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let body = response
        .split_once("\r\n\r\n")
        .map_or(&*response, |(_, body)| body);
    Err(format!("{addr} is not ready: {}", body.trim()))
}

async fn request(addr: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    stream.take(RESPONSE_MAX_LEN).read_to_end(&mut response).await?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}
