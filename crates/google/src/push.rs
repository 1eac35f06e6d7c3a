//! The headers of a push notification. Google sends no body: the headers are all there is, and they are not signed.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub const CHANNEL_ID: &str = "x-goog-channel-id";
pub const CHANNEL_TOKEN: &str = "x-goog-channel-token";
pub const CHANNEL_EXPIRATION: &str = "x-goog-channel-expiration";
pub const RESOURCE_ID: &str = "x-goog-resource-id";
pub const RESOURCE_URI: &str = "x-goog-resource-uri";
pub const RESOURCE_STATE: &str = "x-goog-resource-state";
pub const MESSAGE_NUMBER: &str = "x-goog-message-number";

/// Google's own bounds.
const CHANNEL_ID_MAX_LEN: usize = 64;
const TOKEN_MAX_LEN: usize = 256;
/// Ours, for what Google does not bound: resource ids seen have 27 characters.
const RESOURCE_ID_MAX_LEN: usize = 256;
const RESOURCE_URI_MAX_LEN: usize = 2_048;
const STATE_MAX_LEN: usize = 32;

/// One push. It says that something changed, never what: the answer to each is to list from the sync token.
#[derive(Debug, Clone)]
pub struct Notification {
    pub channel_id: String,
    /// Given to Google when the channel was made. Without the right one, the push is not Google's.
    pub token: Option<SecretString>,
    pub resource_id: String,
    pub resource_uri: Option<String>,
    pub state: ResourceState,
    /// Grows within a channel, with gaps. Order and loss cannot be told from it.
    pub message_number: u64,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why Google pushed. States that are not known count as a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceState {
    /// The channel was made. May come before the answer to `watch`.
    Sync,
    /// Something was made, changed or deleted.
    Exists,
    /// The resource is said to be gone; ask before believing it.
    NotExists,
    Other(String),
}

/// Which header of a would-be push is wrong, and how. Never holds the header's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNotification {
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("the header {header} {problem}")]
    Malformed { header: &'static str, problem: Problem },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    Empty,
    TooLong { max: usize },
    Characters,
    NotANumber,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { max } => write!(f, "is longer than {max} bytes"),
            Self::Characters => f.write_str("has characters that it may not have"),
            Self::NotANumber => f.write_str("is not a number"),
        }
    }
}

impl Notification {
    /// Reads the headers through `get`, which is asked for lower-case names and gives a header's bytes.
    pub fn from_headers<'h>(
        get: impl Fn(&'static str) -> Option<&'h [u8]>,
    ) -> Result<Self, InvalidNotification> {
        let required = |header, max| {
            let value = get(header).ok_or(InvalidNotification::Missing(header))?;
            text(header, value, max)
        };
        let optional = |header, max| get(header).map(|value| text(header, value, max)).transpose();

        let channel_id = required(CHANNEL_ID, CHANNEL_ID_MAX_LEN)?;
        if !channel_id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_+/=".contains(&b))
        {
            return Err(malformed(CHANNEL_ID, Problem::Characters));
        }
        let message_number = required(MESSAGE_NUMBER, 20)?
            .parse()
            .map_err(|_| malformed(MESSAGE_NUMBER, Problem::NotANumber))?;
        Ok(Self {
            channel_id: channel_id.to_owned(),
            token: optional(CHANNEL_TOKEN, TOKEN_MAX_LEN)?.map(SecretString::from),
            resource_id: required(RESOURCE_ID, RESOURCE_ID_MAX_LEN)?.to_owned(),
            resource_uri: optional(RESOURCE_URI, RESOURCE_URI_MAX_LEN)?.map(str::to_owned),
            state: required(RESOURCE_STATE, STATE_MAX_LEN)?.into(),
            message_number,
            // Only of use when it can be read; an odd date is no reason to lose a change.
            expires_at: get(CHANNEL_EXPIRATION)
                .and_then(|value| std::str::from_utf8(value).ok())
                .and_then(|date| DateTime::parse_from_rfc2822(date.trim()).ok())
                .map(Into::into),
        })
    }
}

impl From<&str> for ResourceState {
    fn from(text: &str) -> Self {
        match text {
            "sync" => Self::Sync,
            "exists" => Self::Exists,
            "not_exists" => Self::NotExists,
            other => Self::Other(other.to_owned()),
        }
    }
}

