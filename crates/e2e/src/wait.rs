//! Waits for a condition, with a bound and a description.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Long enough for a busy two-core machine: a test that exceeds it has found a bug, not a slow day.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Calls `ask` until it returns an answer. Panics with `what` after [`PATIENCE`].
pub async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, ask).await
}

/// As [`until`], with another bound.
pub async fn until_within<T>(bound: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < bound, "not within {bound:?}: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Asserts that `ask` returns `expected` for a while, in which a wrong change would have happened.
pub async fn stays<T: PartialEq + Debug>(
    expected: &T,
    for_a_while: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> T,
) {
    let started = Instant::now();
    while started.elapsed() < for_a_while {
        assert_eq!(&ask().await, expected, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
