//! The identifiers of Calwire, each a type of its own, so that they cannot be confused. A crate of its own because event-model
//! needs them without a runtime.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[cfg(feature = "simulation")]
pub mod simulation;

/// A new id. Version 7, so that rows created together are adjacent in an index.
pub fn new_uuid() -> Uuid {
    #[cfg(feature = "simulation")]
    if let Some(id) = simulation::id() {
        return id;
    }
    Uuid::now_v7()
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// See [`new_uuid`].
            pub fn generate() -> Self {
                Self(new_uuid())
            }

            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One Google account connected by one user (`connections.id`).
    ConnectionId
);
uuid_id!(
    /// One calendar of one connection (`calendars.id`). The same Google calendar of two users has two ids.
    CalendarId
);
uuid_id!(
    /// A resource that is pulled and watched as a whole (`sync_state.resource_id`): the events of one calendar, with the id of
    /// the [`CalendarId`], or the calendar list of one connection, with the id of the [`ConnectionId`].
    ResourceId
);

impl From<CalendarId> for ResourceId {
    fn from(id: CalendarId) -> Self {
        Self(id.0)
    }
}

impl From<ConnectionId> for ResourceId {
    fn from(id: ConnectionId) -> Self {
        Self(id.0)
    }
}

/// The longest user id, in bytes. With the namespace it fits Centrifugo's `channel.max_length` of 255.
pub const USER_ID_MAX_LEN: usize = 128;

/// A user of the host application: the `sub` of its JWT, and the part after `calendar:` of the user's channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

/// The text is not a [`UserId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUserId {
    #[error("the user id is empty")]
    Empty,
    #[error("the user id is longer than {USER_ID_MAX_LEN} bytes")]
    TooLong,
    #[error("the user id contains the character {0:?}; letters, digits and . _ | @ - are allowed")]
    Character(char),
}

impl UserId {
    /// Accepts letters, digits and `. _ | @ -`. In channel names, `:`, `#`, `,`, `$`, `&` and `*` have a meaning for
    /// Centrifugo, so a user id cannot contain them.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidUserId> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidUserId::Empty);
        }
        if text.len() > USER_ID_MAX_LEN {
            return Err(InvalidUserId::TooLong);
        }
        match text
            .chars()
            .find(|&c| !(c.is_ascii_alphanumeric() || "._|@-".contains(c)))
        {
            Some(c) => Err(InvalidUserId::Character(c)),
            None => Ok(Self(text)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = InvalidUserId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> String {
        id.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_have_no_characters_with_a_meaning_in_centrifugo() {
        assert_eq!(
            UserId::parse("auth0|5f-a_b.c@d").map(String::from),
            Ok("auth0|5f-a_b.c@d".into())
        );
        for (text, wrong) in [
            ("a:b", ':'),
            ("a#b", '#'),
            ("a,b", ','),
            ("$a", '$'),
            ("a b", ' '),
            ("ä", 'ä'),
        ] {
            assert_eq!(
                UserId::parse(text),
                Err(InvalidUserId::Character(wrong)),
                "{text}"
            );
        }
        assert_eq!(UserId::parse(""), Err(InvalidUserId::Empty));
        assert_eq!(
            UserId::parse("x".repeat(USER_ID_MAX_LEN + 1)),
            Err(InvalidUserId::TooLong)
        );
    }
}
