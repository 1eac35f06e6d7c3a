//! A page of the real `centrifuge` and `@trpc/client` in Node: `web/conformance/chaos/page.mjs`.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::page::Look;
use super::record::Record;
use crate::broker::workspace_root;
use crate::oracle::shown;
use crate::rpc;

/// Long enough to load a snapshot.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

pub struct Client {
    pub name: String,
    pipes: Mutex<Pipes>,
    /// Ends when this is dropped.
    _child: Child,
}

struct Pipes {
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Client {
    pub fn open(user: &str, api_url: &str, socket_url: &str) -> Result<Self> {
        let folder = workspace_root().join("web/conformance");
        ensure!(
            folder.join("node_modules").is_dir(),
            "the real clients are not installed: run `npm ci` in web/conformance, or `cargo xtask chaos`, which does"
        );
        let mut child = Command::new("node")
            .arg("chaos/page.mjs")
            .current_dir(folder)
            .env("CALWIRE_API_URL", api_url)
            .env("CALWIRE_WS_URL", socket_url)
            .env("CALWIRE_JWT", rpc::jwt(user)?)
            .env("CALWIRE_USER", user)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run node: install Node.js 20.19 or newer")?;
        let questions = child.stdin.take().context("its input is piped")?;
        let answers = child.stdout.take().context("its output is piped")?;
        Ok(Self {
            name: format!("{user}'s centrifuge"),
            pipes: Mutex::new(Pipes {
                questions,
                answers: BufReader::new(answers).lines(),
            }),
            _child: child,
        })
    }

    pub async fn look(&self) -> Result<Look> {
        let answer = self.query().await?;
        Ok(Look {
            is_live: answer["live"] == true,
            seq: answer["seq"].as_i64().unwrap_or_default(),
            shown: shown(answer["events"].as_array().into_iter().flatten()),
        })
    }

    /// Adds its counts and the promises that it saw broken to the record.
    pub async fn report(&self, record: &Record) -> Result<()> {
        let answer = self.query().await?;
        for broken in answer["broken"].as_array().into_iter().flatten() {
            let detail = format!("{}: {}: {}", self.name, broken["promise"], broken["detail"]);
            record.broken("centrifuge_is_served", detail);
        }
        let count = |name: &str| answer["counts"][name].as_u64().unwrap_or_default();
        let mut counts = record.counts();
        counts.loads += count("loads");
        counts.messages += count("messages");
        counts.sockets += count("sockets");
        Ok(())
    }

    async fn query(&self) -> Result<Value> {
        let mut pipes = self.pipes.lock().await;
        pipes
            .questions
            .write_all(b"look\n")
            .await
            .context("it has ended")?;
        let line = timeout(ANSWERS_WITHIN, pipes.answers.next_line()).await;
        let line = line.context("it does not answer")??.context("it has ended")?;
        Ok(serde_json::from_str(&line)?)
    }
}
