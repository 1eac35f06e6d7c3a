//! One pull's dealings with Google and with its lease.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::crash_point;
use google::{CalendarListEntry, EventsPage, ListCursor, Next, Page};
use sqlx::PgConnection;
use store::pull_log::{self, NewEntry, Outcome};
use store::sync_state::{self, Kind, Pull};

use super::decision::{LARGE_PAGES, PullError, decide};
use crate::tokens::{self, CallError, Work};
use crate::{Context, metrics};

/// More pages than any calendar has, even at a few events each: a listing that goes on beyond is broken.
const PAGES_MAX: usize = 10_000;

/// The smallest page that is asked for when Google's answers are too large.
const PAGE_SIZE_MIN: u16 = 10;

/// A pull at work.
pub(crate) struct Session<'a> {
    pub ctx: &'a Context,
    pub pull: &'a Pull,
    /// When it began: all it commits is as Google had it then, or later.
    pub started: DateTime<Utc>,
    /// How many pages Google has answered.
    pub pages: u32,
    /// The most events on a page: what the sync token is from, or as configured; less after an answer that was too large.
    page_size: u16,
}

/// What a pull came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    pub outcome: Outcome<'a>,
    /// Events that were written, and that went.
    pub changed: usize,
    pub deleted: usize,
    /// The message that tells of it, if it told.
    pub seq: Option<i64>,
}

impl<'a> End<'a> {
    /// Given up for now.
    pub fn failed(reason: &'a str) -> Self {
        Self {
            outcome: Outcome::Failed(reason),
            changed: 0,
            deleted: 0,
            seq: None,
        }
    }
}

/// Walks over the pages of one listing: the same parameters on each, and an end even where Google knows none.
pub(crate) struct Pages {
    cursor: ListCursor,
    seen: HashSet<String>,
    ended: Option<String>,
}

impl Pages {
    /// From a sync token, or over everything.
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

    /// The next sync token, once the last page has been read.
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

    /// The most events on a page, which the listings that go on from a sync token have in common.
    pub fn page_size(&self) -> u16 {
        self.page_size
    }

    /// The next page of a calendar's events; none after the last. When one is too large to be read, the next listing asks
    /// for smaller ones.
    pub async fn events(
        &mut self,
        google_id: &str,
        pages: &mut Pages,
    ) -> Result<Option<EventsPage>, PullError> {
        if pages.ended.is_some() {
            return Ok(None);
        }
        self.extend_lease_beyond_first(pages).await?;
        let (google, cursor, page_size) = (&self.ctx.google, &pages.cursor, self.page_size);
        let answer = tokens::call(
            self.ctx,
            self.pull.connection_id,
            Work::Sync,
            |access| async move { google.events(&access, google_id, cursor, page_size).await },
        );
        match answer.await {
            Ok(page) => {
                self.pages += 1;
                metrics::page();
                crash_point!("pull.page_read");
                pages.advance(page.next.clone())?;
                Ok(Some(page))
            }
            // A page size holds for a whole listing and for those that go on from its token, whichever page it is.
            Err(CallError::Google(google::Error::AnswerTooLarge)) if page_size > PAGE_SIZE_MIN => {
                self.page_size = (page_size / 10).max(PAGE_SIZE_MIN);
                Err(PullError::Rebuild(LARGE_PAGES))
            }
            Err(_) if common::mutant!("sweep_truncated") && self.pages > 0 => Ok(None),
            Err(error) => Err(self.stop(error, pages)),
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
        self.extend_lease_beyond_first(pages).await?;
        let (google, cursor) = (&self.ctx.google, &pages.cursor);
        let answer = tokens::call(
            self.ctx,
            self.pull.connection_id,
            Work::Sync,
            |access| async move { google.calendar_list(&access, cursor).await },
        );
        let page = answer.await.map_err(|error| self.stop(error, pages))?;
        crash_point!("list.page_read");
        pages.advance(page.next.clone())?;
        Ok(Some(page))
    }

    fn stop(&self, error: CallError, pages: &Pages) -> PullError {
        match error {
            // A sync token that goes with other parameters than ours, perhaps those of an earlier version.
            CallError::Google(google::Error::Refused { .. }) if pages.cursor.sync_token.is_some() => {
                PullError::Rebuild("token_refused")
            }
            error => decide(error, self.pull.lease.attempts),
        }
    }

    async fn extend_lease_beyond_first(&self, pages: &Pages) -> Result<(), PullError> {
        if pages.is_first() {
            Ok(())
        } else {
            self.extend_lease().await
        }
    }

    /// Writes down how a pull of a calendar ended, in the transaction that ends it.
    pub async fn record(&self, conn: &mut PgConnection, end: End<'_>) -> sqlx::Result<()> {
        if self.pull.kind != Kind::Events {
            return Ok(());
        }
        let entry = NewEntry {
            started_at: self.started,
            at: self.ctx.clock.now(),
            outcome: end.outcome,
            pages: self.pages,
            changed: end.changed,
            deleted: end.deleted,
            seq: end.seq,
        };
        pull_log::record(conn, self.pull, entry).await
    }

    /// Prolongs the lease.
    pub async fn extend_lease(&self) -> Result<(), PullError> {
        let mut conn = self.ctx.pool.acquire().await?;
        if sync_state::extend_lease(&mut conn, &self.pull.lease, self.ctx.settings.lease).await? {
            Ok(())
        } else {
            Err(PullError::LeaseLost)
        }
    }
}
