//! The page in a real Chromium, in front of the whole stack. The tests are in `web/e2e`; they control the stack by
//! [`e2e::control`].

use anyhow::{Context, Result, ensure};
use e2e::broker::{API_KEY, workspace_root};
use e2e::control::{Control, ControlledStack};
use e2e::database::Private;
use e2e::{Options, Stack};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_in_a_browser() -> Result<()> {
    tests_in("tests").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_while_parts_of_the_stack_die() -> Result<()> {
    tests_in("tests/faults").await
}

/// The tests of a folder of `web/e2e`.
async fn tests_in(folder: &str) -> Result<()> {
    let web = workspace_root().join("web");
    let page = web.join("demo/dist");
    ensure!(
        page.join("index.html").is_file(),
        "the page is not built: run `npm ci && npm run build` in web/, or `cargo xtask test`, which does"
    );
    let chromium = provision::chromium::find().context(
        "Chromium is not installed: `cargo xtask test --only browser` installs it, or set CHROMIUM_BIN",
    )?;
    let postgres = Private::start().await?;
    let options = Options {
        page: Some(page),
        database_server: Some(postgres.url()),
        ..Options::default()
    }
    // Otherwise a refused grant is in doubt for a minute.
    .tune("grant_confirm_seconds", 1);
    let mut controlled = ControlledStack {
        stack: Stack::with(options).await?,
        postgres,
    };
    let mut control = Control::start()?;
    let stack = &controlled.stack;
    let origin = stack
        .front
        .as_ref()
        .context("a stack with a page has a front")?
        .origin();
    let mut npm = Command::new("npm");
    // Its output is long, so it is shown at once; the gate counts it.
    npm.args(["test", "--workspace", "e2e", "--", folder])
        .current_dir(&web)
        .env("CHROMIUM_BIN", chromium)
        .env("CALWIRE_WEB_URL", origin)
        .env("CALWIRE_API_URL", stack.api.url())
        .env("CALWIRE_WS_URL", stack.broker.ws_url())
        .env("CALWIRE_EMULATOR_URL", stack.google.base_url())
        .env("CALWIRE_CENTRIFUGO_API_URL", stack.broker.api_url())
        .env("CALWIRE_CENTRIFUGO_API_KEY", API_KEY)
        .env("CALWIRE_CONTROL_URL", control.url())
        .kill_on_drop(true);
    let mut running = npm
        .spawn()
        .context("cannot run npm: install Node.js 20.19 or newer")?;
    let status = control.serve_until(&mut controlled, running.wait()).await?;
    ensure!(status.success(), "the tests in web/e2e failed ({status})");
    controlled.stack.end().await
}
