//! When a stopping server may close its socket: once proxies have noticed and no requests arrive any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// The longest a stopping server waits for its clients to go elsewhere: as long as a proxy takes to notice.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// After this long without a request, and this long after a proxy was notified, the server is drained.
const QUIET_MILLIS: u64 = 150;
/// A proxy that requested `/readyz` this recently is expected to request it again.
const PROBED_WITHIN_MILLIS: u64 = 5_000;

/// When the server's last requests were. Times are in milliseconds since `started`.
pub(super) struct Draining {
    stop: CancellationToken,
    /// The runtime that the server runs on, which outlives those of actix's workers.
    pub(super) runtime: Handle,
    started: Instant,
    /// When the last request arrived or was answered.
    last_request_at: AtomicU64,
    /// When `/readyz` was last requested before the stop; 0: never.
    probed_at: AtomicU64,
    /// When `/readyz` first answered that the service is stopping; 0: not yet.
    notified_at: AtomicU64,
}

impl Draining {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            runtime: Handle::current(),
            started: Instant::now(),
            last_request_at: AtomicU64::new(0),
            probed_at: AtomicU64::new(0),
            notified_at: AtomicU64::new(0),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    pub(super) fn record_request(&self) {
        self.last_request_at.store(self.millis(), Ordering::Relaxed);
    }

    pub(super) fn record_probe(&self) {
        self.probed_at.store(self.millis(), Ordering::Relaxed);
    }

    /// Only the first notification counts.
    pub(super) fn record_notified(&self) {
        let _ = self
            .notified_at
            .compare_exchange(0, self.millis(), Ordering::Relaxed, Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns once a proxy that probes the server was notified and requests have ceased, or after [`DRAIN_MAX`].
    pub(super) async fn drained(&self) {
        let since = Instant::now();
        let age = |at: &AtomicU64| self.millis().saturating_sub(at.load(Ordering::Relaxed));
        let is_probed =
            self.probed_at.load(Ordering::Relaxed) > 0 && age(&self.probed_at) < PROBED_WITHIN_MILLIS;
        while since.elapsed() < DRAIN_MAX {
            let is_notified =
                self.notified_at.load(Ordering::Relaxed) > 0 && age(&self.notified_at) >= QUIET_MILLIS;
            if (is_notified || !is_probed) && age(&self.last_request_at) >= QUIET_MILLIS {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
