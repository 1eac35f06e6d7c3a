//! The dependencies that all jobs share.

use std::sync::Arc;

use common::clock::Clock;
use google::Google;
use sqlx::PgPool;
use store::seal::Keyring;

use crate::in_flight::InFlight;
use crate::settings::Settings;

/// The dependencies of every job. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub pool: PgPool,
    pub google: Google,
    pub clock: Clock,
    pub keyring: Arc<Keyring>,
    pub settings: Arc<Settings>,
    /// One token refresh per connection at a time in this process; the row's lease does the same between processes.
    pub(crate) refreshing: Arc<InFlight>,
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