fn text<'h>(header: &'static str, value: &'h [u8], max: usize) -> Result<&'h str, InvalidNotification> {
    let problem = match value {
        [] => Problem::Empty,
        _ if value.len() > max => Problem::TooLong { max },
        // Visible ASCII and nothing else, so that it is a `str` and safe in a log.
        _ => match std::str::from_utf8(value) {
            Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => return Ok(text),
            _ => Problem::Characters,
        },
    };
    Err(malformed(header, problem))
}

fn malformed(header: &'static str, problem: Problem) -> InvalidNotification {
    InvalidNotification::Malformed { header, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const GENUINE: [(&str, &[u8]); 7] = [
        (CHANNEL_ID, b"4ba78bf0-6a47-11e2-bcfd-0800200c9a66"),
        (CHANNEL_TOKEN, b"398348u3tu83ut8uu38"),
        (CHANNEL_EXPIRATION, b"Tue, 19 Nov 2013 01:13:52 GMT"),
        (RESOURCE_ID, b"ret08u3rv24htgh289g"),
        (
            RESOURCE_URI,
            b"https://www.googleapis.com/calendar/v3/calendars/my_calendar%40gmail.com/events",
        ),
        (RESOURCE_STATE, b"exists"),
        (MESSAGE_NUMBER, b"165139"),
    ];

    fn read(changed: &[(&'static str, Option<&'static [u8]>)]) -> Result<Notification, InvalidNotification> {
        Notification::from_headers(|name| {
            let changed = changed.iter().find(|(header, _)| *header == name);
            let genuine = GENUINE.iter().find(|(header, _)| *header == name);
            changed.map_or_else(|| genuine.map(|(_, value)| *value), |(_, value)| *value)
        })
    }

    #[test]
    fn the_example_of_googles_guide_is_read() {
        let push = read(&[]).unwrap();
        assert_eq!(push.channel_id, "4ba78bf0-6a47-11e2-bcfd-0800200c9a66");
        assert_eq!(
            push.token.as_ref().unwrap().expose_secret(),
            "398348u3tu83ut8uu38"
        );
        assert_eq!(push.state, ResourceState::Exists);
        assert_eq!(push.message_number, 165_139);
        assert_eq!(push.expires_at.unwrap().to_rfc3339(), "2013-11-19T01:13:52+00:00");
        assert!(!format!("{push:?}").contains("398348u3tu83ut8uu38"));
    }

    #[test]
    fn what_may_be_missing_may_be_missing_and_the_rest_is_named() {
        let push = read(&[
            (CHANNEL_TOKEN, None),
            (CHANNEL_EXPIRATION, None),
            (RESOURCE_URI, None),
        ])
        .unwrap();
        assert!(push.token.is_none() && push.expires_at.is_none() && push.resource_uri.is_none());
        for header in [CHANNEL_ID, RESOURCE_ID, RESOURCE_STATE, MESSAGE_NUMBER] {
            assert_eq!(
                read(&[(header, None)]).unwrap_err(),
                InvalidNotification::Missing(header)
            );
        }
    }

    #[test]
    fn a_state_that_google_adds_is_kept_and_an_odd_date_loses_no_change() {
        let push = read(&[
            (RESOURCE_STATE, Some(b"add")),
            (CHANNEL_EXPIRATION, Some(b"1426325213000")),
        ])
        .unwrap();
        assert_eq!(push.state, ResourceState::Other("add".into()));
        assert_eq!(push.expires_at, None);
    }

    #[test]
    fn every_header_is_bounded_and_the_error_says_which() {
        static LONG: [u8; 4_096] = [b'a'; 4_096];
        for (header, value, problem) in [
            (CHANNEL_ID, &LONG[..65], Problem::TooLong { max: 64 }),
            (CHANNEL_ID, b"a.b", Problem::Characters),
            (CHANNEL_ID, b"", Problem::Empty),
            (CHANNEL_TOKEN, &LONG[..257], Problem::TooLong { max: 256 }),
            (RESOURCE_ID, &LONG[..257], Problem::TooLong { max: 256 }),
            (RESOURCE_ID, b"\xff\xfe", Problem::Characters),
            (RESOURCE_URI, &LONG[..], Problem::TooLong { max: 2_048 }),
            (RESOURCE_STATE, b"a b", Problem::Characters),
            (MESSAGE_NUMBER, b"-1", Problem::NotANumber),
            (MESSAGE_NUMBER, b"99999999999999999999", Problem::NotANumber),
        ] {
            assert_eq!(
                read(&[(header, Some(value))]).unwrap_err(),
                malformed(header, problem),
                "{header}"
            );
        }
        assert_eq!(
            malformed(CHANNEL_ID, Problem::Empty).to_string(),
            "the header x-goog-channel-id is empty"
        );
    }
}
