//! As much of the Chrome DevTools Protocol as it takes to open a page, run a line of script and move a mouse.

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than the page's own rhythm of two seconds, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A headless Chromium with one tab; both end when this is dropped.
pub struct Browser {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    last_id: u64,
    _process: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None` when there is no Chromium.
    pub async fn start() -> Option<Self> {
        let program = provision::chromium::find()?;
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args([
                "--remote-debugging-port=0",
                "--window-size=1400,1300",
                "--lang=en-GB",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = timeout(PATIENCE, async {
            loop {
                let line = lines
                    .next_line()
                    .await
                    .unwrap()
                    .expect("Chromium ended before it listened");
                if let Some(address) = line.strip_prefix("DevTools listening on ") {
                    return address.to_owned();
                }
            }
        });
        let address = address.await.expect("Chromium listens");
        // Its messages are read on, so that a full pipe does not stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = connect_async(address).await.unwrap();
        let mut browser = Self {
            socket,
            session: None,
            last_id: 0,
            _process: process,
            _profile: profile,
        };
        let target = browser
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach).await;
        browser.session = session["sessionId"].as_str().map(ToOwned::to_owned);
        Some(browser)
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
        let answer = timeout(PATIENCE, async {
            loop {
                let message = self.socket.next().await.unwrap().unwrap();
                let answer: Value = serde_json::from_str(message.to_text().unwrap()).unwrap_or_default();
                if answer["id"] == self.last_id {
                    return answer;
                }
            }
        });
        let answer = answer.await.unwrap_or_else(|_| panic!("no answer to {method}"));
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub async fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url })).await;
    }

    /// The value of an expression, awaited if it is a promise.
    pub async fn js(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", params).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"].get("value").cloned().unwrap_or_default()
    }

    /// Waits until an expression is truthy.
    pub async fn until(&mut self, condition: &str) {
        let truth = format!("Promise.resolve({condition}).then(Boolean)");
        for _ in 0..PATIENCE.as_millis() / 50 {
            if self.js(&truth).await == true {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        let page = self.js("document.body.innerText").await;
        panic!(
            "never true: {condition}\nThe page reads:\n{}",
            page.as_str().unwrap_or_default()
        );
    }

    /// Opens the dialog of the event with this title.
    pub async fn open_event(&mut self, title: &str) {
        let title = json!(title);
        let find = format!(
            "[...document.querySelectorAll('[data-event]')].find((each) => each.querySelector('.name').textContent === {title})"
        );
        self.until(&find).await;
        self.js(&format!("{find}.click()")).await;
        self.until("document.querySelector('#editor[open]')").await;
    }

    /// Sets fields of the editor, as a person who leaves each of them.
    pub async fn fill(&mut self, fields: &[(&str, &str)]) {
        self.until("document.querySelector('#editor[open]')").await;
        for (name, value) in fields {
            let (id, value) = (json!(format!("field-{name}")), json!(value));
            self.js(&format!(
                "{{ const field = document.getElementById({id}); field.value = {value};
                    field.dispatchEvent(new Event('change', {{ bubbles: true }})); }}"
            ))
            .await;
        }
    }

    /// Saves the editor and waits for the word that it is done.
    pub async fn save(&mut self) {
        self.js("document.querySelectorAll('.toast').forEach((toast) => toast.remove())")
            .await;
        self.js("document.querySelector('#editor button[type=submit]').click()")
            .await;
        self.until("document.querySelector('.toast')").await;
        self.settle().await;
    }

    /// Waits until the page shows the emulator's present state.
    pub async fn settle(&mut self) {
        self.until(
            "fetch('/_emulator/state').then((answer) => answer.json())
                .then(({ revision }) => document.getElementById('view').dataset.revision === String(revision))",
        )
        .await;
    }

    /// Drags an event by `by` pixels. It is held at a share of its width and this many pixels from its top, or from its
    /// bottom when negative.
    pub async fn drag(&mut self, title: &str, across: f64, down: f64, by: (f64, f64)) {
        let title = json!(title);
        let place = format!(
            "{{ const event = [...document.querySelectorAll('[data-event]')].find((each) => each.textContent.includes({title}));
                event.scrollIntoView({{ block: 'center' }});
                const box = event.getBoundingClientRect();
                [box.x + box.width * {across}, {down} < 0 ? box.bottom + {down} : box.top + {down}] }}"
        );
        let place = self.js(&place).await;
        let (x, y) = (place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
        self.mouse("mouseMoved", x, y).await;
        self.mouse("mousePressed", x, y).await;
        for share in [0.1, 0.5, 1.0] {
            self.mouse("mouseMoved", x + by.0 * share, y + by.1 * share).await;
        }
        self.mouse("mouseReleased", x + by.0, y + by.1).await;
    }

    async fn mouse(&mut self, kind: &str, x: f64, y: f64) {
        let held = u8::from(kind != "mouseReleased");
        let params =
            json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": held, "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", params).await;
    }
}
