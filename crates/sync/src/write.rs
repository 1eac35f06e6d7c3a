//! Writing to Google.

pub mod fields;
pub mod merge;
pub mod patch;
pub mod recurrence;
