//! The lease by which a worker holds a row.

use uuid::Uuid;

/// A row acquired for work by `FOR UPDATE SKIP LOCKED`, until it expires by the database's clock.
///
/// The random token is the fence: every later statement of the worker matches on it, so a worker that was paused past its lease
/// finds no row and stops. The database's clock alone decides about expiry, because all workers share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease<K> {
    pub key: K,
    pub token: Uuid,
    /// How often the row was acquired since the last success, including this time. Raised on acquisition, so that work that kills
    /// its process is counted, too.
    pub attempts: u32,
}

impl<K> Lease<K> {
    pub fn new(key: K, token: Uuid, attempts: u32) -> Self {
        Self { key, token, attempts }
    }
}

/// The result of settling a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The work is done.
    Done,
    /// The work is done, but the row became due again during it.
    Again,
    /// Another worker has the row. The caller must roll back.
    Lost,
}
