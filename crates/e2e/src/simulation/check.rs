//! The invariants that hold after every operation, whatever is under way.

use std::collections::HashMap;

use anyhow::Result;
use uuid::Uuid;

use super::accounts::name;
use super::host::Host;
use super::ledger::{Mirror, Progress, holds};
use super::mirror::{know_tombstones, truth};
use super::plan::User;
use super::records::{Records, Resource};
use super::unasked::nothing_unasked_is_written;
use super::world::{Purpose, World};

pub async fn after_each(world: &mut World) -> Result<()> {
    excuse_channels_of_acts(world);
    let records = Records::read(world).await?;
    published_in_order(world, &records)?;
    progress_is_kept(world, &records.resources)?;
    acknowledged_is_due(world, &records.resources)?;
    nothing_vanishes(world, records.resources, records.mirrors)?;
    channels_are_on_record(world, &records.channels)?;
    nothing_unasked_is_written(world)?;
    grants_end_for_a_reason(world, records.ended)
}

/// Every seq is committed before it is published, is published or waiting, and belongs to one message.
fn published_in_order(world: &World, records: &Records) -> Result<()> {
    for user in User::ALL {
        let published = world.broker.published(name(user));
        let (seq, waiting) = records
            .streams
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
fn nothing_vanishes(
    world: &mut World,
    resources: Vec<Resource>,
    mut mirrors: HashMap<Uuid, Mirror>,
) -> Result<()> {
    for resource in resources {
        let (Some(calendar), Some(token)) = (&resource.calendar, &resource.sync_token) else {
            continue;
        };
        let mut mirror = mirrors.remove(&resource.id).unwrap_or_default();
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

/// A connect or disconnect that is held, or slow on a busy machine, may end the grants of channels that are created by then.
fn excuse_channels_of_acts(world: &mut World) {
    let is_act = |purpose: &Purpose| matches!(purpose, Purpose::Act);
    let is_held = world.hosts.iter().flat_map(Host::purposes).any(is_act);
    for user in User::ALL.into_iter().filter(|_| is_held) {
        world.excuse_channels(user);
    }
}

/// Google has no channel that is not on record: it could not be stopped, and its pushes would look forged.
fn channels_are_on_record(world: &World, known: &[String]) -> Result<()> {
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
fn grants_end_for_a_reason(world: &mut World, ended: Vec<String>) -> Result<()> {
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
        world.ledger.ended.insert(account);
    }
    Ok(())
}
