//! The lease by which a worker holds a row.

use std::pin::pin;
use std::time::Duration;

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

/// Runs `work` and extends its lease each time that `every` has passed, until one of them ends. So a lease can be shorter than
/// the work, and it expires only if its holder died, stands still or has lost the database.
pub async fn hold<T, E, X>(
    every: Duration,
    mut extend: impl FnMut() -> X,
    work: impl Future<Output = T>,
) -> Result<T, E>
where
    X: Future<Output = Result<(), E>>,
{
    let mut work = pin!(work);
    loop {
        match tokio::time::timeout(every, &mut work).await {
            Ok(done) => return Ok(done),
            Err(_) => extend().await?,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_extended_until_the_work_ends() {
        let mut extended = 0;
        let extend = || {
            extended += 1;
            std::future::ready(Ok::<_, ()>(()))
        };
        let work = async {
            tokio::time::sleep(SECOND * 7 / 2).await;
            "done"
        };
        assert_eq!(hold(SECOND, extend, work).await, Ok("done"));
        assert_eq!(extended, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn work_ends_when_its_lease_is_lost() {
        let lost = hold(
            SECOND,
            || std::future::ready(Err("lost")),
            std::future::pending::<()>(),
        );
        assert_eq!(lost.await, Err("lost"));
    }
}
