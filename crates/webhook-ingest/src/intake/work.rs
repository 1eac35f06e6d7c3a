//! The database work of the batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::batch::{BatchFailed, Work};
use common::clock::Clock;
use common::ids::ResourceId;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgConnection, PgPool};
use store::intake::{self, Channel, NotMarked};
use tokio::sync::Notify;

/// After this, the waiting pushes are answered 503.
const DATABASE_TIMEOUT: Duration = Duration::from_millis(2_500);
/// After a failed attempt to connect, pushes are rejected for this long without another attempt.
const RECONNECT_AFTER: Duration = Duration::from_millis(200);

pub(super) type Traces = Mutex<HashMap<ResourceId, String>>;

/// Looks up channels.
pub(super) struct Lookups(pub(super) PgPool);

impl Work<String, Channel> for Lookups {
    async fn work(&mut self, ids: Vec<String>) -> Result<HashMap<String, Channel>, BatchFailed> {
        let look_up = async {
            let mut conn = self.0.acquire().await?;
            intake::find_channels(&mut conn, &ids).await
        };
        match tokio::time::timeout(DATABASE_TIMEOUT, look_up).await {
            Ok(Ok(channels)) => Ok(channels
                .into_iter()
                .map(|channel| (channel.id.clone(), channel))
                .collect()),
            Ok(Err(error)) => {
                tracing::warn!(%error, channels = ids.len(), "Could not look up channels; their pushes are answered 503");
                Err(BatchFailed)
            }
            Err(_) => {
                tracing::warn!(
                    channels = ids.len(),
                    "Timed out looking up channels; their pushes are answered 503"
                );
                Err(BatchFailed)
            }
        }
    }
}

/// Commits bumps, on a separate connection.
pub(super) struct Bumps {
    database_url: SecretString,
    clock: Clock,
    dirty: Arc<Notify>,
    traces: Arc<Traces>,
    conn: Option<PgConnection>,
    /// When the last attempt to connect began, while there is no connection.
    failed_at: Option<Instant>,
}

impl Work<ResourceId, NotMarked> for Bumps {
    async fn work(
        &mut self,
        resources: Vec<ResourceId>,
    ) -> Result<HashMap<ResourceId, NotMarked>, BatchFailed> {
        if self.failed_at.is_some_and(|at| at.elapsed() < RECONNECT_AFTER) {
            return Err(BatchFailed);
        }
        let traceparents = self.traceparents(&resources);
        let within = tokio::time::timeout(DATABASE_TIMEOUT, self.bump(&resources, &traceparents)).await;
        let error = match within {
            Ok(Ok(bumped)) => {
                if bumped.woke {
                    self.dirty.notify_one();
                }
                return Ok(bumped.exceptions.into_iter().collect());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timed out".to_owned(),
        };
        // The connection may be in the middle of a statement: drop it.
        self.conn = None;
        self.failed_at = Some(Instant::now());
        tracing::warn!(
            error,
            resources = resources.len(),
            "Could not commit pushes; they are answered 503"
        );
        Err(BatchFailed)
    }
}

impl Bumps {
    pub(super) fn new(
        database_url: SecretString,
        clock: Clock,
        dirty: Arc<Notify>,
        traces: Arc<Traces>,
    ) -> Self {
        Self {
            database_url,
            clock,
            dirty,
            traces,
            conn: None,
            failed_at: None,
        }
    }

    /// The trace contexts of `resources`, in their order; empty while traces are off.
    fn traceparents(&self, resources: &[ResourceId]) -> Vec<Option<String>> {
        let mut traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        if traces.is_empty() {
            return Vec::new();
        }
        resources.iter().map(|resource| traces.remove(resource)).collect()
    }

    /// Retries once on a lost connection, since Postgres may have restarted. Bumping twice is harmless.
    async fn bump(
        &mut self,
        resources: &[ResourceId],
        traceparents: &[Option<String>],
    ) -> sqlx::Result<intake::Marked> {
        let was_connected = self.conn.is_some();
        match self.bump_once(resources, traceparents).await {
            Err(sqlx::Error::Database(error)) if !is_shutdown(&*error) => Err(sqlx::Error::Database(error)),
            Err(_) if was_connected => {
                self.conn = None;
                self.bump_once(resources, traceparents).await
            }
            outcome => outcome,
        }
    }

    async fn bump_once(
        &mut self,
        resources: &[ResourceId],
        traceparents: &[Option<String>],
    ) -> sqlx::Result<intake::Marked> {
        let conn = if let Some(conn) = &mut self.conn {
            conn
        } else {
            // Reset below: an attempt that is cancelled counts as failed, too.
            self.failed_at = Some(Instant::now());
            let conn = intake::connect(self.database_url.expose_secret()).await?;
            self.failed_at = None;
            self.conn.insert(conn)
        };
        common::crash_point!("intake.before_commit");
        let bumped = intake::mark_pushed(conn, self.clock.now(), resources, traceparents).await;
        common::crash_point!("intake.after_commit");
        bumped
    }
}

/// Postgres ends a session with an error of class 57P (`admin_shutdown`, `crash_shutdown`, …).
fn is_shutdown(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code.starts_with("57P"))
}
