//! One try to apply a request at Google.

mod change;
mod create;
mod interrupt;
mod look;
mod reconcile;
mod relocate;
mod split;

use std::collections::BTreeMap;
use std::time::Duration;

use common::ids::{CalendarId, ResourceId};
use google::Error;
use secrecy::SecretString;
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::sync_state;
use store::write_intents::{self, Intent, State};
use uuid::Uuid;

use super::effects::Effects;
use super::plan::{Operation, Plan};
use super::result::{Progress, Reason};
use super::time_left;
use crate::Context;
use crate::calls::{self, CallError, Purpose};
use crate::quota::Units;
use interrupt::Interrupt;

/// Tries once. Boxed: the effects are large, and the other outcomes are not.
pub async fn run(attempt: &mut Attempt<'_>) -> sqlx::Result<Progress<Box<Effects>>> {
    attempt.begin_try().await?;
    let outcome = match attempt.plan.operation.clone() {
        Operation::Insert { body } => create::insert(attempt, &body).await,
        Operation::Patch(edit) => change::update(attempt, &edit).await,
        Operation::Respond { response, comment } => {
            change::respond(attempt, response.into(), comment.as_deref()).await
        }
        Operation::Delete { base, is_conditional } => {
            change::delete(attempt, base.as_deref(), is_conditional).await
        }
        Operation::Move { destination } => relocate::move_event(attempt, destination).await,
        Operation::Split(split) => Box::pin(split::split(attempt, *split)).await,
    };
    match outcome {
        Ok(effects) => Ok(Progress::Finished(Box::new(effects))),
        Err(Interrupt::Failed(failure)) => Ok(Progress::Finished(Box::new(Effects::failed(failure)))),
        Err(Interrupt::Retry { delay, in_doubt }) => Ok(Progress::Retry { delay, in_doubt }),
        Err(Interrupt::LeaseLost) => Ok(Progress::LeaseLost),
        Err(Interrupt::Database(error)) => Err(error),
    }
}

/// A request that is worked on, under its lease.
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
    async fn begin_try(&mut self) -> sqlx::Result<()> {
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

    /// Google has answered that it did not apply the last call. The row may keep saying that it was sent: a worker that
    /// takes the request over looks first, and finds nothing.
    fn mark_refused(&mut self) {
        self.intent.state = State::Pending;
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
    async fn mark_sent(&mut self) -> Result<(), Interrupt> {
        if self.is_over() && !self.is_undoing() {
            return Err(Reason::GoogleUnavailable.into());
        }
        if self.save(State::Sent).await? {
            Ok(())
        } else {
            Err(Interrupt::LeaseLost)
        }
    }

    /// Calls Google for the request's account.
    async fn call<T, F>(&self, call: impl Fn(SecretString) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.call_for(Units::CALL, call).await
    }

    async fn call_for<T, F>(&self, units: Units, call: impl Fn(SecretString) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let connection = self.intent.connection_id;
        common::crash_point!("write.before_google");
        let answer = calls::call_for(self.ctx, connection, Purpose::Sync, units, call).await;
        common::crash_point!("write.after_google");
        answer
    }

    async fn calendar(&self) -> Result<Calendar, Interrupt> {
        self.calendar_of(self.intent.calendar_id).await
    }

    async fn calendar_of(&self, id: CalendarId) -> Result<Calendar, Interrupt> {
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
