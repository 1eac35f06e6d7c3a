//! What is to be done at Google, as it is stored, and a request at work.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ResourceId};
use event_model::fields::{Field, Fields};
use event_model::resource::clean;
use google::Error;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use store::sync_state;
use store::write_intents::{self, Intent, State};
use uuid::Uuid;

use super::{LIFE, Mail, Response};
use crate::Context;
use crate::quota::Units;
use crate::tokens::{self, CallError};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    pub mail: Mail,
    pub act: Act,
    /// Which instance is answered with.
    pub shown: Shown,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Act {
    Insert {
        body: Value,
    },
    Patch(Box<Edit>),
    Respond {
        response: Response,
        comment: Option<String>,
    },
    Delete {
        /// What the user saw; none where anything is to go.
        base: Option<Box<Fields>>,
        is_conditional: bool,
    },
    Move {
        destination: CalendarId,
    },
    Split(Box<Split>),
}

/// An edit of one event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Edit {
    /// What it was made from; none when nobody knows any more.
    pub base: Option<Fields>,
    pub ours: Fields,
    pub touched: BTreeSet<Field>,
}

/// A series is cut in two: it ends before an instance, and a new one begins there, or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Split {
    /// Ends the old series.
    pub end: Edit,
    /// The first instance that goes, as the store keeps starts.
    pub at: String,
    pub new: Option<NewSeries>,
    /// The old series as Google had it once it was ended: the first step is done.
    pub ended: Option<Value>,
    /// Google refuses the new series, for this reason: the old one is to be as it was.
    pub undo: Option<super::Failure>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewSeries {
    /// Chosen by us.
    pub id: String,
    /// The rest of the old series as it was seen.
    pub rest: Fields,
    /// As it was when the user saw it; otherwise as it was by the time of the request.
    pub is_known: bool,
    pub ours: Fields,
    pub touched: BTreeSet<Field>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    pub series: String,
    /// None: the first one.
    pub instance: Option<String>,
    pub at: DateTime<Utc>,
}

impl Work {
    pub fn read(json: &RawValue) -> sqlx::Result<Self> {
        serde_json::from_str(json.get()).map_err(|error| sqlx::Error::Decode(error.into()))
    }

    /// As `jsonb` takes it.
    pub fn to_json(&self) -> sqlx::Result<Box<RawValue>> {
        let json = serde_json::to_string(self).map_err(|error| sqlx::Error::Encode(error.into()))?;
        RawValue::from_string(clean(&json).into_owned()).map_err(|error| sqlx::Error::Encode(error.into()))
    }

    pub fn operation(&self) -> &'static str {
        match &self.act {
            Act::Insert { .. } => "create",
            Act::Patch(_) => "update",
            Act::Split(split) if split.new.is_some() => "update",
            Act::Respond { .. } => "respond",
            Act::Delete { .. } | Act::Split(_) => "delete",
            Act::Move { .. } => "move",
        }
    }
}

/// A request at work, under its lease.
pub struct Run<'a> {
    pub ctx: &'a Context,
    pub intent: Intent,
    pub work: Work,
    /// Tries in a row that came to nothing, in this process.
    pub failures: u32,
    /// How far its calendars had been pulled when the try began.
    pulled: BTreeMap<CalendarId, Option<String>>,
}

impl<'a> Run<'a> {
    pub fn new(ctx: &'a Context, intent: Intent, work: Work) -> Self {
        Self {
            ctx,
            intent,
            work,
            failures: 0,
            pulled: BTreeMap::new(),
        }
    }

    /// Notes how far the calendars have been pulled: what Google says from here on is no older than that.
    pub async fn begin_try(&mut self) -> sqlx::Result<()> {
        let mut calendars = vec![self.intent.calendar_id];
        if let Act::Move { destination } = self.work.act {
            calendars.push(destination);
        }
        let mut conn = self.ctx.pool.acquire().await?;
        self.pulled = sync_tokens(&mut conn, &calendars).await?;
        Ok(())
    }

    /// A pull of this calendar has been committed since the try began.
    pub async fn was_overtaken(&self, conn: &mut PgConnection, calendar: CalendarId) -> sqlx::Result<bool> {
        let now = sync_tokens(conn, &[calendar]).await?;
        Ok(now.get(&calendar) != self.pulled.get(&calendar))
    }

    pub fn id(&self) -> Uuid {
        self.intent.lease.key
    }

    /// Google may have done it already.
    pub fn is_in_doubt(&self) -> bool {
        self.intent.state == State::Sent
    }

    /// Google has answered that it did not do what was sent. The row may go on saying that it was sent: who takes the request
    /// over looks first, and finds nothing.
    pub fn was_refused(&mut self) {
        self.intent.state = State::Pending;
    }

    /// A part of it was done, and is to be taken back.
    pub fn is_undone(&self) -> bool {
        matches!(&self.work.act, Act::Split(split) if split.undo.is_some())
    }

    /// Its time is up. It may still be found to have happened.
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// How long it may still be tried.
    pub fn left(&self) -> Duration {
        left(self.ctx, &self.intent)
    }

    /// Notes where the work stands, and holds the lease a while longer. False: the lease was lost.
    pub async fn mark(&mut self, state: State) -> sqlx::Result<bool> {
        let work = self.work.to_json()?;
        let mut conn = self.ctx.pool.acquire().await?;
        let lease = self.ctx.settings.lease;
        let held = write_intents::mark(&mut conn, &self.intent.lease, state, &work, lease).await?;
        self.intent.state = state;
        Ok(held)
    }

    /// Asks Google in the name of the request's account.
    pub async fn call<T, F>(&self, call: impl Fn(SecretString) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.call_for(Units::CALL, call).await
    }

    pub async fn call_for<T, F>(&self, units: Units, call: impl Fn(SecretString) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let connection = self.intent.connection_id;
        common::crash_point!("write.before_google");
        let answer = tokens::call_for(self.ctx, connection, tokens::Work::Sync, units, call).await;
        common::crash_point!("write.after_google");
        answer
    }
}

/// How long a request may still be tried.
pub fn left(ctx: &Context, intent: &Intent) -> Duration {
    let end = intent.created_at + LIFE;
    (end - ctx.clock.now()).to_std().unwrap_or_default()
}

async fn sync_tokens(
    conn: &mut PgConnection,
    calendars: &[CalendarId],
) -> sqlx::Result<BTreeMap<CalendarId, Option<String>>> {
    let resources: Vec<_> = calendars.iter().map(|&calendar| calendar.into()).collect();
    let tokens = sync_state::sync_tokens(conn, &resources).await?;
    let of_calendar = |(resource, token): (ResourceId, _)| (CalendarId::from(resource.as_uuid()), token);
    Ok(tokens.into_iter().map(of_calendar).collect())
}
