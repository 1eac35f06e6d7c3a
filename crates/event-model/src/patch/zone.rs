//! The zone of an edit, where we do not know it.

use std::borrow::Cow;

use super::{EventPatch, Invalid, invalid};
use crate::span::Span;

impl EventPatch {
    /// The edit with a zone that we know, or with that of the event, which a client may send back.
    pub(super) fn with_usable_zone(&self, base: Option<Span>) -> Result<Cow<'_, Self>, Invalid> {
        let Some(given) = self.time_zone.filter(|zone| !zone.is_known()) else {
            return Ok(Cow::Borrowed(self));
        };
        // The zone of the event follows a clock, and the one from the edit does not.
        let own = base.and_then(Span::zone).filter(|zone| *zone == given);
        if own.is_none() {
            return Err(invalid("timeZone", zones::UnknownZone.to_string()));
        }
        Ok(Cow::Owned(Self {
            time_zone: own,
            ..self.clone()
        }))
    }
}
