//! One origin for the browser and the emulator, as Caddy is in a deployment, with the built demo page on it.
//!
//! Requests are routed as in `deploy/caddy/Caddyfile`. A connection carries one request: its head is read, the program
//! chosen by path, and from then on bytes are copied both ways, so that WebSockets and streamed answers pass unchanged.
//! Every other path is a file of the page, or `/demo/…`: the users whom the page may sign in as. Page and demo answer only to
//! the name `localhost`, so that no other name of this machine gets a token. The container `demo` serves both without this
//! proxy.

mod answer;
mod demo;
pub mod page;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

pub use answer::Answer;
pub use demo::Demo;

/// The largest request head that is read; the services accept no larger one either.
const MAX_HEAD: usize = 64 * 1024;
/// A client that has not sent its request head within this time is dropped.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

pub struct Site {
    pub upstreams: Upstreams,
    /// The folder of the built page. It is read at each request, so a new build shows at the next reload.
    pub page: PathBuf,
    pub demo: Demo,
}

/// The ports on loopback of the programs.
#[derive(Debug, Clone, Copy)]
pub struct Upstreams {
    pub api: u16,
    pub webhook: u16,
    pub centrifugo: u16,
}

impl Upstreams {
    /// None for a path that no program serves.
    fn port(self, path: &str) -> Option<u16> {
        let under = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if path == "/api/calendar/webhook" || path == "/robots.txt" {
            Some(self.webhook)
        } else if under("/trpc") || under("/rpc") || under("/rpc-v1") || under("/oauth") {
            Some(self.api)
        } else if under("/connection") {
            Some(self.centrifugo)
        } else {
            None
        }
    }
}

/// `localhost` rather than an address: Google allows it as a redirect without https.
pub fn origin(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// Serves from separate threads until the process ends.
pub struct Front {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    port: u16,
    site: Site,
    /// Set while the network is down for browsers.
    cut: AtomicBool,
    /// The open connections, to be closed by [`Front::cut`].
    clients: Mutex<HashMap<u64, TcpStream>>,
    next_client: AtomicU64,
}

impl Front {
    pub fn start(port: u16, site: Site) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("cannot listen on port {port}"))?;
        let shared = Arc::new(Shared {
            port,
            site,
            cut: AtomicBool::new(false),
            clients: Mutex::default(),
            next_client: AtomicU64::new(0),
        });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = accepting.clone();
                std::thread::spawn(move || {
                    // Both ends notice a broken connection themselves.
                    let _ = shared.serve(client);
                });
            }
        });
        Ok(Self { port, shared })
    }

    pub fn origin(&self) -> String {
        origin(self.port)
    }

    /// Takes the network down: closes every connection, and answers nothing until [`Front::mend`].
    pub fn cut(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
        for client in self.shared.clients().values() {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.shared.cut.store(false, Ordering::SeqCst);
    }

    /// Lets the page sign in as `user` too.
    pub fn admit(&self, user: &str) {
        self.shared.site.demo.admit(user);
    }
}

impl Shared {
    fn clients(&self) -> std::sync::MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, client: TcpStream) -> io::Result<()> {
        let id = self.next_client.fetch_add(1, Ordering::Relaxed);
        self.clients().insert(id, client.try_clone()?);
        // Read after the connection is registered: a connection that races with a cut is closed by one of both.
        let result = if self.cut.load(Ordering::SeqCst) {
            Ok(())
        } else {
            self.serve_one(client)
        };
        self.clients().remove(&id);
        result
    }

    fn serve_one(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(HEAD_TIMEOUT))?;
        let Some((head, rest)) = read_head(&mut client)? else {
            return Ok(());
        };
        client.set_read_timeout(None)?;
        let request = Request::of(&head);
        let Some(port) = self.site.upstreams.port(request.path) else {
            return self.answer(&request).send(&mut client, request.method);
        };
        let Ok(mut upstream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
            return Answer::status("502 Bad Gateway").send(&mut client, request.method);
        };
        for stream in [&client, &upstream] {
            stream.set_nodelay(true)?;
        }
        upstream.write_all(&[one_request(&head).as_bytes(), &rest].concat())?;
        copy_both_ways(client, upstream)
    }

    fn answer(&self, request: &Request<'_>) -> Answer {
        if !matches!(request.method, "GET" | "HEAD") {
            return Answer::status("405 Method Not Allowed").with("Allow", "GET, HEAD");
        }
        let origin = origin(self.port);
        if request.host != Some(&*format!("localhost:{}", self.port)) {
            let here = format!("{origin}{}", request.target);
            return Answer::status("307 Temporary Redirect").with("Location", here);
        }
        let answer = self.site.demo.answer(request.path, request.query, &origin);
        answer.unwrap_or_else(|| page::answer(&self.site.page, request.path, &origin))
    }
}

/// The parts of a request's head that matter here.
struct Request<'a> {
    method: &'a str,
    /// Path and query, as they were sent.
    target: &'a str,
    path: &'a str,
    query: &'a str,
    host: Option<&'a str>,
}

impl<'a> Request<'a> {
    fn of(head: &'a str) -> Self {
        let mut words = head.lines().next().unwrap_or_default().split(' ');
        let method = words.next().unwrap_or_default();
        // Anything but a path is treated as a path that does not exist.
        let target = words
            .next()
            .filter(|target| target.starts_with('/'))
            .unwrap_or("/-");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let host = head.lines().skip(1).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("host").then(|| value.trim())
        });
        Self {
            method,
            target,
            path,
            query,
            host,
        }
    }
}

/// The request's head as text, and the bytes after it. None if the client closed, sent no text, or sent too much.
fn read_head(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let count = client.read(&mut chunk)?;
        if count == 0 || bytes.len() > MAX_HEAD {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok(String::from_utf8(bytes).ok().map(|head| (head, rest)));
        }
    }
}

/// The head with `Connection: close`, because the next request of this client may be for another program. An upgrade
/// is left alone: there is no next request.
fn one_request(head: &str) -> String {
    let is = |line: &str, name: &str| line.to_ascii_lowercase().starts_with(name);
    if head.lines().any(|line| is(line, "upgrade:")) {
        return head.to_owned();
    }
    let mut lines: Vec<_> = head
        .trim_end()
        .lines()
        .filter(|line| !is(line, "connection:"))
        .collect();
    lines.push("Connection: close");
    lines.join("\r\n") + "\r\n\r\n"
}

fn copy_both_ways(client: TcpStream, upstream: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_upstream) = (client.try_clone()?, upstream.try_clone()?);
    let upward = std::thread::spawn(move || {
        // When one side has sent everything, the other may still answer.
        let _ = io::copy(&mut from_client, &mut to_upstream);
        let _ = to_upstream.shutdown(Shutdown::Write);
    });
    let (mut from_upstream, mut to_client) = (upstream, client);
    let copied = io::copy(&mut from_upstream, &mut to_client);
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = upward.join();
    copied.map(drop)
}

#[cfg(test)]
mod tests;
