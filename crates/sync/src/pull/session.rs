//! A running pull: its calls to Google, its lease, and its entry in the pull log.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::{crash_point, lease};
use google::{CalendarListEntry, EventsPage, ListCursor, Next, Page};
use sqlx::{PgConnection, Postgres, Transaction};
use store::pull_log::{self, NewEntry, Outcome};
use store::sync_state::{self, Kind, Pull};

use super::decision::{LARGE_PAGES, PAGE_TIMED_OUT, PullError, decide};
use crate::calls::{self, CallError, Purpose};
use crate::{Context, metrics};

/// No calendar has this many pages, even at a few events each: a longer listing is broken.
const PAGES_MAX: usize = 10_000;

/// The smallest page size to request when Google's responses are too large or too slow.
const PAGE_SIZE_MIN: u16 = 10;

/// A running pull.
pub(crate) struct Session<'a> {
    pub ctx: &'a Context,
    pub pull: &'a Pull,
    /// The start of the pull: everything it commits is as Google had it then, or later.
    pub started: DateTime<Utc>,
    /// Pages received from Google.
    pub pages: u32,
    /// Events per page: the page size that the sync token belongs to, else the configured one; smaller after a response
    /// that was too large or too slow.
    page_size: u16,
}

/// The outcome of a pull, for the pull log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary<'a> {
    pub outcome: Outcome<'a>,
    /// Events inserted or updated.
    pub changed: usize,
    pub deleted: usize,
    /// The message about it, if there is one.
    pub seq: Option<i64>,
}

impl<'a> Summary<'a> {
    pub fn failed(reason: &'a str) -> Self {
        Self {
            outcome: Outcome::Failed(reason),
            changed: 0,
            deleted: 0,
            seq: None,
        }
    }
}

/// The pages of one listing: the same parameters on each, and a bound on their number.
pub(crate) struct Pages {
    cursor: ListCursor,
    seen: HashSet<String>,
    ended: Option<String>,
}

impl Pages {
    /// With a sync token: the changes since then; without: everything.
    pub fn from(sync_token: Option<&str>) -> Self {
        Self {
            cursor: ListCursor {
                sync_token: sync_token.map(str::to_owned),
                page_token: None,
            },
            seen: HashSet::new(),
            ended: None,
        }
    }

    /// The next sync token, after the last page.
    pub fn sync_token(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    fn is_first(&self) -> bool {
        self.cursor.page_token.is_none()
    }

    fn advance(&mut self, next: Next) -> Result<(), PullError> {
        match next {
            Next::Sync(token) => self.ended = Some(token),
            Next::Page(token) => {
                if self.seen.len() == PAGES_MAX || !self.seen.insert(token.clone()) {
                    return Err(PullError::Retry {
                        delay: Duration::from_mins(1),
                        reason: "endless_listing",
                    });
                }
                self.cursor.page_token = Some(token);
            }
        }
        Ok(())
    }
}

impl<'a> Session<'a> {
    pub fn new(ctx: &'a Context, pull: &'a Pull) -> Self {
        Self {
            ctx,
            pull,
            started: ctx.clock.now(),
            pages: 0,
            page_size: pull.page_size.unwrap_or(ctx.settings.events_page_size),
        }
    }

    /// Events per page. A sync token is valid only with the page size that it was issued for.
    pub fn page_size(&self) -> u16 {
        self.page_size
    }

    /// The next page of a calendar's events; none after the last. If a page is too large to read, or for the
    /// second time too slow, the next listing requests smaller pages.
    pub async fn events(
        &mut self,
        google_id: &str,
        pages: &mut Pages,
    ) -> Result<Option<EventsPage>, PullError> {
        if pages.ended.is_some() {
            return Ok(None);
        }
        self.extend_lease_after_first(pages).await?;
        let (google, cursor, page_size) = (&self.ctx.google, &pages.cursor, self.page_size);
        let answer = Box::pin(calls::call(
            self.ctx,
            self.pull.connection_id,
            Purpose::Sync,
            |access| async move { google.events(&access, google_id, cursor, page_size).await },
        ));
        match self.while_leased(answer).await? {
            Ok(page) => {
                self.pages += 1;
                metrics::page();
                crash_point!("pull.page_read");
                pages.advance(page.next.clone())?;
                Ok(Some(page))
            }
            // The page size must be the same in a whole listing and in those that continue from its token, so start
            // over.
            Err(CallError::Google(google::Error::AnswerTooLarge)) if page_size > PAGE_SIZE_MIN => {
                self.page_size = (page_size / 10).max(PAGE_SIZE_MIN);
                Err(PullError::Rebuild(LARGE_PAGES))
            }
            Err(CallError::Google(google::Error::PageTimedOut))
                if page_size > PAGE_SIZE_MIN && self.pull.last_error.as_deref() == Some(PAGE_TIMED_OUT) =>
            {
                self.page_size = (page_size / 10).max(PAGE_SIZE_MIN);
                Err(PullError::Rebuild(LARGE_PAGES))
            }
            Err(_) if common::mutant!("sweep_truncated") && self.pages > 0 => Ok(None),
            Err(error) => Err(self.classify(error, pages)),
        }
    }

