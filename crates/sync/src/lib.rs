//! Where Google and the store meet. No HTTP server, no SQL text.
//!
//! Every job is a `run_once` on leased work: take the lease in one short transaction, call Google with none open, and
//! commit what came of it in one more, fenced by the lease.

use std::sync::Arc;

use common::clock::Clock;
use google::Google;
use sqlx::PgPool;
use store::seal::Keyring;

pub mod calendar_list;
pub mod canary;
pub mod config;
pub mod connections;
pub mod copies;
pub mod freshness;
pub mod health;
pub mod metrics;
#[cfg(feature = "simulation")]
pub mod mutants;
pub mod outbox;
pub mod poll;
pub mod pull;
pub mod quota;
pub mod read;
pub mod relay;
pub mod restore;
mod settings;
pub mod tokens;
pub mod users;
pub mod watch;
pub mod write;

pub use settings::{Settings, WEBHOOK_PATH};

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
