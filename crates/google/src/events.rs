//! `events.list`, page by page, with every event's JSON unchanged.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::calendar::{ListCursor, Next};
use crate::classify::{self, Endpoint, transient};
use crate::hub::path_segment;
use crate::transport::{TIMED_OUT, bearer, send};
use crate::{Error, Google};

/// The most events that Google returns on one page.
pub const EVENTS_PAGE_MAX: u16 = 2_500;

/// One page of the events of a calendar.
#[derive(Debug)]
pub struct EventsPage {
    pub items: Vec<RawEvent>,
    /// How many items had no readable id. Google has never been seen to send one.
    pub unreadable: usize,
    pub next: Next,
}

/// An event: its id, and the JSON as Google sent it.
#[derive(Debug)]
pub struct RawEvent {
    pub id: String,
    pub raw: Box<RawValue>,
}

impl RawEvent {
    /// Parses an event of a page. None: it has no id.
    pub fn read(json: &str) -> Option<Self> {
        RawValue::from_string(json.to_owned()).ok().and_then(Self::of)
    }

    pub(crate) fn of(raw: Box<RawValue>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        let Id { id } = serde_json::from_str(raw.get()).ok()?;
        Some(Self { id, raw })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    items: Vec<Box<RawValue>>,
    next_page_token: Option<String>,
    next_sync_token: Option<String>,
}

impl Google {
    /// One page of a calendar's events: masters, exceptions and single events, never instances.
    ///
    /// `page_size` must be the same on every page of a listing and, by Google's rules, of the listings that continue from
    /// its sync token. `showDeleted` is never sent: with a sync token deletions are always included, and a full listing
    /// still has the cancelled instances of series that exist. [`Error::PageTimedOut`]: a smaller page may arrive in time.
    pub async fn events(
        &self,
        access: &SecretString,
        google_calendar_id: &str,
        cursor: &ListCursor,
        page_size: u16,
    ) -> Result<EventsPage, Error> {
        let path = format!("calendars/{}/events", path_segment(google_calendar_id)?);
        let url = self
            .0
            .calendar_url
            .join(&path)
            .map_err(|_| transient("a calendar id that is no valid URL segment"))?;
        let page_size = page_size.clamp(1, EVENTS_PAGE_MAX).to_string();
        let mut query = vec![
            ("singleEvents", "false"),
            ("maxResults", page_size.as_str()),
            ("prettyPrint", "false"),
        ];
        query.extend(cursor.sync_token.as_deref().map(|token| ("syncToken", token)));
        query.extend(cursor.page_token.as_deref().map(|token| ("pageToken", token)));
        let request = self
            .0
            .http
            .client()
            .get(url)
            .bearer_auth(bearer(access)?)
            .query(&query);
        let answer = send(request).await.map_err(|error| match error {
            Error::Transient { reason } if reason == TIMED_OUT => Error::PageTimedOut,
            error => error,
        })?;
        if !answer.is_success() {
            return Err(classify::calendar(
                Endpoint::Listing,
                answer.status,
                answer.json().as_ref(),
                answer.retry_after,
            ));
        }
        page(&answer.body)
    }
}

fn page(body: &[u8]) -> Result<EventsPage, Error> {
    // serde's own message would quote the body.
    let body: Body = serde_json::from_slice(body).map_err(|_| transient("unreadable response"))?;
    let received = body.items.len();
    let items: Vec<_> = body.items.into_iter().filter_map(RawEvent::of).collect();
    Ok(EventsPage {
        unreadable: received - items.len(),
        items,
        next: Next::of(body.next_page_token, body.next_sync_token)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_event_affects_neither_its_page_nor_its_json() {
        let page = page(
            br#"{"items":[{"id":"a","status":"confirmed","etag":"\"1\"","futureField":{"x":[1,2.50]}},
                {"id":"b","status":"cancelled","updated":"yesterday"},{"status":"confirmed"},17],"nextSyncToken":"t"}"#,
        )
        .unwrap();
        let ids: Vec<_> = page.items.iter().map(|event| event.id.as_str()).collect();
        assert_eq!((ids.as_slice(), page.unreadable), (["a", "b"].as_slice(), 2));
        assert!(
            page.items[0]
                .raw
                .get()
                .contains(r#""futureField":{"x":[1,2.50]}"#)
        );
        assert_eq!(
            page.items[1].raw.get(),
            r#"{"id":"b","status":"cancelled","updated":"yesterday"}"#
        );
        assert_eq!(page.next, Next::Sync("t".into()));
    }

    #[test]
    fn an_empty_page_with_a_token_is_not_last() {
        let next = |body: &str| page(body.as_bytes()).map(|page| page.next);
        assert_eq!(
            next(r#"{"items":[],"nextPageToken":"p"}"#),
            Ok(Next::Page("p".into()))
        );
        assert_eq!(next(r#"{"nextSyncToken":"s"}"#), Ok(Next::Sync("s".into())));
        assert!(matches!(next(r#"{"items":[]}"#), Err(Error::Transient { .. })));
        assert!(matches!(next(""), Err(Error::Transient { .. })));
    }
}
