//! The delay before a retry.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;

/// Exponential back-off with full jitter: a random time up to `base · 2^(attempt − 1)`, at most `cap`, and at least a tenth of
/// that bound, so that no retry is immediate and many do not coincide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub base: Duration,
    pub cap: Duration,
}

impl Backoff {
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    /// The delay after the `attempt`-th failure in a row, counted from 1.
    pub fn delay(&self, attempt: u32) -> Duration {
        let bound = self.bound(attempt);
        bound.mul_f64(spread(0.1..=1.0))
    }

    /// The longest delay after the `attempt`-th failure.
    pub fn bound(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }
}

/// `interval` ± 25 %, the spread that Google recommends for polling.
pub fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(spread(0.75..=1.25))
}

fn spread(range: RangeInclusive<f64>) -> f64 {
    #[cfg(feature = "simulation")]
    if let Some(roll) = crate::simulation::roll() {
        return range.start() + roll * (range.end() - range.start());
    }
    rand::rng().random_range(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_delay_is_within_its_bounds(attempt in 1_u32..10_000) {
            let backoff = Backoff::new(Duration::from_millis(200), Duration::from_mins(1));
            let delay = backoff.delay(attempt);
            prop_assert!(delay <= backoff.bound(attempt));
            prop_assert!(delay >= Duration::from_millis(20));
            prop_assert!(backoff.bound(attempt) <= backoff.cap);
        }
    }
}
