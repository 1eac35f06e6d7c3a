//! The headers of a push notification. A push has no body and no signature: the headers are all there is.
//!
//! Only headers that Calwire uses are read. Google does not retry a push that was answered with a 400, so a header that
//! nothing needs must not cause one. In particular, `X-Goog-Resource-State` is not read: whatever its value, the calendar is
//! listed from its sync token.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub const CHANNEL_ID: &str = "x-goog-channel-id";
pub const CHANNEL_TOKEN: &str = "x-goog-channel-token";
pub const CHANNEL_EXPIRATION: &str = "x-goog-channel-expiration";
pub const RESOURCE_ID: &str = "x-goog-resource-id";

/// Google's own bounds.
const CHANNEL_ID_MAX_LEN: usize = 64;
const TOKEN_MAX_LEN: usize = 256;
/// Ours, since Google documents none. Resource ids seen so far have 27 characters.
const RESOURCE_ID_MAX_LEN: usize = 256;

/// One push. It announces a change, never which.
#[derive(Debug, Clone)]
pub struct Notification {
    pub channel_id: String,
    /// Given to Google when the channel was created. A push without the right one is not from Google.
    pub token: Option<SecretString>,
    pub resource_id: String,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which header of a push is invalid, and why. Never holds the header's value.
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
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { max } => write!(f, "is longer than {max} bytes"),
            Self::Characters => f.write_str("has invalid characters"),
        }
    }
}

impl Notification {
    /// Reads the headers through `get`, which takes a lower-case name and returns the header's bytes.
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
        Ok(Self {
            channel_id: channel_id.to_owned(),
            token: optional(CHANNEL_TOKEN, TOKEN_MAX_LEN)?.map(SecretString::from),
            resource_id: required(RESOURCE_ID, RESOURCE_ID_MAX_LEN)?.to_owned(),
            // A date that cannot be parsed is ignored, rather than to lose the change.
            expires_at: get(CHANNEL_EXPIRATION)
                .and_then(|value| std::str::from_utf8(value).ok())
                .and_then(|date| DateTime::parse_from_rfc2822(date.trim()).ok())
                .map(Into::into),
        })
    }
}

fn text<'h>(header: &'static str, value: &'h [u8], max: usize) -> Result<&'h str, InvalidNotification> {
    let problem = match value {
        [] => Problem::Empty,
        _ if value.len() > max => Problem::TooLong { max },
        // Visible ASCII only: valid UTF-8, and safe to log.
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
            "x-goog-resource-uri",
            b"https://www.googleapis.com/calendar/v3/calendars/my_calendar%40gmail.com/events",
        ),
        ("x-goog-resource-state", b"exists"),
        ("x-goog-message-number", b"165139"),
    ];

    fn read(changed: &[(&'static str, Option<&'static [u8]>)]) -> Result<Notification, InvalidNotification> {
        Notification::from_headers(|name| {
            let changed = changed.iter().find(|(header, _)| *header == name);
            let genuine = GENUINE.iter().find(|(header, _)| *header == name);
            changed.map_or_else(|| genuine.map(|(_, value)| *value), |(_, value)| *value)
        })
    }

    #[test]
    fn the_example_of_googles_guide_is_parsed() {
        let push = read(&[]).unwrap();
        assert_eq!(push.channel_id, "4ba78bf0-6a47-11e2-bcfd-0800200c9a66");
        assert_eq!(
            push.token.as_ref().unwrap().expose_secret(),
            "398348u3tu83ut8uu38"
        );
        assert_eq!(push.resource_id, "ret08u3rv24htgh289g");
        assert_eq!(push.expires_at.unwrap().to_rfc3339(), "2013-11-19T01:13:52+00:00");
        assert!(!format!("{push:?}").contains("398348u3tu83ut8uu38"));
    }

    #[test]
    fn only_the_ids_are_required() {
        let push = read(&[(CHANNEL_TOKEN, None), (CHANNEL_EXPIRATION, None)]).unwrap();
        assert!(push.token.is_none() && push.expires_at.is_none());
        for header in [CHANNEL_ID, RESOURCE_ID] {
            assert_eq!(
                read(&[(header, None)]).unwrap_err(),
                InvalidNotification::Missing(header)
            );
        }
    }

    #[test]
    fn headers_that_nothing_needs_never_refuse_a_push() {
        for header in [
            "x-goog-resource-uri",
            "x-goog-resource-state",
            "x-goog-message-number",
        ] {
            for value in [None, Some(b"".as_slice()), Some(b"\xff"), Some(b"-1")] {
                assert!(read(&[(header, value)]).is_ok(), "{header}: {value:?}");
            }
        }
    }

    #[test]
    fn an_unreadable_expiration_is_ignored() {
        let push = read(&[(CHANNEL_EXPIRATION, Some(b"1426325213000"))]).unwrap();
        assert_eq!(push.expires_at, None);
    }

    #[test]
    fn every_header_is_bounded_and_named_in_the_error() {
        static LONG: [u8; 4_096] = [b'a'; 4_096];
        for (header, value, problem) in [
            (CHANNEL_ID, &LONG[..65], Problem::TooLong { max: 64 }),
            (CHANNEL_ID, b"a.b", Problem::Characters),
            (CHANNEL_ID, b"", Problem::Empty),
            (CHANNEL_TOKEN, &LONG[..257], Problem::TooLong { max: 256 }),
            (RESOURCE_ID, &LONG[..257], Problem::TooLong { max: 256 }),
            (RESOURCE_ID, b"\xff\xfe", Problem::Characters),
            (RESOURCE_ID, b"a b", Problem::Characters),
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
