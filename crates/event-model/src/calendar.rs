//! The calendar that an event is in, as far as the event depends on it.

use crate::zone::Zone;
use ids::CalendarId;

/// The calendar of an event, as reading and expanding the event need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarContext {
    pub id: CalendarId,
    /// For events that name no zone or an unknown one, and to place dates among instants.
    pub time_zone: Zone,
    pub access_role: AccessRole,
    /// It is the account's own calendar.
    pub is_primary: bool,
}

/// The user's access to a calendar (Google's `accessRole`).
#[derive(Debug, Clone, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "camelCase")]
pub enum AccessRole {
    FreeBusyReader,
    Reader,
    /// Writes, but sees only when private events take place.
    WriterWithoutPrivateAccess,
    Writer,
    Owner,
    /// A role that Google may add; it only reads.
    #[strum(default)]
    Other(String),
}

impl AccessRole {
    pub fn writes(&self) -> bool {
        matches!(
            self,
            Self::WriterWithoutPrivateAccess | Self::Writer | Self::Owner
        )
    }
}
