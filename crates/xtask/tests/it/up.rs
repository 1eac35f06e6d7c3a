//! `cargo xtask up` as a person runs it: from nothing to ready, a change in Google that arrives, and nothing left behind.

#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");
/// Where the services have to be built first, this takes minutes.
const READY_WITHIN: Duration = Duration::from_mins(15);
const PORTS: [&str; 8] = [
    "web",
    "api",
    "webhook",
    "renewer",
    "emulator",
    "centrifugo",
    "centrifugo-api",
    "postgres",
];

fn xtask(state: &Path) -> Command {
    let mut command = Command::new(XTASK);
    command
        .env("CALWIRE_STATE_DIR", state)
        // The private cluster is part of what is tested, whatever the tests around this one use.
        .env_remove("DATABASE_URL")
        .env_remove("GOOGLE_CLIENT_ID")
        .stdin(Stdio::null());
    command
}

/// Runs `up`, and stops it when dropped.
struct Up {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Up {
    fn start(state: &Path) -> Self {
        let mut command = xtask(state);
        command.arg("up");
        for port in PORTS {
            let free = provision::port::free().unwrap();
            command.arg(format!("--port-{port}={free}"));
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // The receiver is gone once the test is over.
                let _ = sender.send(line);
            }
        });
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    fn wait_for(&mut self, wanted: &str, within: Duration) {
        let deadline = Instant::now() + within;
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.said.push(line);
            if self.said.last().is_some_and(|line| line == wanted) {
                return;
            }
        }
        panic!("`up` did not say {wanted:?}:\n{}", self.said.join("\n"));
    }

    fn stop(&mut self) -> std::process::ExitStatus {
        provision::process::signal(self.child.id(), Signal::TERM);
        self.child.wait().unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        provision::process::stop(&mut self.child, Signal::TERM, Duration::from_mins(1));
    }
}

fn read_stack(state: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(state.join("stack.json")).unwrap()).unwrap()
}

/// On the one origin, with a token for whom it may sign in as.
fn the_page_is_served(stack: &Value) {
    let web = stack["webUrl"].as_str().unwrap();
    let mut page = ureq::get(format!("{web}/?user=alice")).call().unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let html = page.body_mut().read_to_string().unwrap();
    assert!(html.contains("src=\"/assets/"), "{html}");
    let mut token = ureq::get(format!("{web}/demo/token?user=alice")).call().unwrap();
    let token: Value = token.body_mut().read_json().unwrap();
    let token = token["token"].as_str().unwrap();
    ureq::get(format!("{web}/trpc/calendar.google.status"))
        .header("Authorization", format!("Bearer {token}"))
        .call()
        .unwrap();
}

/// The upcoming events of alice, as the page would ask for them.
fn upcoming(stack: &Value, token: &str) -> Value {
    let input = "%7B%22days%22%3A30%2C%22maxResults%22%3A50%7D";
    let api = stack["apiUrl"].as_str().unwrap();
    let mut answer = ureq::get(format!(
        "{api}/trpc/calendar.google.getUpcomingEvents?input={input}"
    ))
    .header("Authorization", format!("Bearer {token}"))
    .call()
    .unwrap();
    let mut answer: Value = answer.body_mut().read_json().unwrap();
    answer["result"]["data"].take()
}

fn eventually(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn up_runs_the_product_and_leaves_nothing_behind() {
    let state = tempfile::tempdir().unwrap();
    std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let state = state.path();
    let mut up = Up::start(state);
    up.wait_for("ready", READY_WITHIN);

    let stack = read_stack(state);
    let token = xtask(state).args(["token", "--user", "alice"]).output().unwrap();
    let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
    assert_eq!(token.split('.').count(), 3, "{token}");

    the_page_is_served(&stack);
    // The demo's month is there.
    eventually("alice has events", Duration::from_secs(30), || {
        let data = upcoming(&stack, &token);
        data["connected"] == true && data["events"].as_array().is_some_and(|events| events.len() > 3)
    });
    // A change in Google arrives by push: polling would take a minute.
    change_in_google(&stack);
    eventually("the change has arrived", Duration::from_secs(20), || {
        let data = upcoming(&stack, &token);
        let events = data["events"].as_array().cloned().unwrap_or_default();
        events
            .iter()
            .any(|event| event["title"] == "Made while up was running")
    });

    // A second one in the same checkout fails.
    let second = xtask(state).arg("up").output().unwrap();
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(
        !second.status.success() && told.contains("running in this checkout already"),
        "{told}"
    );

    let pids: Vec<_> = std::fs::read_to_string(state.join("pids"))
        .unwrap()
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(pids.len(), 5);
    assert!(up.stop().success());
    for pid in pids {
        assert!(!Path::new("/proc").join(&pid).exists(), "process {pid} is left");
    }
}

fn change_in_google(stack: &Value) {
    let emulator = stack["emulatorUrl"].as_str().unwrap();
    let mut token = ureq::post(format!("{emulator}/_emulator/tokens"))
        .send_json(json!({
            "user": "alice@example.com",
            "scopes": ["https://www.googleapis.com/auth/calendar"],
        }))
        .unwrap();
    let token: Value = token.body_mut().read_json().unwrap();
    let token = token["accessToken"]
        .as_str()
        .or(token["access_token"].as_str())
        .unwrap();
    // In the second minute from now, so that it is among the first whatever the day holds.
    #[expect(
        clippy::disallowed_methods,
        reason = "the stack under test runs by the real clock"
    )]
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let time = |seconds: u64| rfc3339(now + seconds);
    ureq::post(format!("{emulator}/calendar/v3/calendars/primary/events"))
        .header("Authorization", format!("Bearer {token}"))
        .send_json(json!({
            "summary": "Made while up was running",
            "start": { "dateTime": time(120) },
            "end": { "dateTime": time(1920) },
        }))
        .unwrap();
}

/// Seconds since 1970 as text, with the civil calendar's arithmetic of the `date` program.
fn rfc3339(seconds: u64) -> String {
    let out = Command::new("date")
        .args(["--utc", "--date", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}
