//! The proof that a worker holds a row.

use uuid::Uuid;

/// A row taken for work by `FOR UPDATE SKIP LOCKED`, until some moment by the database's clock.
///
/// The random token is the fence: every later statement of the worker matches on it, so a worker that was paused past
/// its lease finds no row and gives up, whatever the clocks say. The database's clock decides about expiry alone,
/// because it is the one that all workers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease<K> {
    pub key: K,
    pub token: Uuid,
    /// How often the row was taken since it last succeeded, this time included. Raised when it is taken, so that work
    /// which kills its process is counted too.
    pub attempts: u32,
}

impl<K> Lease<K> {
    pub fn new(key: K, token: Uuid, attempts: u32) -> Self {
        Self { key, token, attempts }
    }
}

/// What became of a lease when its holder came back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The work is done and nothing new has come.
    Done,
    /// The work is done, but more came meanwhile: the row is due again.
    Again,
    /// Another worker has the row. The caller must roll back.
    Lost,
}
