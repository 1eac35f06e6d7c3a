//! Writes to single events: with an id chosen by us, conditional on a version, and explicit about an unknown outcome.
//!
//! They use `reqwest` and plain JSON. The generated client can send neither `If-Match` nor `null`, which is how a patch
//! clears a field; and an event that is read and written back through its types loses every field that they do not know.

use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::classify::{self, Endpoint, transient};
use crate::hub::path_segment;
use crate::transport::{Answer, CANNOT_CONNECT, bearer, send};
use crate::{Error, Google, RawEvent};

/// Whom Google notifies of a write by mail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase", const_into_str)]
pub enum SendUpdates {
    All,
    /// Guests who do not use Google Calendar.
    ExternalOnly,
    #[default]
    None,
}

/// An event in a calendar, by Google's ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPath<'a> {
    pub calendar: &'a str,
    pub event: &'a str,
}

impl Google {
    /// One event or instance as it is now. A deleted one has the status `cancelled`, or is an [`Error::NotFound`] or
    /// [`Error::AlreadyDeleted`].
    pub async fn event(&self, access: &SecretString, path: EventPath<'_>) -> Result<RawEvent, Error> {
        let request = self.event_request(Method::GET, access, path, "")?;
        let answer = send(request.query(&[("prettyPrint", "false")])).await?;
        read(&answer).map_err(|error| match error {
            // Nothing was written, so no outcome is unknown.
            Error::OutcomeUnknown { reason } => Error::Transient { reason },
            error => error,
        })
    }

    /// Creates an event. With an `id` in the body (5 to 1,024 of `0-9a-v`) the call can be repeated:
    /// [`Error::AlreadyExists`] then means that an event with this id exists or existed.
    pub async fn insert_event(
        &self,
        access: &SecretString,
        calendar: &str,
        body: &Value,
        send_updates: SendUpdates,
    ) -> Result<RawEvent, Error> {
        let path = format!("calendars/{}/events", path_segment(calendar)?);
        let request = self.calendar_request(Method::POST, access, &path)?;
        read(&write(request.query(&write_query(send_updates)).json(body)).await?)
    }

    /// Changes the fields in the body; `null` clears a field. [`Error::Conflict`]: the event is no longer the version
    /// `if_match`.
    pub async fn patch_event(
        &self,
        access: &SecretString,
        path: EventPath<'_>,
        if_match: Option<&str>,
        body: &Value,
        send_updates: SendUpdates,
    ) -> Result<RawEvent, Error> {
        let request = self.event_request(Method::PATCH, access, path, "")?;
        let request = on_condition(request, if_match)?.query(&write_query(send_updates));
        read(&write(request.json(body)).await?)
    }

    /// Deletes an event, a series with all its instances, or one instance.
    pub async fn delete_event(
        &self,
        access: &SecretString,
        path: EventPath<'_>,
        if_match: Option<&str>,
        send_updates: SendUpdates,
    ) -> Result<(), Error> {
        let request = self.event_request(Method::DELETE, access, path, "")?;
        let request = on_condition(request, if_match)?.query(&[("sendUpdates", send_updates.into_str())]);
        accepted(&write(request).await?)
    }

    /// Moves an event to another calendar of the account. It keeps its id. Google does not support a condition here.
    pub async fn move_event(
        &self,
        access: &SecretString,
        path: EventPath<'_>,
        destination: &str,
        send_updates: SendUpdates,
    ) -> Result<RawEvent, Error> {
        let query = [
            ("destination", destination),
            ("sendUpdates", send_updates.into_str()),
            ("prettyPrint", "false"),
        ];
        // Some front ends answer a POST without this header with 411.
        let request = self
            .event_request(Method::POST, access, path, "/move")?
            .query(&query)
            .header(http::header::CONTENT_LENGTH, 0);
        read(&write(request).await?)
    }

    fn event_request(
        &self,
        method: Method,
        access: &SecretString,
        path: EventPath<'_>,
        below: &str,
    ) -> Result<RequestBuilder, Error> {
        let (calendar, event) = (path_segment(path.calendar)?, path_segment(path.event)?);
        self.calendar_request(
            method,
            access,
            &format!("calendars/{calendar}/events/{event}{below}"),
        )
    }

    fn calendar_request(
        &self,
        method: Method,
        access: &SecretString,
        path: &str,
    ) -> Result<RequestBuilder, Error> {
        let url = self
            .0
            .calendar_url
            .join(path)
            .map_err(|_| transient("an id that is no valid URL segment"))?;
        let request = self.0.http.client().request(method, url);
        Ok(request.bearer_auth(bearer(access)?))
    }
}

/// The parameters of every write with a body. Without `conferenceDataVersion`, Google ignores a request for a Meet link;
/// without `supportsAttachments`, it drops the attachments of a copied event.
fn write_query(send_updates: SendUpdates) -> [(&'static str, &'static str); 4] {
    [
        ("sendUpdates", send_updates.into_str()),
        ("conferenceDataVersion", "1"),
        ("supportsAttachments", "true"),
        ("prettyPrint", "false"),
    ]
}

/// An etag that is no valid header value cannot be a version that Google knows.
fn on_condition(request: RequestBuilder, if_match: Option<&str>) -> Result<RequestBuilder, Error> {
    let Some(etag) = if_match else { return Ok(request) };
    let etag = http::HeaderValue::from_str(etag).map_err(|_| Error::Conflict)?;
    Ok(request.header(http::header::IF_MATCH, etag))
}

/// Sends a write. Where a read would be transient, the outcome of a write is unknown, unless no connection was made.
async fn write(request: RequestBuilder) -> Result<Answer, Error> {
    send(request).await.map_err(|error| match error {
        Error::Transient { reason } if reason != CANNOT_CONNECT => Error::OutcomeUnknown { reason },
        Error::AnswerTooLarge => unknown("the response is too large"),
        error => error,
    })
}

fn accepted(answer: &Answer) -> Result<(), Error> {
    if answer.is_success() {
        return Ok(());
    }
    match classify::calendar(
        Endpoint::Event,
        answer.status,
        answer.json().as_ref(),
        answer.retry_after,
    ) {
        Error::Transient { reason } => Err(Error::OutcomeUnknown { reason }),
        error => Err(error),
    }
}

fn read(answer: &Answer) -> Result<RawEvent, Error> {
    accepted(answer)?;
    serde_json::from_slice::<Box<RawValue>>(&answer.body)
        .ok()
        .and_then(RawEvent::of)
        .ok_or_else(|| unknown("unreadable response"))
}

fn unknown(reason: &str) -> Error {
    Error::OutcomeUnknown {
        reason: reason.to_owned(),
    }
}
