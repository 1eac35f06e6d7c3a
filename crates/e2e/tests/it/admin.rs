//! Operating an installation with browsers open: stopping, backing up, restoring, migrating.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use chrono::TimeDelta;
use e2e::google::{ALICE, timed};
use e2e::oracle::{View, mirror_equals_google};
use e2e::{Stack, wait};
use google_emulator::{Fault, Rule};
use provision::postgres::Binaries;
use serde_json::json;
use uuid::Uuid;

/// A little less than the grace period of Compose and systemd.
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn every_busy_service_stops_within_ten_seconds() -> Result<()> {
    let mut stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    // Google does not answer for longer than a stop may take.
    for endpoint in [
        "events.list",
        "events.insert",
        "events.watch",
        "calendarList.list",
    ] {
        stack.google.fault(Rule::new(
            endpoint,
            Fault::Delay {
                ms: 60_000,
                jitter_ms: 0,
            },
        ));
    }
    let calendar = stack.calendar_id("alice", ALICE).await?;
    let write = tokio::spawn(async move {
        let event = json!({"title": "Slow", "start": "2027-01-11T10:00:00Z", "end": "2027-01-11T11:00:00Z"});
        let input = json!({"idempotencyKey": Uuid::new_v4(), "calendarId": calendar, "event": event});
        alice.mutate("calendar.google.createEvent", input).await
    });
    stack
        .google
        .insert(ALICE, "primary", timed("Pushed", TimeDelta::hours(1), "UTC"))?;
    let pulls = async || (!stack.google.requests_to("events.list").is_empty()).then_some(());
    wait::until("a pull is under way", pulls).await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    for service in [&mut stack.api, &mut stack.ingests[0], &mut stack.renewers[0]] {
        let started = Instant::now();
        let code = service.terminate().await?;
        ensure!(started.elapsed() < STOP_WITHIN, "it took {:?}", started.elapsed());
        ensure!(code == Some(0), "it ended with {code:?}");
    }
    // The write may be cut off or answered.
    let _ = write.await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_follow_a_restored_backup() -> Result<()> {
    let mut stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let mut view = View::load(&alice).await?;
    stack
        .google
        .insert(ALICE, "primary", timed("Before", TimeDelta::hours(1), "UTC"))?;
    mirror_equals_google(&stack, "alice").await?;
    let folder = tempfile::tempdir()?;
    let dump = folder.path().join("calwire.dump");
    backup(&stack.database.url, &dump)?;

    for n in 0..edits() {
        let body = timed(&format!("After {n}"), TimeDelta::minutes(n % 600), "UTC");
        stack.google.insert(ALICE, "primary", body)?;
    }
    mirror_equals_google(&stack, "alice").await?;
    stack.settled("alice").await;
    view.catch_up(&mut socket).await?;
    let (seen, reloads) = (view.seq, view.reloads);

    // As in docs/operations.md: stop the services, restore, run `restored`, start.
    for service in [&mut stack.api, &mut stack.ingests[0], &mut stack.renewers[0]] {
        service.terminate().await?;
    }
    restore(&stack.database.url, &dump)?;
    let position: i64 = sqlx::query_scalar("select seq from user_stream where user_id = 'alice'")
        .fetch_one(&stack.database.pool)
        .await?;
    ensure!(
        position < seen,
        "the backup is not older than what the browser saw"
    );
    let restored = stack.command(&["restored"], &[]).await?;
    ensure!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    for service in [&mut stack.api, &mut stack.ingests[0], &mut stack.renewers[0]] {
        service.start_again().await?;
    }

    // The socket is the same, and the page was not touched.
    let reloaded = socket.next().await?;
    view.apply(&reloaded).await?;
    ensure!(view.reloads > reloads, "the browser ignored {reloaded}");
    mirror_equals_google(&stack, "alice").await?;
    view.catch_up(&mut socket).await?;
    stack
        .google
        .insert(ALICE, "primary", timed("Alive", TimeDelta::hours(2), "UTC"))?;
    let alive = socket.next_titled("Alive").await?;
    view.apply(&alive).await?;
    view.catch_up(&mut socket).await?;
    stack.end().await
}

/// Edits that the restore loses; `CALWIRE_RESTORE_EDITS` sets another number.
fn edits() -> i64 {
    let wanted = std::env::var("CALWIRE_RESTORE_EDITS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// The command of docs/operations.md.
fn backup(url: &str, dump: &Path) -> Result<()> {
    let mut command = postgres_program("pg_dump")?;
    run(command.args(["--format=custom", "--file"]).arg(dump).arg(url))
}

/// The command of docs/operations.md.
fn restore(url: &str, dump: &Path) -> Result<()> {
    let mut command = postgres_program("pg_restore")?;
    run(command
        .args([
            "--clean",
            "--if-exists",
            "--no-owner",
            "--single-transaction",
            "--exit-on-error",
        ])
        .args(["--dbname", url])
        .arg(dump))
}

fn postgres_program(name: &str) -> Result<Command> {
    let binaries = Binaries::find_or_install(&mut |line| eprintln!("{line}"))?;
    Ok(Command::new(binaries.program(name)))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_moved_data_restarts_its_streams() -> Result<()> {
    let stack = Stack::start().await?;
    stack.connect_and_settle("alice").await?;
    let epoch = async || -> Result<Uuid> {
        Ok(
            sqlx::query_scalar("select epoch from user_stream where user_id = 'alice'")
                .fetch_one(&stack.database.pool)
                .await?,
        )
    };
    let migrate = async || -> Result<()> {
        let output = stack.command(&["migrate"], &[]).await?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    };
    let before = epoch().await?;
    migrate().await?;
    ensure!(epoch().await? == before, "the data has not moved");
    // As if the data came from another server.
    sqlx::query("update database_identity set timeline = timeline + 7")
        .execute(&stack.database.pool)
        .await?;
    // Two at once: one does the work, and the other finds it done.
    let (one, other) = tokio::join!(migrate(), migrate());
    one?;
    other?;
    ensure!(
        epoch().await? != before,
        "a browser would resume from an outdated position"
    );
    let now = epoch().await?;
    migrate().await?;
    ensure!(epoch().await? == now, "the streams were restarted twice");
    stack.end().await
}
