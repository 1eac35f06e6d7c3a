//! Loops: every background job is a `run_once` that [`repeat`] repeats.

use std::fmt::Display;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, jittered};
use crate::telemetry::metrics;

/// The result of one pass of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// There was work, and there may be more: the next pass follows at once.
    Worked,
    /// There was none: the next pass follows a wake-up, or the idle interval.
    Idle,
}

/// The delays of a loop.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// The longest sleep between two passes. Wake-ups may be lost; this one is guaranteed.
    pub idle: Duration,
    /// The delay after a failed pass; wake-ups do not shorten it.
    pub backoff: Backoff,
}

impl Rhythm {
    pub const fn every(idle: Duration) -> Self {
        Self {
            idle,
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(10)),
        }
    }
}

/// Repeats `run_once` until `stop` is cancelled. A started pass is finished; the caller bounds how long it waits for that. A
/// failed pass is logged here, once, and retried later.
///
/// `run_once` is not an async closure: the compiler cannot prove yet that a loop over one is `Send`, and loops are spawned.
pub async fn repeat<E: Display, F: Future<Output = Result<Pass, E>>>(
    name: &'static str,
    stop: &CancellationToken,
    wake: &Notify,
    rhythm: Rhythm,
    mut run_once: impl FnMut() -> F,
) {
    let mut failures = 0;
    metrics::worker(name);
    while !stop.is_cancelled() {
        let (wait, wakes) = match run_once().await {
            Ok(Pass::Worked) => {
                failures = 0;
                // A loop that always finds work must still yield to other tasks.
                tokio::task::yield_now().await;
                continue;
            }
            Ok(Pass::Idle) => {
                failures = 0;
                (jittered(rhythm.idle), true)
            }
            Err(error) => {
                failures += 1;
                metrics::worker_failed(name);
                let wait = rhythm.backoff.delay(failures);
                let retry_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(worker = name, failures, retry_in_ms, %error, "Background pass failed; retrying");
                // A wake-up means that there is work, not that it will succeed: a failing loop must not spin on them.
                (wait, false)
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = wake.notified(), if wakes => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    tracing::debug!(worker = name, "Loop stopped");
}

/// A token that SIGTERM or Ctrl-C cancels.
pub fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        tracing::info!("Stopping: finishing started work");
        signalled.cancel();
    });
    stop
}

#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() {
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_loop_drains_waits_and_survives_failures() {
        let (stop, wake) = (CancellationToken::new(), Notify::new());
        let started = Instant::now();
        let mut passes = Vec::new();
        let rhythm = Rhythm::every(Duration::from_hours(1));
        wake.notify_one();
        repeat("test", &stop, &wake, rhythm, || {
            passes.push(started.elapsed());
            std::future::ready(match passes.len() {
                1 | 2 => Ok(Pass::Worked),
                3 => Ok(Pass::Idle),
                4 => {
                    wake.notify_one();
                    Err("broken")
                }
                _ => {
                    stop.cancel();
                    Ok(Pass::Idle)
                }
            })
        })
        .await;
        assert_eq!(passes.len(), 5);
        assert_eq!(passes[3], passes[0], "the loop was not woken");
        assert!(
            passes[4] > passes[3],
            "a wake-up shortened the delay after a failure"
        );
    }
}
