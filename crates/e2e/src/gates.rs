//! Gates in Postgres at the steps of a write, so that a process can be killed at one of them and nowhere else.
//!
//! Triggers on `write_intents` wait for advisory locks that the test holds, longer than the services wait for other locks.
//! A process that is killed at a gate leaves its statement running in Postgres, as on a real network: the statement completes
//! when its gate opens, or is lost when [`Gates::break_off`] ends its session.

use anyhow::Result;
use sqlx::{Connection, PgConnection, PgPool};

use crate::database::Database;
use crate::wait;

/// The steps at which a write can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The request is being stored.
    Begin,
    /// The note that Google is about to be called is being stored.
    Send,
    /// The same, before the second call of a write in two steps.
    SendAgain,
    /// The result is being stored, in the transaction with Google's answer.
    Finish,
    /// That transaction is being committed.
    Commit,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Send => "send",
            Self::SendAgain => "send again",
            Self::Finish => "finish",
            Self::Commit => "commit",
        }
    }
}

const TRIGGERS: &str = "
    create function wait_at_gate() returns trigger language plpgsql set lock_timeout = 0 as $$
    begin
        perform pg_advisory_xact_lock_shared(hashtextextended(tg_argv[0] || new.calendar_id, 0));
        return new;
    end $$;
    create trigger gate_begin before insert on write_intents
        for each row execute function wait_at_gate('begin');
    create trigger gate_send before update on write_intents
        for each row when (new.state = 'sent' and old.state <> 'sent') execute function wait_at_gate('send');
    create trigger gate_send_again before update on write_intents
        for each row when (new.state = 'sent' and old.state = 'sent') execute function wait_at_gate('send again');
    create trigger gate_finish before update on write_intents
        for each row when (new.result is not null and old.result is null) execute function wait_at_gate('finish');
    create constraint trigger gate_commit after update on write_intents deferrable initially deferred
        for each row when (new.result is not null and old.result is null) execute function wait_at_gate('commit');
";

/// The sessions that wait at the gate named `$1`.
const WAITING: &str = "from pg_locks where locktype = 'advisory' and objsubid = 1 and not granted \
    and database = (select oid from pg_database where datname = current_database()) \
    and ((classid::bigint << 32) | objid::bigint) = hashtextextended($1, 0)";

/// The gates of one database. All are open at first.
pub struct Gates {
    keeper: PgConnection,
    pool: PgPool,
}

impl Gates {
    pub async fn install(database: &Database) -> Result<Self> {
        sqlx::raw_sql(TRIGGERS).execute(&database.pool).await?;
        Ok(Self {
            keeper: PgConnection::connect(&database.url).await?,
            pool: database.pool.clone(),
        })
    }

    /// Writes to this calendar wait at this step from now on.
    pub async fn close(&mut self, step: Step, calendar: &str) -> Result<()> {
        sqlx::query("select pg_advisory_lock(hashtextextended($1, 0))")
            .bind(name(step, calendar))
            .execute(&mut self.keeper)
            .await?;
        Ok(())
    }

    pub async fn open(&mut self, step: Step, calendar: &str) -> Result<()> {
        sqlx::query("select pg_advisory_unlock(hashtextextended($1, 0))")
            .bind(name(step, calendar))
            .execute(&mut self.keeper)
            .await?;
        Ok(())
    }

    /// Waits until a write arrives there.
    pub async fn reached(&self, step: Step, calendar: &str) {
        let what = format!("a write to {calendar} is at {step:?}");
        wait::until(&what, async || {
            (self.waiting(step, calendar).await.ok()? > 0).then_some(())
        })
        .await;
    }

    /// Ends the sessions that wait there, and so rolls back their transactions.
    pub async fn break_off(&self, step: Step, calendar: &str) -> Result<()> {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "select pg_terminate_backend(pid) {WAITING}"
        )))
        .bind(name(step, calendar))
        .execute(&self.pool)
        .await?;
        wait::until("they are gone", async || {
            (self.waiting(step, calendar).await.ok()? == 0).then_some(())
        })
        .await;
        Ok(())
    }

    async fn waiting(&self, step: Step, calendar: &str) -> sqlx::Result<i64> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) {WAITING}")))
            .bind(name(step, calendar))
            .fetch_one(&self.pool)
            .await
    }
}

fn name(step: Step, calendar: &str) -> String {
    format!("{}{calendar}", step.name())
}
