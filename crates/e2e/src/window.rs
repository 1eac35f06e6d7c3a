//! The page in a real Chromium, for the benchmarks: when a person would see a change.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::broker::workspace_root;
use crate::wait::PATIENCE;
use crate::{Options, Stack};

/// A stack that serves the page.
pub fn with_page() -> Result<Options> {
    let page = workspace_root().join("web/demo/dist");
    ensure!(
        page.join("index.html").is_file(),
        "the page is not built: run `cargo xtask bench`, which builds it"
    );
    Ok(Options {
        page: Some(page),
        ..Options::default()
    })
}

/// A Chromium with alice's page, which reports when a [renamed](crate::measure::Renamed) event shows its new name.
pub struct Window {
    browser: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Window {
    pub async fn open(stack: &Stack) -> Result<Self> {
        let chromium = provision::chromium::find().context("Chromium is not installed")?;
        let origin = stack.front.as_ref().context("the stack has no page")?.origin();
        let mut browser = Command::new("node")
            .arg("bench/dom.mjs")
            .current_dir(workspace_root().join("web/e2e"))
            .env("CALWIRE_WEB_URL", origin)
            .env("CHROMIUM_BIN", chromium)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run node")?;
        let out = browser.stdout.take().context("its output is piped")?;
        let lines = BufReader::new(out).lines();
        let mut window = Self { browser, lines };
        let line = window.line().await?;
        ensure!(line == "ready", "the page said {line:?}");
        Ok(window)
    }

    /// When the `n`th name was in the DOM.
    pub async fn shown(&mut self, n: u32) -> Result<DateTime<Utc>> {
        loop {
            let line = self.line().await?;
            let (number, at) = line.split_once(' ').with_context(|| line.clone())?;
            if number.parse() == Ok(n) {
                return of_page(at.parse()?).context("a time");
            }
        }
    }

    async fn line(&mut self) -> Result<String> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.context("the page shows nothing")??
            .context("the browser has ended")
    }

    pub async fn close(mut self) -> Result<()> {
        drop(self.browser.stdin.take());
        tokio::time::timeout(PATIENCE, self.browser.wait())
            .await
            .context("the browser does not end")??;
        Ok(())
    }
}

/// Milliseconds since 1970, with a fraction.
#[expect(
    clippy::cast_possible_truncation,
    reason = "microseconds since 1970 fit for some 290,000 years"
)]
fn of_page(ms: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros((ms * 1e3) as i64)
}
