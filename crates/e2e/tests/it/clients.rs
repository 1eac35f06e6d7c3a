//! The real, unchanged clients of browsers: `@trpc/client` (two versions), `@orpc/client` and `centrifuge`, in Node against the
//! running services. The checks are in `web/conformance`.

use anyhow::{Context, Result, ensure};
use e2e::broker::{API_KEY, workspace_root};
use e2e::{Stack, rpc};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_real_clients_work_unchanged() -> Result<()> {
    let stack = Stack::start().await?;
    stack.connect_and_settle("alice").await?;
    let dir = workspace_root().join("web/conformance");
    ensure!(
        dir.join("node_modules").is_dir(),
        "the clients are not installed: run `npm ci` in web/conformance, or `cargo xtask test`, which does"
    );
    // Its output is shown at once, and the gate counts it.
    let status = Command::new("npm")
        .arg("test")
        .current_dir(dir)
        .env("CALWIRE_API_URL", stack.api.url())
        .env("CALWIRE_WS_URL", stack.broker.ws_url())
        .env("CALWIRE_PUBLISH_URL", stack.broker.api_url())
        .env("CALWIRE_PUBLISH_KEY", API_KEY)
        .env("CALWIRE_JWT", rpc::jwt("alice")?)
        .env("CALWIRE_JWT_OTHER", rpc::jwt("bob")?)
        .status()
        .await
        .context("cannot run npm: install Node.js 20.19 or newer")?;
    ensure!(status.success(), "the tests in web/conformance failed ({status})");
    stack.end().await
}
