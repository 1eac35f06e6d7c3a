use super::*;

/// An upstream that answers each connection with its name and the received head.
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

struct Fixture {
    front: Front,
    page: tempfile::TempDir,
}

impl Fixture {
    /// With a page of two files.
    fn start() -> Self {
        let page = tempfile::tempdir().unwrap();
        std::fs::create_dir(page.path().join("assets")).unwrap();
        std::fs::write(page.path().join("index.html"), "<!doctype html>").unwrap();
        std::fs::write(page.path().join("assets/index-BcD1.js"), "export {}").unwrap();
        let site = Site {
            upstreams: Upstreams {
                api: upstream("api"),
                webhook: upstream("webhook"),
                centrifugo: upstream("centrifugo"),
            },
            page: page.path().to_owned(),
            demo: Demo::new(&["alice"], Some("http://localhost:1".into()), |user| {
                Ok(format!("signed for {user}"))
            }),
        };
        let front = Front::start(crate::port::free().unwrap(), site).unwrap();
        Self { front, page }
    }

    fn exchange(&self, request: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.front.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// As a browser sends it.
    fn get(&self, path: &str) -> String {
        self.send("GET", path)
    }

    fn send(&self, method: &str, path: &str) -> String {
        self.exchange(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
            self.front.port
        ))
    }
}

#[test]
fn each_path_reaches_its_program() {
    let fixture = Fixture::start();
    let trpc =
        fixture.exchange("GET /trpc/a.b?input=1 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n");
    assert!(
        trpc.contains("api: GET /trpc/a.b?input=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        "{trpc}"
    );
    let push =
        fixture.exchange("POST /api/calendar/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    assert!(
        push.contains("webhook: POST") && push.ends_with("\r\n\r\nhi"),
        "{push}"
    );
    let socket = fixture
        .exchange("GET /connection/websocket HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    assert!(
        socket.contains("centrifugo: GET") && socket.contains("Connection: Upgrade"),
        "{socket}"
    );
    for path in ["/trpcx", "/healthz", "/api/publish", "/api/calendar/webhook/x"] {
        let answer = fixture.get(path);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[test]
fn the_page_is_served_with_its_types_and_its_limits() {
    let fixture = Fixture::start();
    let index = fixture.get("/?user=alice");
    for line in [
        "HTTP/1.1 200 OK",
        "Content-Type: text/html; charset=utf-8",
        "Cache-Control: no-cache",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: same-origin",
    ] {
        assert!(index.contains(line), "{line}: {index}");
    }
    assert!(index.ends_with("\r\n\r\n<!doctype html>"), "{index}");
    let policy = index
        .lines()
        .find(|line| line.starts_with("Content-Security-Policy:"))
        .unwrap();
    assert!(
        policy.contains("default-src 'self';") && !policy.contains("script-src"),
        "{policy}"
    );

    let script = fixture.get("/assets/index-BcD1.js");
    assert!(
        script.contains("Content-Type: text/javascript") && script.contains("immutable"),
        "{script}"
    );
    let head = fixture.send("HEAD", "/");
    assert!(
        head.contains("Content-Length: 15") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let post = fixture.send("POST", "/");
    assert!(
        post.starts_with("HTTP/1.1 405") && post.contains("Allow: GET, HEAD"),
        "{post}"
    );
    // Only `/` is the page: a mistyped path is not found.
    for path in ["/nothing", "/assets", "/assets/", "/index.html/x"] {
        assert!(fixture.get(path).starts_with("HTTP/1.1 404"), "{path}");
    }
}

#[test]
fn nothing_outside_of_the_page_is_served() {
    let fixture = Fixture::start();
    let secret = fixture.page.path().parent().unwrap().join(format!(
        "{}-secret",
        fixture.page.path().file_name().unwrap().to_string_lossy()
    ));
    std::fs::write(&secret, "secret").unwrap();
    let name = secret.file_name().unwrap().to_string_lossy();
    std::os::unix::fs::symlink(&secret, fixture.page.path().join("link")).unwrap();
    std::fs::write(fixture.page.path().join(".env"), "secret").unwrap();
    let attacks = [
        format!("/../{name}"),
        format!("/assets/../../{name}"),
        format!("/%2e%2e/{name}"),
        format!("/..%2f{name}"),
        format!("/..\\{name}"),
        format!("/%2f{}", secret.display()),
        format!("/{}", secret.display()),
        "/link".to_owned(),
        "/.env".to_owned(),
        "/assets/%00".to_owned(),
        "/%ff".to_owned(),
    ];
    let answers = attacks.each_ref().map(|path| fixture.get(path));
    std::fs::remove_file(&secret).unwrap();
    for (path, answer) in attacks.iter().zip(&answers) {
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[test]
fn an_unbuilt_page_explains_how_to_build_it() {
    let fixture = Fixture::start();
    std::fs::remove_file(fixture.page.path().join("index.html")).unwrap();
    let answer = fixture.get("/");
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("npm run build"),
        "{answer}"
    );
}

#[test]
fn the_demo_signs_only_for_its_users() {
    let fixture = Fixture::start();
    let session = fixture.get("/demo/session");
    let port = fixture.front.port;
    let expected = format!(
        r#"{{"users":["alice"],"emulatorUrl":"http://localhost:1","wsUrl":"ws://localhost:{port}/connection/websocket","apiUrl":"http://localhost:{port}"}}"#
    );
    assert!(session.ends_with(&expected), "{session}");
    assert!(
        fixture
            .get("/demo/token?user=alice")
            .ends_with(r#"{"token":"signed for alice"}"#)
    );
    let unknown = fixture.get("/demo/token?user=mallory");
    assert!(
        unknown.starts_with("HTTP/1.1 404") && unknown.ends_with(r#"{"error":"The users are alice"}"#),
        "{unknown}"
    );
    fixture.front.admit("mallory");
    assert!(fixture.get("/demo/token?user=mallory").contains("200 OK"));
}

#[test]
fn other_names_of_this_machine_get_no_token() {
    let fixture = Fixture::start();
    let port = fixture.front.port;
    for host in [&*format!("127.0.0.1:{port}"), "evil.example", "localhost"] {
        let answer = fixture.exchange(&format!(
            "GET /demo/token?user=alice HTTP/1.1\r\nHost: {host}\r\n\r\n"
        ));
        assert!(answer.starts_with("HTTP/1.1 307"), "{host}: {answer}");
        let here = format!("Location: http://localhost:{port}/demo/token?user=alice\r\n");
        assert!(answer.contains(&here), "{host}: {answer}");
    }
}

#[test]
fn a_cut_closes_connections_until_it_is_mended() {
    let fixture = Fixture::start();
    let mut open = TcpStream::connect((Ipv4Addr::LOCALHOST, fixture.front.port)).unwrap();
    // Its head is half sent, so that it is being served.
    open.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    while fixture.front.shared.clients().is_empty() {
        std::thread::yield_now();
    }
    fixture.front.cut();
    assert_eq!(open.read(&mut [0; 1]).unwrap_or(0), 0);
    let mut refused = TcpStream::connect((Ipv4Addr::LOCALHOST, fixture.front.port)).unwrap();
    assert_eq!(refused.read(&mut [0; 1]).unwrap_or(0), 0);
    fixture.front.mend();
    assert!(fixture.get("/").contains("200 OK"));
}
