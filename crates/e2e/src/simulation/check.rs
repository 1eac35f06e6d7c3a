//! The invariants that hold after every operation, whatever is under way.

use anyhow::Result;
use google_emulator::SyncToken;
use uuid::Uuid;

use super::accounts::{email, name};
use super::ledger::{Progress, holds};
use super::mirror::{know_tombstones, mirror, truth};
use super::plan::User;
use super::unasked::nothing_unasked_is_written;
use super::world::World;

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

    fn revision(&self) -> Option<u64> {
        Some(SyncToken::decode(self.sync_token.as_deref()?)?.revision)
    }
}

pub async fn after_each(world: &mut World) -> Result<()> {
    let resources = resources(world).await?;
    published_in_order(world).await?;
    progress_is_kept(world, &resources)?;
    acknowledged_is_due(world, &resources)?;
    nothing_vanishes(world, &resources).await?;
    channels_are_on_record(world).await?;
    nothing_unasked_is_written(world)?;
    grants_end_for_a_reason(world).await
}

pub async fn resources(world: &World) -> Result<Vec<Resource>> {
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
    .fetch_all(&world.database.pool)
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

/// Every seq is committed before it is published, is published or waiting, and belongs to one message.
async fn published_in_order(world: &World) -> Result<()> {
    let streams: Vec<(String, i64, Vec<i64>)> = sqlx::query_as(
        "select user_id, seq, array(select o.seq from outbox o where o.user_id = u.user_id order by o.seq)
         from user_stream u",
    )
    .fetch_all(&world.database.pool)
    .await?;
    for user in User::ALL {
        let published = world.broker.published(name(user));
        let (seq, waiting) = streams
            .iter()
            .find(|(of, ..)| of == name(user))
            .map_or((0, &[][..]), |(_, seq, waiting)| (*seq, waiting.as_slice()));
        let last = published
            .iter()
            .map(|message| message.seq)
            .max()
            .unwrap_or_default();
        holds!(
            last <= seq,
            "committed_before_published",
            "{}: {last} was published, {seq} is committed",
            name(user)
        );
        let mut by_seq = std::collections::BTreeMap::new();
        for message in &published {
            let known = by_seq.insert(message.seq, &message.data);
            let is_same = known.is_none_or(|data| data == &message.data);
            holds!(
                is_same,
                "published_as_one",
                "{}: two messages have seq {}",
                name(user),
                message.seq
            );
        }
        let skipped = (1..=seq).find(|seq| !by_seq.contains_key(seq) && waiting.binary_search(seq).is_err());
        holds!(
            skipped.is_none(),
            "nothing_skipped",
            "{}: {skipped:?} is neither published nor waiting",
            name(user)
        );
    }
    Ok(())
}

/// A slower pull does not undo the progress that another has committed.
fn progress_is_kept(world: &mut World, resources: &[Resource]) -> Result<()> {
    for resource in resources {
        let now = Progress {
            synced_seq: resource.synced_seq,
            revision: resource.revision().unwrap_or_default(),
        };
        let before = world.ledger.progress.insert(resource.id, now).unwrap_or_default();
        holds!(
            now.synced_seq >= before.synced_seq && (now.revision >= before.revision || now.revision == 0),
            "progress_is_kept",
            "{:?} of {} went back from {before:?} to {now:?}",
            resource.calendar,
            resource.user
        );
    }
    Ok(())
}

/// An acknowledged push has been pulled or will be.
fn acknowledged_is_due(world: &World, resources: &[Resource]) -> Result<()> {
    for resource in resources
        .iter()
        .filter(|resource| resource.is_active && !resource.is_paused)
    {
        let Some(calendar) = &resource.calendar else {
            continue;
        };
        let user = format!("{}@example.com", resource.user);
        let acknowledged = world
            .ledger
            .acknowledged
            .get(&(user, calendar.clone()))
            .copied()
            .unwrap_or_default();
        let reached = resource.revision().unwrap_or_default();
        holds!(
            reached >= acknowledged || resource.is_due() || resource.is_leased,
            "acknowledged_is_due",
            "{calendar} of {}: the push of revision {acknowledged} was acknowledged, {reached} was reached, and no pull is due",
            resource.user
        );
    }
    Ok(())
}

/// The mirror has at least the events up to its sync token, and never lacks an event that Google has had throughout.
async fn nothing_vanishes(world: &mut World, resources: &[Resource]) -> Result<()> {
    for resource in resources {
        let (Some(calendar), Some(token)) = (&resource.calendar, &resource.sync_token) else {
            continue;
        };
        let mut mirror = mirror(world, resource.id).await?;
        let current = truth(world, calendar, None);
        know_tombstones(&mut mirror, &current);
        let then = truth(world, calendar, Some(token));
        let missing = then
            .iter()
            .find(|(id, _)| !mirror.contains_key(*id) && current.get(*id) == then.get(*id));
        holds!(
            missing.is_none(),
            "token_covers_events",
            "{calendar} of {}: {missing:?} is covered by the sync token, but missing",
            resource.user
        );
        let known = |id: &String| mirror.get(id) == then.get(id) || mirror.get(id) == current.get(id);
        let older = then
            .keys()
            .find(|id| current.get(*id) == then.get(*id) && !known(id));
        holds!(
            older.is_none(),
            "token_covers_events",
            "{calendar} of {}: {older:?} is {:?}, and was {:?} at the sync token",
            resource.user,
            older.and_then(|id| mirror.get(id)),
            older.and_then(|id| then.get(id))
        );
        let before = world
            .ledger
            .mirrors
            .insert(resource.id, mirror.clone())
            .unwrap_or_default();
        let gone = before
            .keys()
            .find(|id| !mirror.contains_key(*id) && current.contains_key(*id));
        holds!(
            gone.is_none(),
            "nothing_vanishes",
            "{calendar} of {}: {gone:?} is gone from the mirror, but Google has it",
            resource.user
        );
    }
    Ok(())
}

/// Google has no channel that is not on record: it could not be stopped, and its pushes would look forged.
async fn channels_are_on_record(world: &World) -> Result<()> {
    let known: Vec<String> = sqlx::query_scalar("select channel_id from watches")
        .fetch_all(&world.database.pool)
        .await?;
    for channel in world.google.channels() {
        let id = channel["id"].as_str().unwrap_or_default();
        let is_known = known.iter().any(|known| known == id) || world.ledger.excused.contains(id);
        holds!(
            is_known,
            "channels_on_record",
            "Google has a channel that is not on record: {channel}"
        );
    }
    Ok(())
}

/// A grant counts as ended only if Google has ended it, or has reported so twice, some time apart.
async fn grants_end_for_a_reason(world: &mut World) -> Result<()> {
    let ended: Vec<String> =
        sqlx::query_scalar("select email from connections where grant_ended_at is not null")
            .fetch_all(&world.database.pool)
            .await?;
    // A new consent that is not stored yet does not invalidate the earlier reason.
    world.ledger.ended.retain(|email| ended.contains(email));
    for account in ended {
        if world.ledger.ended.contains(&account) {
            continue;
        }
        let lives = world
            .google
            .with(|state| state.grants.consented(&account).is_some());
        let refusals: Vec<_> = world
            .google
            .requests_to("oauth.token")
            .into_iter()
            // Without a user: Google does not know the token any more.
            .filter(|request| request.user.as_ref().is_none_or(|user| *user == account))
            .filter(|request| request.status == Some(400))
            .map(|request| request.at)
            .collect();
        let apart = refusals
            .last()
            .zip(refusals.first())
            .map_or(0, |(last, first)| (*last - *first).num_seconds());
        holds!(
            !lives || apart >= 30,
            "grants_end_for_a_reason",
            "{account}: ended here, but valid at Google"
        );
        if let Some(user) = User::ALL.into_iter().find(|user| email(*user) == account) {
            // Its channels cannot be stopped, even if the grant is accepted again.
            world.excuse_channels(user);
        }
        world.ledger.ended.insert(account);
    }
    Ok(())
}
