//! An answer of the front itself.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// How long, and how much, is read from a client that still sends after its answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// Without the headers that a connection needs.
pub struct Answer {
    pub status: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn status(status: &'static str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The status code.
    pub fn code(&self) -> u16 {
        self.status
            .split(' ')
            .next()
            .and_then(|code| code.parse().ok())
            .unwrap_or(500)
    }

    pub fn text(status: &'static str, line: &str) -> Self {
        let body = format!("{line}\n").into_bytes();
        Self::status(status)
            .with("Cache-Control", "no-store")
            .with_body("text/plain; charset=utf-8", body)
    }

    pub fn json(status: &'static str, value: &serde_json::Value) -> Self {
        Self::status(status)
            .with("Cache-Control", "no-store")
            .with_body("application/json", value.to_string().into_bytes())
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = body;
        self.with("Content-Type", content_type)
            .with("X-Content-Type-Options", "nosniff")
    }

    /// Sends it, without the body to the method `HEAD`, and ends the connection.
    pub(super) fn send(&self, client: &mut TcpStream, method: &str) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status);
        for (name, value) in &self.headers {
            // Writing to a String cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let length = self.body.len();
        let _ = write!(head, "Content-Length: {length}\r\nConnection: close\r\n\r\n");
        client.write_all(head.as_bytes())?;
        if method != "HEAD" {
            client.write_all(&self.body)?;
        }
        close(client)
    }
}

/// Closing with unread input would discard the answer in flight, so the rest of the request is read first.
fn close(client: &mut TcpStream) -> io::Result<()> {
    client.shutdown(Shutdown::Write)?;
    client.set_read_timeout(Some(LINGER))?;
    io::copy(&mut client.take(LINGER_BYTES), &mut io::sink()).map(drop)
}
