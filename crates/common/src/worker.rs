//! Loops: every background job is a `run_once` and this repetition around it.

use std::fmt::Display;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, jittered};
use crate::telemetry::metrics;

/// What one pass of a loop found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// There was work, so there may be more: the next pass follows at once.
    Worked,
    /// There was none: the next pass follows when woken, or after the idle interval.
    Idle,
}

/// How a loop waits.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// The longest sleep between two passes while nothing wakes the loop. Wake-ups may be lost; this is the guarantee.
    pub idle: Duration,
    /// The wait after a pass that failed; nothing shortens it.
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

/// Repeats `run_once` until `stop` is cancelled. A pass that has begun is finished, so a stop drains; whoever runs the
/// loop bounds how long it waits for that. A failed pass is logged here, once, and tried again later.
///
/// `run_once` is not an async closure: the compiler cannot show yet that a loop over one is `Send`, and loops are spawned.
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
                // A loop that always finds work must still let its task's neighbours run.
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
                tracing::warn!(worker = name, failures, retry_in_ms, %error, "A pass failed and will be tried again");
                // A wake-up says that there is work, not that it will succeed: a broken loop must not spin on them.
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

/// Cancelled when the process is asked to end, by SIGTERM or Ctrl-C.
pub fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        tracing::info!("Stopping: finishing what has begun");
        signalled.cancel();
    });
    stop
}

/// How long everything together may take to end after a stop was asked for, the server's last requests included. Whoever asks
/// (Compose, systemd) is told 10 s.
const STOP_WITHIN: Duration = Duration::from_secs(9);

/// When all that was begun before `stop` has to have ended. Waits for the stop.
pub async fn stop_deadline(stop: CancellationToken) -> Instant {
    stop.cancelled().await;
    Instant::now() + STOP_WITHIN
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

    #[tokio::test(start_paused = true)]
    async fn a_loop_drains_work_then_waits_to_be_woken_and_outlives_failures() {
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
        assert_eq!(passes[3], passes[0], "the loop was woken");
        assert!(passes[4] > passes[3], "nothing shortens the wait after a failure");
    }
}
