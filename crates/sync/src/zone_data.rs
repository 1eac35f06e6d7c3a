//! Instances by the zone rules of today: a newer tz database expands every calendar again.

use event_model::zone::{Data, data};
use sqlx::{PgConnection, PgPool};
use store::zone_data::{invalidate_expansions_after, set_version, version};
use uuid::Uuid;

/// Calendars per transaction, so that their pulls hardly wait.
const AT_ONCE: i64 = 1_000;

/// Whether instances that were expanded by another version have to be expanded again.
fn is_new(ours: &str, stored: Option<&str>) -> bool {
    // Earlier releases recorded `unknown` for a system that does not state its version. A stated version replaces it, and
    // never the other way: otherwise two machines would replace each other's at every start.
    let is_stated = |version: &str| version.starts_with(|first: char| first.is_ascii_digit());
    match stored {
        None => true,
        Some(stored) if is_stated(ours) => !is_stated(stored) || ours > stored,
        Some(_) => false,
    }
}

/// Marks every calendar to be expanded again if this process has a newer tz database than those before. Older services may
/// run beside it: they keep the mark, and the horizon's weekly extension repeats what they expand in between.
pub async fn adopt(pool: &PgPool) -> sqlx::Result<()> {
    adopt_version(pool, &data().version).await
}

/// As [`adopt`], of this version.
pub async fn adopt_version(pool: &PgPool, ours: &str) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    let stored = version(&mut conn).await?;
    if !is_new(ours, stored.as_deref()) {
        return Ok(());
    }
    let mut after = Uuid::nil();
    while let Some(last) = invalidate_expansions_after(&mut conn, after, AT_ONCE).await? {
        after = last;
    }
    // Last, so that an interrupted start is repeated.
    set_version(&mut conn, ours).await?;
    tracing::info!(
        zones.version = ours,
        zones.before = stored.as_deref().unwrap_or("none"),
        "The tz database has changed; all calendars are expanded again"
    );
    Ok(())
}

/// The version by which another service expands, if it is newer than ours.
pub async fn newer_elsewhere(conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
    let Data { version: ours, .. } = data();
    let stored = version(conn).await?;
    Ok(stored.filter(|stored| stored != ours && !is_new(ours, Some(stored))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_newer_version_is_new() {
        for (ours, stored, new) in [
            ("2026f", None, true),
            ("2026f", Some("2026e"), true),
            ("2026f", Some("2026f"), false),
            ("2026e", Some("2026f"), false),
            ("unknown", Some("2026f"), false),
            ("2026f", Some("unknown"), true),
            ("unknown", Some("unknown"), false),
        ] {
            assert_eq!(is_new(ours, stored), new, "{ours} {stored:?}");
        }
    }
}
