//! A request that is worked on, under its lease: its state, and its calls to Google.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use common::ids::{CalendarId, ResourceId};
use google::Error;
use secrecy::SecretString;
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::sync_state;
use store::write_intents::{self, Intent, State};
use uuid::Uuid;

use super::interrupt::{Interrupt, Standing, Unfinished};
use super::plan::{AnswerInstance, Operation, Plan};
use super::result::Reason;
use crate::Context;
use crate::calls::{self, CallError, Purpose};
use crate::quota::Units;

/// How long a request is tried before it is given up. A user who was answered `pending` is probably still on the page.
pub const LIFE: TimeDelta = TimeDelta::minutes(10);

/// How long a request may still be tried.
pub fn time_left(ctx: &Context, intent: &Intent) -> Duration {
    let end = intent.created_at + LIFE;
    (end - ctx.clock.now()).to_std().unwrap_or_default()
}

/// A request that is worked on.
pub struct Attempt<'a> {
    pub ctx: &'a Context,
    pub intent: Intent,
    pub plan: Plan,
    /// Tries in a row that failed, in this process.
    pub failures: u32,
    /// The sync tokens of its calendars when the try began.
    pulled: BTreeMap<CalendarId, Option<String>>,
}

impl<'a> Attempt<'a> {
    pub fn new(ctx: &'a Context, intent: Intent, plan: Plan) -> Self {
        Self {
            ctx,
            intent,
            plan,
            failures: 0,
            pulled: BTreeMap::new(),
        }
    }

    /// Notes how far the calendars have been pulled: Google's answers from here on are no older than that.
    pub async fn begin_try(&mut self) -> sqlx::Result<()> {
        let mut calendars = vec![self.intent.calendar_id];
        if let Operation::Move { destination } = self.plan.operation {
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

    /// Google may have applied an earlier call.
    pub fn is_in_doubt(&self) -> bool {
        self.intent.state == State::Sent
    }

    /// Google has answered that it did not apply the last call. The row may stay `sent`: a worker that takes the request
    /// over looks first, and finds nothing.
    pub fn mark_refused(&mut self) {
        self.intent.state = State::Pending;
    }

    /// The event of the user's calendar that the result carries.
    pub fn answer(&self) -> (CalendarId, AnswerInstance) {
        (self.intent.calendar_id, self.plan.answer.clone())
    }

    /// Its first step is being undone.
    fn is_undoing(&self) -> bool {
        matches!(&self.plan.operation, Operation::Split(split) if split.undo.is_some())
    }

    /// Its time is up. It may still turn out to have been applied.
    pub fn is_over(&self) -> bool {
        self.time_left().is_zero()
    }

    pub fn time_left(&self) -> Duration {
        time_left(self.ctx, &self.intent)
    }

    /// Stores the state and the plan, and extends the lease. False: the lease was lost.
    pub async fn save(&mut self, state: State) -> sqlx::Result<bool> {
        let work = self.plan.to_json()?;
        let mut conn = self.ctx.pool.acquire().await?;
        let lease = self.ctx.settings.lease;
        let held = write_intents::mark(&mut conn, &self.intent.lease, state, &work, lease).await?;
        self.intent.state = state;
        Ok(held)
    }

    /// Commits that Google is about to be called. Once a request's time is up, nothing more of it is written to Google:
    /// earlier calls have been looked for by then. Only a half-finished split is still undone.
    pub async fn mark_sent(&mut self) -> Result<(), Interrupt> {
        if self.is_over() && !self.is_undoing() {
            return Err(Reason::GoogleUnavailable.into());
        }
        if self.save(State::Sent).await? {
            Ok(())
        } else {
            Err(Unfinished::LeaseLost.into())
        }
    }

    /// Stops this try, to try again later.
    pub fn retry(&self, in_doubt: bool) -> Interrupt {
        self.standing(in_doubt).retry()
    }

    /// Stops this try because a call that reads has failed.
    pub fn failed_read(&self, error: CallError) -> Interrupt {
        self.standing(self.is_in_doubt()).failed_call(error)
    }

    /// Stops this try because a call that writes has failed. Earlier writes have been looked for before.
    pub fn failed_write(&self, error: CallError) -> Interrupt {
        self.standing(false).failed_call(error)
    }

    fn standing(&self, in_doubt: bool) -> Standing {
        Standing {
            tries: self.failures + 1,
            time_left: self.time_left(),
            in_doubt,
        }
    }

    /// Reads from Google for the request's account. Possible while its writes are paused.
    pub async fn read<T, F>(&self, call: impl Fn(SecretString) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.call_google(Purpose::Sync, Units::CALL, call).await
    }

    /// Calls Google to change an event.
    pub async fn call<T, F>(&self, call: impl Fn(SecretString) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.call_for(Units::CALL, call).await
    }

    /// As [`call()`](Self::call), for a call that costs another number of units.
    pub async fn call_for<T, F>(&self, units: Units, call: impl Fn(SecretString) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.call_google(Purpose::Write, units, call).await
    }

    async fn call_google<T, F>(
        &self,
        purpose: Purpose,
        units: Units,
        call: impl Fn(SecretString) -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let connection = self.intent.connection_id;
        common::crash_point!("write.before_google");
        let answer = calls::call_for(self.ctx, connection, purpose, units, call).await;
        common::crash_point!("write.after_google");
        answer
    }

    pub async fn calendar(&self) -> Result<Calendar, Interrupt> {
        self.calendar_of(self.intent.calendar_id).await
    }

    pub async fn calendar_of(&self, id: CalendarId) -> Result<Calendar, Interrupt> {
        let mut conn = self.ctx.pool.acquire().await?;
        let found = calendars::get(&mut conn, &self.intent.user_id, id).await?;
        found.ok_or(Reason::CalendarNotFound.into())
    }
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
