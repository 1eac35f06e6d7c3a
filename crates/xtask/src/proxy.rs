//! One origin for what a browser and the emulator reach, as Caddy is in a deployment: Google is told one address for
//! pushes and for the way back from the consent page, and behind it are several programs.
//!
//! Routes as in `deploy/Caddyfile`. A connection carries one request: its head is read, the program chosen by path,
//! and from then on bytes are copied both ways, so that WebSockets and streamed answers pass as they are.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::stack::Stack;
use crate::{demo, http};

/// The largest request head that is read; the services accept no larger one either.
const MAX_HEAD: usize = 64 * 1024;
/// A client that has not sent its request head by then is dropped.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Which port on loopback serves which path.
#[derive(Debug, Clone)]
pub struct Routes {
    pub api: u16,
    pub webhook: u16,
    pub centrifugo: u16,
    /// For `/` and `/connect`.
    pub stack: Stack,
}

impl Routes {
    /// The port behind `path`, or none for a path that the deployment does not serve.
    fn port(&self, path: &str) -> Option<u16> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
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

/// Serves on `port` from threads of its own until the process ends.
pub fn start(port: u16, routes: Routes) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot listen on port {port}"))?;
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let routes = routes.clone();
            std::thread::spawn(move || {
                // A connection that breaks is the business of its two ends, which see it too.
                let _ = serve(client, &routes);
            });
        }
    });
    Ok(())
}

fn serve(mut client: TcpStream, routes: &Routes) -> io::Result<()> {
    client.set_read_timeout(Some(HEAD_TIMEOUT))?;
    let Some((head, rest)) = read_head(&mut client)? else {
        return Ok(());
    };
    client.set_read_timeout(None)?;
    let path = head.split(' ').nth(1).unwrap_or_default();
    match path.split_once('?').unwrap_or((path, "")) {
        ("/", query) => return home(&mut client, &routes.stack, query),
        ("/connect", query) => return connect(&mut client, &routes.stack, query),
        _ => {}
    }
    let Some(port) = routes.port(path) else {
        return answer(&mut client, "404 Not Found", "");
    };
    let Ok(mut upstream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return answer(&mut client, "502 Bad Gateway", "");
    };
    for stream in [&client, &upstream] {
        stream.set_nodelay(true)?;
    }
    upstream.write_all(&[one_request(&head).as_bytes(), &rest].concat())?;
    copy_both_ways(client, upstream)
}

/// The request's head as text, and what came after it. None when the client closed, sent no text, or sent too much.
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

/// The emulator's page, where calendars are changed. Real Google has its own: then how a connect flow ended.
fn home(client: &mut TcpStream, stack: &Stack, query: &str) -> io::Result<()> {
    match &stack.emulator_url {
        Some(url) => answer(client, "302 Found", &format!("Location: {url}/\r\n")),
        None if query.contains("calwire=connected") => text(client, "Connected. Changes arrive from now on."),
        None if query.contains("calwire=") => text(client, &format!("Not connected: {query}")),
        None => text(
            client,
            "To connect a Google account as the user alice, open /connect?user=alice here.",
        ),
    }
}

/// `/connect?user=NAME` begins a connect flow in the browser that asks, as a button on the application's page would.
fn connect(client: &mut TcpStream, stack: &Stack, query: &str) -> io::Result<()> {
    let user = query.strip_prefix("user=").unwrap_or_default();
    if !stack.users.iter().any(|known| known == user) {
        return text(
            client,
            &format!("The users are {}: /connect?user=alice", stack.users.join(", ")),
        );
    }
    match demo::start(&http::agent(), stack, user) {
        Ok(started) => {
            let cookies = started
                .cookies
                .iter()
                .map(|cookie| ("Set-Cookie", cookie.as_str()));
            let headers = cookies.chain([("Location", started.url.as_str())]);
            let headers: Vec<_> = headers
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            let headers = headers.concat();
            answer(client, "302 Found", &headers)
        }
        Err(error) => text(client, &format!("The connect flow could not begin: {error:#}")),
    }
}

fn text(client: &mut TcpStream, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

fn answer(client: &mut TcpStream, status: &str, headers: &str) -> io::Result<()> {
    write!(
        client,
        "HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

fn copy_both_ways(client: TcpStream, upstream: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_upstream) = (client.try_clone()?, upstream.try_clone()?);
    let upward = std::thread::spawn(move || {
        // When one side has said all, the other is told so and may still answer.
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
mod tests {
    use super::*;

    /// An upstream that answers each connection with its name and the head that it got.
    fn upstream(name: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let (head, rest) = read_head(&mut client).unwrap().unwrap();
                let body = format!("{name}: {head}{}", String::from_utf8(rest).unwrap());
                let length = body.len();
                write!(
                    client,
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        port
    }

    fn ask(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stack() -> Stack {
        serde_json::from_value(serde_json::json!({
            "apiUrl": "", "webhookUrl": "", "centrifugoWsUrl": "", "centrifugoApiUrl": "", "databaseUrl": "",
            "webUrl": "", "emulatorUrl": "http://localhost:1", "users": ["alice"],
            "keys": {
                "centrifugoApiKey": "", "centrifugoTokenSecret": "", "authHs256Secret": "", "authIssuer": "",
                "authAudience": "",
            },
        }))
        .unwrap()
    }

    #[test]
    fn each_path_reaches_its_program_and_others_none() {
        let port = provision::port::free().unwrap();
        let routes = Routes {
            api: upstream("api"),
            webhook: upstream("webhook"),
            centrifugo: upstream("centrifugo"),
            stack: stack(),
        };
        start(port, routes).unwrap();

        let trpc = ask(
            port,
            "GET /trpc/a.b?input=1 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
        );
        assert!(
            trpc.contains("api: GET /trpc/a.b?input=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "{trpc}"
        );
        let push = ask(
            port,
            "POST /api/calendar/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
        );
        assert!(
            push.contains("webhook: POST") && push.ends_with("\r\n\r\nhi"),
            "{push}"
        );
        let socket = ask(
            port,
            "GET /connection/websocket HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        );
        assert!(
            socket.contains("centrifugo: GET") && socket.contains("Connection: Upgrade"),
            "{socket}"
        );

        let home = ask(port, "GET /?calwire=connected HTTP/1.1\r\n\r\n");
        assert!(home.contains("Location: http://localhost:1/\r\n"), "{home}");
        let nobody = ask(port, "GET /connect?user=mallory HTTP/1.1\r\n\r\n");
        assert!(
            nobody.ends_with("The users are alice: /connect?user=alice"),
            "{nobody}"
        );
        for path in ["/trpcx", "/healthz", "/api/publish", "/api/calendar/webhook/x"] {
            let answer = ask(port, &format!("GET {path} HTTP/1.1\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        }
    }
}
