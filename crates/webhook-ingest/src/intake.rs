//! Verifies a push and marks its resource dirty, durably.

mod work;

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use common::batch::Batcher;
use common::clock::Clock;
use common::ids::ResourceId;
use common::telemetry::trace::traceparent;
use google::push::Notification;
use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use store::intake::{self, Channel, NotMarked};
use subtle::ConstantTimeEq;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::refusal::Refusal;
use work::{Bumps, Lookups, Traces};

/// Cached channel rows, at about 300 bytes each.
const KNOWN_CHANNELS: u64 = 100_000;
/// A row never changes in the cached columns, but may be deleted while cached; accepting a push for it is harmless.
const KNOWN_FOR: Duration = Duration::from_mins(10);
/// Cached ids without a row. A channel's row is committed before Google gets its id, so an unknown id stays unknown.
const UNKNOWN_CHANNELS: u64 = 10_000;
const UNKNOWN_FOR: Duration = Duration::from_mins(1);
/// The precision of `watches.last_message_at`.
const TOUCH_EVERY_SECONDS: i64 = 600;
/// A row that another transaction has locked is free again after its commit.
const HELD_RETRY: Duration = Duration::from_millis(3);

pub struct Intake {
    pool: PgPool,
    clock: Clock,
    known: Cache<String, Arc<Known>>,
    unknown: Cache<String, ()>,
    lookups: Batcher<String, Channel>,
    bumps: Batcher<ResourceId, NotMarked>,
    /// Trace contexts of pushes that wait for their bump; empty while traces are off.
    traces: Arc<Traces>,
    /// Channels that pushed since the last [`write_touches`](Self::write_touches).
    touched: Mutex<HashSet<String>>,
}

/// A cached channel row.
struct Known {
    resource: ResourceId,
    token_sha256: Vec<u8>,
    google_resource_id: OnceLock<String>,
    /// In Unix seconds.
    touched_at: AtomicI64,
}

impl Intake {
    pub fn new(pool: PgPool, clock: Clock) -> Self {
        Self {
            pool,
            clock,
            known: Cache::builder()
                .max_capacity(KNOWN_CHANNELS)
                .time_to_live(KNOWN_FOR)
                .build(),
            unknown: Cache::builder()
                .max_capacity(UNKNOWN_CHANNELS)
                .time_to_live(UNKNOWN_FOR)
                .build(),
            lookups: Batcher::new(),
            bumps: Batcher::new(),
            traces: Arc::default(),
            touched: Mutex::default(),
        }
    }

    /// Returns once the resource of a genuine push is marked dirty in the database. Every state of a push counts as a change,
    /// also `sync`, because something may have changed before the channel was created, and states that Google may add.
    pub async fn accept(&self, push: &Notification) -> Result<(), Refusal> {
        let channel = self.channel(&push.channel_id).await?;
        let token = push.token.as_ref().map_or("", ExposeSecret::expose_secret);
        let digest = Sha256::digest(token.as_bytes());
        if !bool::from(digest.as_slice().ct_eq(&channel.token_sha256)) {
            return Err(Refusal::WrongToken);
        }
        if self.resource_id_of(&channel, push).await? != push.resource_id {
            return Err(Refusal::WrongResource);
        }
        self.touch(&channel, &push.channel_id);
        if common::mutant!("ack_before_commit") {
            return Ok(());
        }
        let traceparent = traceparent(&Span::current());
        loop {
            if let Some(traceparent) = &traceparent {
                self.traces
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(channel.resource, traceparent.clone());
            }
            match self.bumps.submit(channel.resource).await? {
                None => return Ok(()),
                Some(NotMarked::Held) => tokio::time::sleep(HELD_RETRY).await,
                Some(NotMarked::Gone) => {
                    self.known.invalidate(&push.channel_id);
                    return Err(Refusal::UnknownChannel);
                }
            }
        }
    }

    /// Whether a look-up within the last minute did not find this channel.
    pub fn is_unknown(&self, id: &str) -> bool {
        self.unknown.contains_key(id)
    }

    async fn channel(&self, id: &str) -> Result<Arc<Known>, Refusal> {
        if let Some(known) = self.known.get(id) {
            return Ok(known);
        }
        if self.is_unknown(id) {
            return Err(Refusal::UnknownChannel);
        }
        let Some(row) = self.lookups.submit(id.to_owned()).await? else {
            self.unknown.insert(id.to_owned(), ());
            return Err(Refusal::UnknownChannel);
        };
        // Concurrent lookups share the first row.
        Ok(self.known.get_with_by_ref(id, || Arc::new(row.into())))
    }

    /// Google's id of the watched resource. The first push of a channel may arrive before Google's response to `watch`; then the
    /// id of the push is stored, since its token is right.
    async fn resource_id_of<'k>(&self, channel: &'k Known, push: &Notification) -> Result<&'k str, Refusal> {
        if let Some(id) = channel.google_resource_id.get() {
            return Ok(id);
        }
        let adopt = async {
            let mut conn = self.pool.acquire().await?;
            intake::adopt(&mut conn, &push.channel_id, &push.resource_id, push.expires_at).await
        };
        match adopt.await {
            Ok(Some(id)) => {
                common::crash_point!("intake.adopted");
                Ok(channel.google_resource_id.get_or_init(|| id))
            }
            Ok(None) => Err(Refusal::UnknownChannel),
            Err(error) => {
                tracing::warn!(%error, "Could not store the resource id of a channel's first push");
                Err(Refusal::Unavailable)
            }
        }
    }

    fn touch(&self, channel: &Known, id: &str) {
        let now = self.clock.now().timestamp();
        let last = channel.touched_at.load(Ordering::Relaxed);
        if now - last >= TOUCH_EVERY_SECONDS
            && (channel.touched_at)
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
            touched.insert(id.to_owned());
        }
    }

    /// Stores which channels pushed. Losing some is harmless: `last_push_at` has the same for their resources.
    pub async fn write_touches(&self) -> sqlx::Result<()> {
        let touched = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        if touched.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = touched.into_iter().collect();
        let mut conn = self.pool.acquire().await?;
        intake::touch(&mut conn, self.clock.now(), &ids).await
    }

    /// Looks up channels in batches.
    pub async fn run_lookups(&self, stop: CancellationToken) {
        self.lookups.run(stop, Lookups(self.pool.clone())).await;
    }

    /// Commits bumps in batches, on a separate connection. Notifies `dirty` when a resource has become dirty.
    pub async fn run_bumps(&self, stop: CancellationToken, database_url: SecretString, dirty: Arc<Notify>) {
        let bumps = Bumps::new(database_url, self.clock.clone(), dirty, self.traces.clone());
        self.bumps.run(stop, bumps).await;
    }
}

impl From<Channel> for Known {
    fn from(channel: Channel) -> Self {
        Self {
            resource: channel.resource,
            token_sha256: channel.token_sha256,
            google_resource_id: channel.google_resource_id.map(OnceLock::from).unwrap_or_default(),
            touched_at: AtomicI64::new(channel.last_message_at.map_or(0, |at| at.timestamp())),
        }
    }
}
