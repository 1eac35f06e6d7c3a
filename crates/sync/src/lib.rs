//! Where Google and the store meet. No HTTP server, no SQL text.
//!
//! Every job is a `run_once` on leased work: take the lease in one short transaction, call Google with none open, and
//! commit what came of it in one more, fenced by the lease.

use std::sync::Arc;
use std::time::Duration;

use common::clock::Clock;
use google::Google;
use sqlx::PgPool;
use store::seal::Keyring;
use url::Url;

pub mod calendar_list;
pub mod canary;
pub mod config;
pub mod connections;
pub mod copies;
pub mod expand;
pub mod freshness;
pub mod health;
pub mod metrics;
#[cfg(feature = "simulation")]
pub mod mutants;
pub mod outbox;
pub mod payload;
pub mod poll;
pub mod pull;
pub mod quota;
pub mod read;
pub mod relay;
pub mod restore;
pub mod tokens;
pub mod users;
pub mod view;
pub mod watch;
pub mod write;

/// What every job works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub pool: PgPool,
    pub google: Google,
    pub clock: Clock,
    pub keyring: Arc<Keyring>,
    pub settings: Arc<Settings>,
    /// One refresh of a connection at a time within this process; the row's lease does the same between processes.
    pub(crate) refreshing: Arc<tokens::InFlight>,
}

/// What can be tuned. The defaults are meant for production.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The https origin under which Google reaches `webhook-ingest`. None: polling only.
    pub public_url: Option<Url>,
    /// Where Google's pushes go, when that is not [`WEBHOOK_PATH`] below `public_url`.
    pub webhook_url: Option<Url>,
    /// How often a calendar is polled that Google pushes: only for what a lost push would hide.
    pub poll_watched: Duration,
    /// How often a calendar is polled that Google does not push: this is how it is kept current.
    pub poll_unwatched: Duration,
    /// How long a worker may hold a resource without a sign of life; after a crash others take over then.
    pub lease: Duration,
    /// How long somebody who writes waits for the end before the answer is "pending". Less than a mutation may take.
    pub write_deadline: Duration,
    /// How long after the first `invalid_grant` a second one, for the same refresh token, ends the grant.
    pub grant_confirm_delay: Duration,
    /// The life that is asked for a channel; Google may grant less.
    pub watch_ttl: Duration,
    /// A live channel that was silent for so long is replaced.
    pub watch_silence_max: Duration,
    /// How long after a change was found a push may still tell of it. Then its channel is deaf: the calendar is polled as
    /// if there were none, says so, and gets another channel.
    pub push_late: Duration,
    /// The most events on a page of a listing. Part of what a sync token stands for: change it only with a rebuild.
    pub events_page_size: u16,
}

/// Where Google's pushes go, below the public URL.
pub const WEBHOOK_PATH: &str = "api/calendar/webhook";

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: None,
            webhook_url: None,
            poll_watched: Duration::from_mins(15),
            poll_unwatched: Duration::from_mins(1),
            lease: Duration::from_mins(1),
            write_deadline: Duration::from_secs(10),
            grant_confirm_delay: Duration::from_secs(30),
            // A week is Google's own default; it is known to cut longer wishes anyway.
            watch_ttl: Duration::from_hours(7 * 24),
            watch_silence_max: Duration::from_hours(12),
            push_late: Duration::from_mins(5),
            events_page_size: google::EVENTS_PAGE_MAX,
        }
    }
}

impl Settings {
    /// The address that Google is asked to push to; none in the mode without a public URL.
    pub fn webhook_address(&self) -> Option<Url> {
        self.webhook_url.clone().or_else(|| {
            let mut url = self.public_url.clone()?;
            url.set_path(WEBHOOK_PATH);
            Some(url)
        })
    }
}

impl Context {
    pub fn new(pool: PgPool, google: Google, clock: Clock, keyring: Keyring, settings: Settings) -> Self {
        Self {
            pool,
            google,
            clock,
            keyring: Arc::new(keyring),
            settings: Arc::new(settings),
            refreshing: Arc::default(),
        }
    }
}
