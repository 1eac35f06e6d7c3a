//! Is this push genuine, and if so: make its resource due, durably.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use common::clock::Clock;
use common::ids::ResourceId;
use common::telemetry::trace::traceparent;
use google::push::Notification;
use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use store::intake::{self, Channel, NotMarked};
use subtle::ConstantTimeEq;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::batch::{Batcher, Failed, Work};
use crate::refusal::Refusal;

/// Channels whose row is kept in mind, at about 300 bytes each.
const KNOWN_CHANNELS: u64 = 100_000;
/// What is kept in mind of a row never changes, but the row may go; a push that is taken for a gone channel does no harm.
const KNOWN_FOR: Duration = Duration::from_mins(10);
/// Ids that no row has. A channel's row is committed before Google knows its id, so an unknown id does not become known.
const UNKNOWN_CHANNELS: u64 = 10_000;
const UNKNOWN_FOR: Duration = Duration::from_mins(1);
/// How exactly `watches.last_message_at` is kept.
const TOUCH_EVERY_SECONDS: i64 = 600;
/// A row that another transaction holds is free again within a commit.
const HELD_RETRY: Duration = Duration::from_millis(3);
/// Past this, whoever waits is told to come back.
const DATABASE_TIMEOUT: Duration = Duration::from_millis(2_500);
/// After a connection could not be made, pushes are refused without trying another for so long.
const RECONNECT_AFTER: Duration = Duration::from_millis(200);

type Traces = Mutex<HashMap<ResourceId, String>>;

pub struct Intake {
    pool: PgPool,
    clock: Clock,
    known: Cache<String, Arc<Known>>,
    unknown: Cache<String, ()>,
    lookups: Batcher<String, Channel>,
    bumps: Batcher<ResourceId, NotMarked>,
    /// Trace contexts of pushes whose resource is about to be bumped; empty while traces are off.
    traces: Arc<Traces>,
    /// Channels heard of since they were last written down.
    touched: Mutex<HashSet<String>>,
}

/// A channel's row as it was read.
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

    /// Returns once the resource of a genuine push is due in the database. Every state counts as a change: `sync` because
    /// something may have happened before the channel was made, and a state that Google adds because it is one.
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

    async fn channel(&self, id: &str) -> Result<Arc<Known>, Refusal> {
        if let Some(known) = self.known.get(id) {
            return Ok(known);
        }
        if self.unknown.contains_key(id) {
            return Err(Refusal::UnknownChannel);
        }
        let Some(row) = self.lookups.submit(id.to_owned()).await? else {
            self.unknown.insert(id.to_owned(), ());
            return Err(Refusal::UnknownChannel);
        };
        // All who looked it up at once share the one that comes first.
        Ok(self.known.get_with_by_ref(id, || Arc::new(row.into())))
    }

    /// Google's id of what the channel watches. The first push of a channel may come before Google's answer to `watch`;
    /// then, the token being right, its word is taken.
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
                tracing::warn!(%error, "A channel's first push could not be written down");
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

    /// Writes down which channels were heard of. Forgetting some does no harm: their resources' `last_push_at` says the
    /// same of the resource.
    pub async fn write_touches(&self) -> sqlx::Result<()> {
        let touched = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        if touched.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = touched.into_iter().collect();
        let mut conn = self.pool.acquire().await?;
        intake::touch(&mut conn, self.clock.now(), &ids).await
    }

    /// Looks up channels, for all who ask at once.
    pub async fn run_lookups(&self, stop: CancellationToken) {
        self.lookups.run(stop, Lookups(self.pool.clone())).await;
    }

    /// Commits bumps, for all who wait at once, on a connection of its own. Notifies `dirty` when something is due.
    pub async fn run_bumps(&self, stop: CancellationToken, database_url: SecretString, dirty: Arc<Notify>) {
        let bumps = Bumps {
            database_url,
            clock: self.clock.clone(),
            dirty,
            traces: self.traces.clone(),
            conn: None,
            failed_at: None,
        };
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

struct Lookups(PgPool);

impl Work<String, Channel> for Lookups {
    async fn work(&mut self, ids: Vec<String>) -> Result<HashMap<String, Channel>, Failed> {
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
                tracing::warn!(%error, channels = ids.len(), "Channels could not be looked up; their pushes are refused for now");
                Err(Failed)
            }
            Err(_) => {
                tracing::warn!(
                    channels = ids.len(),
                    "The database did not answer in time; pushes are refused for now"
                );
                Err(Failed)
            }
        }
    }
}

struct Bumps {
    database_url: SecretString,
    clock: Clock,
    dirty: Arc<Notify>,
    traces: Arc<Traces>,
    conn: Option<PgConnection>,
    /// When a connection was last asked for, while there is none.
    failed_at: Option<Instant>,
}

impl Work<ResourceId, NotMarked> for Bumps {
    async fn work(&mut self, resources: Vec<ResourceId>) -> Result<HashMap<ResourceId, NotMarked>, Failed> {
        if self.failed_at.is_some_and(|at| at.elapsed() < RECONNECT_AFTER) {
            return Err(Failed);
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
            Err(_) => "no answer in time".to_owned(),
        };
        // Whatever the connection was in the middle of, it is not to be waited for.
        self.conn = None;
        self.failed_at = Some(Instant::now());
        tracing::warn!(
            error,
            resources = resources.len(),
            "Pushes could not be committed and are refused for now"
        );
        Err(Failed)
    }
}

impl Bumps {
    /// Those of `resources`, in their order; none at all while traces are off.
    fn traceparents(&self, resources: &[ResourceId]) -> Vec<Option<String>> {
        let mut traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        if traces.is_empty() {
            return Vec::new();
        }
        resources.iter().map(|resource| traces.remove(resource)).collect()
    }

    /// Tries twice when the connection had been lost, for Postgres may only have been restarted; a bump twice is a bump.
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
            // Stands until the connection does, however the attempt ends.
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
