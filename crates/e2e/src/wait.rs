//! Waiting for something to become true, with a bound and a reason.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Long enough for a busy two-core machine; a test that meets it has found something, not a slow day.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer. Panics with `what` after [`PATIENCE`].
pub async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, ask).await
}

/// As [`until`], with a bound of its own.
pub async fn until_within<T>(bound: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < bound, "waited {bound:?} in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Asserts that `ask` gives `expected` and still does after a while in which anything wrong would have happened.
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
