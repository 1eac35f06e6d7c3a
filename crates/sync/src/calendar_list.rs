//! The calendar list of an account, and which of its calendars are mirrored.

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
use crate::pull::decision::PullError;
use crate::pull::session::{Pages, Session};

/// Pulls an account's calendar list. A new calendar is mirrored if it is selected in Google. A removed one is no longer
/// pulled or shown, but its mirror is kept in case it comes back.
pub(crate) async fn pull(session: &mut Session<'_>) -> Result<Settled, PullError> {
    let token = session.pull.sync_token.as_deref();
    let (listing, token) = match list(session, token).await {
        Err(PullError::Rebuild(_)) if token.is_some() => list(session, None).await,
        listing => listing,
    }
    .map_err(|error| match error {
        // A page token expired: start over, after a pause.
        PullError::Rebuild(_) => PullError::Retry {
            delay: std::time::Duration::from_secs(5),
            reason: "listing_restarted",
        },
        error => error,
    })?;
    let mut tx = session.ctx.pool.begin().await?;
    let changed = apply(&mut tx, session, listing).await?;
    let progress = Progress {
        sync_token: &token,
        page_size: None,
        generation: session.pull.generation,
        horizon: Horizon::Unchanged,
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

/// The full list, or the changes since the sync token.
struct ListChanges {
    is_full: bool,
    listed: Vec<Listed>,
    /// Google ids of removed calendars.
    removed: Vec<String>,
}

/// Reads all pages. An account has dozens of calendars, not thousands, so they are kept in memory.
async fn list(session: &mut Session<'_>, token: Option<&str>) -> Result<(ListChanges, String), PullError> {
    let mut pages = Pages::from(token);
    let mut entries = std::collections::HashMap::new();
    while let Some(page) = session.calendars(&mut pages).await? {
        // A calendar on two pages changed while they were read; the later one counts.
        entries.extend(page.items.into_iter().map(|entry| (entry.id.clone(), entry)));
    }
    let (removed, kept): (Vec<_>, Vec<_>) = entries.into_values().partition(|entry| entry.deleted);
    let listing = ListChanges {
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

/// Postgres cannot store NUL in text.
fn without_nul(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "")
    } else {
        text
    }
}

/// Writes a listing and appends the message about it. False: nothing changed.
async fn apply(conn: &mut PgConnection, session: &Session<'_>, listing: ListChanges) -> sqlx::Result<bool> {
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
    // Lock order: channels, the stream, rows of the queue; see `user_stream::next_seq`.
    watches::replace_of_resources(conn, &lost).await?;
    outbox::append(conn, now, &pull.user_id, Change::CalendarsChanged {}).await?;
    sync_state::lock_connection(conn, connection).await?;
    for calendar in upserted
        .iter()
        .filter(|calendar| calendar.begins && calendar.selected)
    {
        start(conn, now, connection, &pull.user_id, calendar.id).await?;
    }
    let reexpanded: Vec<CalendarId> = upserted
        .iter()
        .filter(|calendar| calendar.needs_reexpansion)
        .map(|calendar| calendar.id)
        .collect();
    sync_state::invalidate_expansion(conn, &reexpanded).await?;
    // With another role, Google returns more or fewer details of the events.
    let reexpanded: Vec<ResourceId> = reexpanded.into_iter().map(ResourceId::from).collect();
    sync_state::mark_dirty(conn, now, &reexpanded, pull.cause).await?;
    sync_state::pause(conn, &lost).await?;
    Ok(true)
}

/// Starts or resumes mirroring a calendar.
async fn start(
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

/// Selects or deselects calendars of a user: whether they are mirrored and shown. The mirror of a deselected calendar
/// is kept, so that selecting it again is cheap. Returns the calendars that changed; other users' calendars are
/// ignored.
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
    // Lock order: channels, the stream, rows of the queue; see `user_stream::next_seq`.
    if !selected {
        watches::replace_of_resources(conn, &ids).await?;
    }
    outbox::append(conn, now, user, Change::CalendarsChanged {}).await?;
    if selected {
        sync_state::lock(conn, &ids).await?;
        for calendar in changed
            .iter()
            .filter(|calendar| calendar.access_lost_at.is_none())
        {
            start(conn, now, calendar.connection_id, user, calendar.id).await?;
        }
    } else {
        sync_state::pause(conn, &ids).await?;
    }
    Ok(changed)
}
