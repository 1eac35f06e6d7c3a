//! Lets a test in a browser control the stack behind the page, by HTTP on loopback.
//!
//! | `POST` | body | does |
//! |---|---|---|
//! | `/broker/kill`, `/broker/start` | | Centrifugo, which starts again empty on the same port |
//! | `/api/kill`, `/api/start`, and so `/ingest/…`, `/renewer/…` | `{env?}` at a start | a service, killed as by a crash; `env` applies to that start alone |
//! | `/database/stop`, `/database/start` | | Postgres |
//! | `/network/cut`, `/network/mend` | | the network between browsers and the one origin; Google still reaches Calwire |
//! | `/token` | `{user, expiresIn}` | `{token}`: a JWT of the host application that is valid for `expiresIn` seconds |
//! | `/users` | `{user, calendars?}` | adds a Google account and a user of the page of this name; calendars as in a seed file |
//! | `/connect` | `{user, scopes?}` | takes the user through Google's consent page; `scopes`: those left ticked |
//! | `/settled` | `{user}` | answers once everything is imported, watched and published |
//!
//! Commands run one at a time. The answer is `{…}` once a command is done, or 500 with `{error}`.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, TcpListener};
use std::panic::AssertUnwindSafe;

use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result, bail, ensure};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::database::Private;
use crate::stack::Service;
use crate::{Stack, google, rpc};

/// A stack that a test in a browser may break.
pub struct ControlledStack {
    pub stack: Stack,
    pub postgres: Private,
}

struct Command {
    path: String,
    body: Value,
    answer: oneshot::Sender<Result<Value, String>>,
}

type Sender = mpsc::UnboundedSender<Command>;

/// The server. It ends when this is dropped.
pub struct Control {
    url: String,
    commands: mpsc::UnboundedReceiver<Command>,
    server: ServerHandle,
}

impl Control {
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, commands) = mpsc::unbounded_channel();
        let sender = Data::new(sender);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(sender.clone())
                .route("/{path:.*}", web::post().to(receive))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self {
            url,
            commands,
            server: handle,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs commands until `end` completes.
    pub async fn serve_until<T>(&mut self, stack: &mut ControlledStack, end: impl Future<Output = T>) -> T {
        let mut end = std::pin::pin!(end);
        loop {
            let command = tokio::select! {
                result = &mut end => return result,
                Some(command) = self.commands.recv() => command,
            };
            // A wait that times out panics, which fails one command but not the stack.
            let result = AssertUnwindSafe(stack.act(&command.path, &command.body))
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| {
                    bail!(
                        "{}",
                        panic.downcast_ref::<String>().map_or("panicked", String::as_str)
                    )
                });
            // The browser's test may have stopped waiting.
            let _ = command.answer.send(result.map_err(|error| format!("{error:#}")));
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let stopping = self.server.stop(false);
        tokio::spawn(stopping);
    }
}

async fn receive(sender: Data<Sender>, path: Path<String>, body: Bytes) -> HttpResponse {
    let failed = |error: String| HttpResponse::InternalServerError().json(json!({ "error": error }));
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let body = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => return failed(error.to_string()),
    };
    let (answer, answered) = oneshot::channel();
    let command = Command {
        path: path.into_inner(),
        body,
        answer,
    };
    // The test holds both ends, and this ends with it.
    let _ = sender.send(command);
    match answered.await {
        Ok(Ok(value)) => HttpResponse::Ok().json(value),
        Ok(Err(error)) => failed(error),
        Err(_) => failed("the test is over".to_owned()),
    }
}

impl ControlledStack {
    async fn act(&mut self, path: &str, body: &Value) -> Result<Value> {
        let (what, action) = path.split_once('/').unwrap_or((path, ""));
        let stack = &mut self.stack;
        match (what, action) {
            ("broker", "kill") => stack.broker.kill(),
            ("broker", "start") => stack.broker.start_again()?,
            ("api", _) => service(&mut stack.api, action, body).await?,
            ("ingest", _) => service(&mut stack.ingests[0], action, body).await?,
            ("renewer", _) => service(&mut stack.renewers[0], action, body).await?,
            ("database", "stop") => self.postgres.pause().await?,
            ("database", "start") => self.postgres.resume().await?,
            ("network", "cut") => self.front()?.cut(),
            ("network", "mend") => self.front()?.mend(),
            ("token", "") => return token(body),
            ("users", "") => self.add_user(body).await?,
            ("connect", "") => return self.connect(body).await,
            ("settled", "") => self.settled(user(body)?).await,
            _ => bail!("there is no /{path}"),
        }
        Ok(json!({}))
    }

    fn front(&self) -> Result<&provision::front::Front> {
        self.stack.front.as_ref().context("this stack has no page")
    }

    async fn add_user(&self, body: &Value) -> Result<()> {
        let user = user(body)?;
        let email = google::account(user);
        let primary = json!([{"id": email, "summary": user, "timeZone": "Europe/Zurich", "primary": true}]);
        let calendars = body.get("calendars").cloned().unwrap_or(primary);
        let account = json!({"email": email, "name": user, "calendars": calendars});
        let url = format!("{}/_emulator/users", self.stack.google.base_url());
        let http = reqwest::Client::builder().no_proxy().build()?;
        let answer = http.post(url).json(&account).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
        self.front()?.admit(user);
        Ok(())
    }

    async fn connect(&self, body: &Value) -> Result<Value> {
        let user = user(body)?;
        let scopes: Option<Vec<&str>> = body["scopes"]
            .as_array()
            .map(|scopes| scopes.iter().filter_map(Value::as_str).collect());
        let api = self.stack.as_user(user)?;
        let account = google::account(user);
        let landed = google::consent(&self.stack.google, &api, &account, scopes.as_deref()).await?;
        Ok(json!({ "location": landed }))
    }

    async fn settled(&self, user: &str) {
        self.stack.settled(user).await;
        self.stack.watched(user).await;
        // A new channel causes one more pull.
        self.stack.settled(user).await;
    }
}

async fn service(service: &mut Service, action: &str, body: &Value) -> Result<()> {
    match action {
        "kill" => service.kill().await,
        "start" => {
            let env = match body.get("env") {
                None => BTreeMap::new(),
                Some(env) => serde_json::from_value(env.clone()).context("env is {NAME: text}")?,
            };
            service.start_with(env).await?;
        }
        _ => bail!("expected kill or start for a service"),
    }
    Ok(())
}

fn token(body: &Value) -> Result<Value> {
    let seconds = body["expiresIn"].as_i64().context("expiresIn is missing")?;
    let token = rpc::jwt_for(user(body)?, seconds)?;
    Ok(json!({ "token": token }))
}

fn user(body: &Value) -> Result<&str> {
    body["user"].as_str().context("user is missing")
}