    /// The next page of the account's list of calendars; none after the last.
    pub async fn calendars(
        &mut self,
        pages: &mut Pages,
    ) -> Result<Option<Page<CalendarListEntry>>, PullError> {
        if pages.ended.is_some() {
            return Ok(None);
        }
        self.extend_lease_after_first(pages).await?;
        let (google, cursor) = (&self.ctx.google, &pages.cursor);
        let answer = Box::pin(calls::call(
            self.ctx,
            self.pull.connection_id,
            Purpose::Sync,
            |access| async move { google.calendar_list(&access, cursor).await },
        ));
        let page = self.while_leased(answer).await?;
        let page = page.map_err(|error| self.classify(error, pages))?;
        crash_point!("list.page_read");
        pages.advance(page.next.clone())?;
        Ok(Some(page))
    }

    fn classify(&self, error: CallError, pages: &Pages) -> PullError {
        match error {
            // A sync token issued for other parameters, perhaps by an earlier version of this program.
            CallError::Google(google::Error::Refused { .. }) if pages.cursor.sync_token.is_some() => {
                PullError::Rebuild("token_refused")
            }
            error => decide(error, self.pull.lease.attempts),
        }
    }

    /// Logs how many events of a listing were skipped, without their content.
    pub fn report_unreadable(&self, count: usize) {
        if count > 0 {
            tracing::warn!(calendar.id = %self.pull.lease.key, count, "Skipped events without a usable id");
        }
    }

    /// Logs how many events are in a time zone that no tz database has.
    pub fn report_unknown_zones(&self, count: usize) {
        if count > 0 {
            tracing::warn!(
                calendar.id = %self.pull.lease.key,
                count,
                "Events have an unknown time zone; series among them are expanded by the calendar's"
            );
        }
    }

    /// Extends the lease while a call to Google takes its time, which is no sign of a worker that died.
    async fn while_leased<T>(&self, call: impl Future<Output = T>) -> Result<T, PullError> {
        lease::hold(
            self.ctx.settings.lease / 3,
            async || self.extend_lease().await,
            call,
        )
        .await
    }

    async fn extend_lease_after_first(&self, pages: &Pages) -> Result<(), PullError> {
        if pages.is_first() {
            Ok(())
        } else {
            self.extend_lease().await
        }
    }

    /// Writes the pull log entry of a calendar's pull, in the transaction that ends the pull.
    pub async fn record(&self, conn: &mut PgConnection, summary: Summary<'_>) -> sqlx::Result<()> {
        if self.pull.kind != Kind::Events {
            return Ok(());
        }
        let entry = NewEntry {
            started_at: self.started,
            at: self.ctx.clock.now(),
            outcome: summary.outcome,
            pages: self.pages,
            changed: summary.changed,
            deleted: summary.deleted,
            seq: summary.seq,
        };
        pull_log::record(conn, self.pull, entry).await
    }

    pub async fn extend_lease(&self) -> Result<(), PullError> {
        let mut conn = self.ctx.pool.acquire().await?;
        if sync_state::extend_lease(&mut conn, &self.pull.lease, self.ctx.settings.lease).await? {
            Ok(())
        } else {
            Err(PullError::LeaseLost)
        }
    }

    /// Commits a step of a pull that has more steps: extends the lease in the same transaction, so a worker that lost
    /// its lease writes nothing.
    pub async fn commit_fenced(&self, mut tx: Transaction<'_, Postgres>) -> Result<(), PullError> {
        if !sync_state::extend_lease(&mut tx, &self.pull.lease, self.ctx.settings.lease).await? {
            return Err(PullError::LeaseLost);
        }
        tx.commit().await?;
        Ok(())
    }
}
