//! Which calendars an account has, and which of them are mirrored.

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, ResourceId, UserId};
use common::lease::Settled;
use event_model::wire::Change;
use google::CalendarListEntry;
use sqlx::PgConnection;
use store::calendars::{self, Calendar, Listed};
use store::sync_state::{self, Horizon, Kind, Progress};
use store::watches;

use crate::outbox;
use crate::pull::PullError;
use crate::pull::session::{Pages, Session};

/// Pulls an account's list of calendars. A calendar that is new is mirrored if it is ticked in Google; one that left the
/// list is neither pulled nor shown any more, and comes back with what was mirrored of it.
pub(crate) async fn pull(session: &mut Session<'_>) -> Result<Settled, PullError> {
    let token = session.pull.sync_token.as_deref();
    let (listing, token) = match list(session, token).await {
        Err(PullError::Rebuild(_)) if token.is_some() => list(session, None).await,
        listing => listing,
    }
    .map_err(|stop| match stop {
        // A page token that expired: from the start, a little later.
        PullError::Rebuild(_) => PullError::Retry {
            delay: std::time::Duration::from_secs(5),
            reason: "listing_restarted",
        },
        stop => stop,
    })?;
    let mut tx = session.ctx.pool.begin().await?;
    let changed = apply(&mut tx, session, listing).await?;
    let progress = Progress {
        sync_token: &token,
        page_size: None,
        generation: session.pull.generation,
        horizon: Horizon::AsBefore,
        pulled_at: session.started,
        changed,
    };
    match sync_state::settle(&mut tx, session.pull, progress).await? {
        Settled::Lost => Err(PullError::LeaseLost),
        settled => {
            common::crash_point!("list.before_commit");
            tx.commit().await?;
            common::crash_point!("list.after_commit");
            Ok(settled)
        }
    }
}

/// What Google said: everything, or what changed.
struct Listing {
    is_full: bool,
    listed: Vec<Listed>,
    /// Google ids of those that left the list.
    removed: Vec<String>,
}

/// Reads all pages. An account has dozens of calendars, not thousands, so they are kept in memory.
async fn list(session: &mut Session<'_>, token: Option<&str>) -> Result<(Listing, String), PullError> {
    let mut pages = Pages::from(token);
    let mut entries = std::collections::HashMap::new();
    while let Some(page) = session.calendars(&mut pages).await? {
        // One that comes twice changed while the pages were read; the later one counts.
        entries.extend(page.items.into_iter().map(|entry| (entry.id.clone(), entry)));
    }
    let (removed, kept): (Vec<_>, Vec<_>) = entries.into_values().partition(|entry| entry.deleted);
    let listing = Listing {
        is_full: token.is_none(),
        listed: kept.into_iter().map(listed).collect(),
        removed: removed.into_iter().map(|entry| entry.id).collect(),
    };
    Ok((listing, pages.sync_token().unwrap_or_default().to_owned()))
}

fn listed(entry: CalendarListEntry) -> Listed {
    Listed {
        google_id: without_nul(entry.id),
        summary: without_nul(entry.summary),
        description: entry.description.map(without_nul),
        time_zone: without_nul(entry.time_zone.unwrap_or_else(|| "UTC".to_owned())),
        color_id: entry.color_id,
        background_color: entry.background_color,
        foreground_color: entry.foreground_color,
        access_role: entry.access_role,
        is_primary: entry.primary,
        selected: entry.selected && !entry.hidden,
    }
}

/// Postgres cannot hold the character, wherever it came from.
fn without_nul(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "")
    } else {
        text
    }
}

/// Writes a listing and tells of it. False: nothing was news.
async fn apply(conn: &mut PgConnection, session: &Session<'_>, listing: Listing) -> sqlx::Result<bool> {
    let (now, pull) = (session.started, session.pull);
    let connection = ConnectionId::from(pull.lease.key.as_uuid());
    let upserted = calendars::upsert(conn, now, connection, &pull.user_id, &listing.listed).await?;
    let lost = if listing.is_full {
        let google_ids: Vec<String> = listing
            .listed
            .into_iter()
            .map(|calendar| calendar.google_id)
            .collect();
        calendars::lose_access_to_others(conn, now, connection, &google_ids).await?
    } else {
        calendars::lose_access_by_google_id(conn, now, connection, &listing.removed).await?
    };
    if upserted.is_empty() && lost.is_empty() {
        return Ok(false);
    }
    let lost: Vec<ResourceId> = lost.into_iter().map(ResourceId::from).collect();
    // Channels, then the stream, then rows of the queue: see `user_stream::next_seq`.
    watches::replace_of_resources(conn, &lost).await?;
    outbox::append(conn, now, &pull.user_id, Change::CalendarsChanged {}).await?;
    for calendar in upserted
        .iter()
        .filter(|calendar| calendar.begins && calendar.selected)
    {
        begin(conn, now, connection, &pull.user_id, calendar.id).await?;
    }
    let others: Vec<CalendarId> = upserted
        .iter()
        .filter(|calendar| calendar.needs_reexpansion)
        .map(|calendar| calendar.id)
        .collect();
    sync_state::invalidate_expansion(conn, &others).await?;
    // With another role Google shows more of the events, or less.
    let others: Vec<ResourceId> = others.into_iter().map(ResourceId::from).collect();
    sync_state::mark_dirty(conn, now, &others, pull.cause).await?;
    sync_state::pause(conn, &lost).await?;
    Ok(true)
}

/// Starts to mirror a calendar, or goes on with it.
async fn begin(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    connection: ConnectionId,
    user: &UserId,
    calendar: CalendarId,
) -> sqlx::Result<()> {
    sync_state::create(conn, now, calendar.into(), Kind::Events, connection, user).await?;
    sync_state::resume(conn, now, &[calendar.into()]).await?;
    Ok(())
}

/// A user chooses whether calendars are mirrored and shown, and the user's browsers are told. What was mirrored of a
/// calendar that is no longer chosen is kept, so that choosing it again is cheap. Returns the calendars for which
/// something changed; somebody else's are not among them.
pub async fn select(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    calendars: &[CalendarId],
    selected: bool,
) -> sqlx::Result<Vec<Calendar>> {
    let changed = calendars::select(conn, now, user, calendars, selected).await?;
    if changed.is_empty() {
        return Ok(changed);
    }
    let ids: Vec<ResourceId> = changed.iter().map(|calendar| calendar.id.into()).collect();
    // Channels, then the stream, then rows of the queue: see `user_stream::next_seq`.
    if !selected {
        watches::replace_of_resources(conn, &ids).await?;
    }
    outbox::append(conn, now, user, Change::CalendarsChanged {}).await?;
    if selected {
        for calendar in changed
            .iter()
            .filter(|calendar| calendar.access_lost_at.is_none())
        {
            begin(conn, now, calendar.connection_id, user, calendar.id).await?;
        }
    } else {
        sync_state::pause(conn, &ids).await?;
    }
    Ok(changed)
}
