//! Connected Google accounts: connect, disconnect, and the state that the user sees.

use common::crash_point;
use common::ids::UserId;
use event_model::wire::ConnectionState;
use google::{Grant, UserInfo};
use store::connections::{Connected, NewGrant};
use store::sync_state::Kind;
use store::{connections, sync_state};

mod disconnect;
mod receipt;
mod state;

pub use crate::tokens::recheck_refused_once;
pub use disconnect::{AT_ONCE, disconnect, disconnect_once};
pub use receipt::{Channels, Forgotten, GrantEnd, Receipt};
pub use state::{has_calendar_access, state};

use crate::Context;
use state::append_state;

/// Stores a consent and starts mirroring, or resumes it after an earlier grant had ended.
///
/// [`Connected::RefreshTokenMissing`] changes nothing: request consent again, with `force_consent`.
pub async fn connect(
    ctx: &Context,
    user: &UserId,
    grant: &Grant,
    account: &UserInfo,
) -> sqlx::Result<Connected> {
    let now = ctx.clock.now();
    let new = NewGrant {
        user,
        google_sub: &account.sub,
        email: &account.email,
        scopes: &grant.scopes,
        refresh_token: grant.refresh_token.as_ref(),
        access_token: &grant.access_token,
        access_expires_at: now + grant.expires_in,
    };
    let mut tx = ctx.pool.begin().await?;
    let connected = connections::connect(&mut tx, now, &ctx.keyring, &new).await?;
    let Connected::Done { id, .. } = connected else {
        return Ok(connected);
    };
    let state = if has_calendar_access(&grant.scopes) {
        ConnectionState::Importing
    } else {
        ConnectionState::ScopeMissing
    };
    // Lock order: the stream before rows of the queue, see `user_stream::next_seq`.
    append_state(&mut tx, now, user, id, state).await?;
    sync_state::create(&mut tx, now, id.into(), Kind::CalendarList, id, user).await?;
    sync_state::resume_connection(&mut tx, now, id).await?;
    crash_point!("connect.before_commit");
    tx.commit().await?;
    Ok(connected)
}
