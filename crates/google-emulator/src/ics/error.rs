//! Errors of a file.

/// The fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcsError {
    /// Counted from 1: the line itself for broken syntax, the event's `BEGIN` for the rest.
    pub line: Option<usize>,
    pub what: String,
}

impl IcsError {
    pub(super) fn new(line: impl Into<Option<usize>>, what: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            what: what.into(),
        }
    }
}
