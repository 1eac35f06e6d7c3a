//! The tasks that a service runs beside its server.

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Tasks that end by themselves after a stop, within its deadline, or are aborted.
pub struct Background {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    served: CancellationToken,
}

impl Background {
    pub fn new(stop: CancellationToken) -> Self {
        Self {
            tasks: JoinSet::new(),
            stop,
            served: CancellationToken::new(),
        }
    }

    /// Cancelled when the service begins to stop.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Cancelled when the server has answered its last request, for tasks that requests depend on.
    pub fn served(&self) -> CancellationToken {
        self.served.clone()
    }

    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits for the tasks until `deadline`, then aborts them.
    pub(super) async fn drain(mut self, deadline: Instant) {
        self.stop.cancel();
        self.served.cancel();
        let drained = timeout_at(deadline, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            tracing::warn!(
                "Some work did not finish in time and was aborted; other workers take over when its leases expire"
            );
            self.tasks.shutdown().await;
        }
    }
}
