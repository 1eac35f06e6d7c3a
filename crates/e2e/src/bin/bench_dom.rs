//! How long a change in Google takes to a page in a real Chromium, beside how long the same change takes to a socket.
//!
//! Each round renames an event in the emulator. A socket of the same user reports when the frame arrived, and a
//! MutationObserver in the page when the new title was in the DOM, all by this machine's clock. The difference is the
//! browser's work: parsing, the client package, React.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use e2e::Stack;
use e2e::broker::workspace_root;
use e2e::google::now;
use e2e::measure::{Renamed, Times, print_head, print_round};
use e2e::socket::Socket;
use e2e::window::{Window, with_page};
use tokio::process::Command;

/// Enough for a p99 that is not one sample.
const ROUNDS: u32 = 300;
/// Rounds after which caches are filled and code is compiled.
const WARM_UP: u32 = 20;
/// Between rounds, so that changes are not combined.
const PAUSE: Duration = Duration::from_millis(30);

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::with(with_page()?).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let event = Renamed::insert(&stack)?;
    stack.settled("alice").await;
    let mut window = Window::open(&stack).await?;

    let (mut frames, mut screens, mut between) = (Times::new()?, Times::new()?, Times::new()?);
    for n in 0..ROUNDS + WARM_UP {
        print_round(n, ROUNDS + WARM_UP);
        let start = now();
        let (renamed, frame, shown) = tokio::join!(event.rename(n), framed(&mut socket, n), window.shown(n));
        renamed?;
        let (frame, shown) = (frame?, shown?);
        if n >= WARM_UP {
            frames.record((frame - start).to_std()?)?;
            screens.record((shown - start).to_std()?)?;
            // The page may even be first.
            between.record((shown - frame).max(TimeDelta::zero()).to_std()?)?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    window.close().await?;
    stack.end().await?;

    print_head();
    frames.print("change in Google → frame");
    screens.print("change in Google → DOM");
    between.print("frame → DOM");
    println!(
        "\nratio, change → DOM ÷ change → frame: {:.2} at p50, {:.2} at p99\n",
        screens.ms(0.5) / frames.ms(0.5),
        screens.ms(0.99) / frames.ms(0.99)
    );
    size().await
}

/// When the frame of the `n`th name arrived.
async fn framed(socket: &mut Socket, n: u32) -> Result<DateTime<Utc>> {
    socket.next_titled(&Renamed::title(n)).await?;
    Ok(now())
}

/// The bytes that the client package adds to a page.
async fn size() -> Result<()> {
    println!("@calwire/client/react, gzipped bytes without its peers:");
    let status = Command::new("npm")
        .args(["run", "--silent", "size"])
        .current_dir(workspace_root().join("web"))
        .status()
        .await
        .context("cannot run npm")?;
    ensure!(status.success(), "the package exceeds its size budget ({status})");
    Ok(())
}
