//! The state in Postgres that the invariants are about, read on one connection.

use std::collections::HashMap;

use anyhow::Result;
use google_emulator::{Revision, SyncToken};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ledger::Mirror;
use super::world::World;

pub struct Records {
    pub resources: Vec<Resource>,
    pub mirrors: HashMap<Uuid, Mirror>,
    /// Of each user: the last seq, and the seqs in the outbox.
    pub streams: Vec<(String, i64, Vec<i64>)>,
    /// The ids of all channels.
    pub channels: Vec<String>,
    /// The accounts whose grants have ended.
    pub ended: Vec<String>,
}

impl Records {
    pub async fn read(world: &World) -> Result<Self> {
        let mut conn = world.database.pool.acquire().await?;
        let streams = "select user_id, seq, array(select o.seq from outbox o where o.user_id = u.user_id order by o.seq)
                       from user_stream u";
        let ended = "select email from connections where grant_ended_at is not null";
        Ok(Self {
            resources: resources_of(&mut conn).await?,
            mirrors: mirrors_of(&mut conn).await?,
            streams: sqlx::query_as(streams).fetch_all(&mut *conn).await?,
            channels: sqlx::query_scalar("select channel_id from watches")
                .fetch_all(&mut *conn)
                .await?,
            ended: sqlx::query_scalar(ended).fetch_all(&mut *conn).await?,
        })
    }
}

/// A resource of the pull queue, and its calendar.
pub struct Resource {
    pub id: Uuid,
    pub user: String,
    pub dirty_seq: i64,
    pub synced_seq: i64,
    pub sync_token: Option<String>,
    pub is_leased: bool,
    pub is_paused: bool,
    /// Google's id; none for a list of calendars.
    pub calendar: Option<String>,
    /// The account is connected, its grant is valid, and the calendar is selected and accessible.
    pub is_active: bool,
}

impl Resource {
    pub fn is_due(&self) -> bool {
        self.dirty_seq > self.synced_seq
    }

    pub fn revision(&self) -> Option<Revision> {
        Some(SyncToken::decode(self.sync_token.as_deref()?)?.revision)
    }
}

pub async fn resources(world: &World) -> Result<Vec<Resource>> {
    let mut conn = world.database.pool.acquire().await?;
    Ok(resources_of(&mut conn).await?)
}

/// The events of each calendar in the mirror.
pub async fn mirrors(world: &World) -> Result<HashMap<Uuid, Mirror>> {
    let mut conn = world.database.pool.acquire().await?;
    Ok(mirrors_of(&mut conn).await?)
}

async fn resources_of(conn: &mut PgConnection) -> sqlx::Result<Vec<Resource>> {
    type Row = (
        Uuid,
        String,
        i64,
        i64,
        Option<String>,
        bool,
        bool,
        Option<String>,
        bool,
    );
    let rows: Vec<Row> = sqlx::query_as(
        "select s.resource_id, s.user_id, s.dirty_seq, s.synced_seq, s.sync_token, s.lease_token is not null,
                s.not_before = 'infinity', c.google_id,
                n.disconnected_at is null and n.grant_ended_at is null and coalesce(c.selected, true)
                and c.access_lost_at is null
         from sync_state s join connections n on n.id = s.connection_id left join calendars c on c.id = s.resource_id
         order by s.resource_id",
    )
    .fetch_all(conn)
    .await?;
    let resource =
        |(id, user, dirty_seq, synced_seq, sync_token, is_leased, is_paused, calendar, is_active)| Resource {
            id,
            user,
            dirty_seq,
            synced_seq,
            sync_token,
            is_leased,
            is_paused,
            calendar,
            is_active,
        };
    Ok(rows.into_iter().map(resource).collect())
}

async fn mirrors_of(conn: &mut PgConnection) -> sqlx::Result<HashMap<Uuid, Mirror>> {
    let rows: Vec<(Uuid, String, String, String)> = sqlx::query_as(
        "select e.calendar_id, e.event_id, e.etag, e.status from events e
         join sync_state s on s.resource_id = e.calendar_id and s.generation = e.generation",
    )
    .fetch_all(conn)
    .await?;
    let mut mirrors: HashMap<Uuid, Mirror> = HashMap::new();
    for (calendar, id, etag, status) in rows {
        mirrors.entry(calendar).or_default().insert(id, (etag, status));
    }
    Ok(mirrors)
}
