//! Calendar logic without I/O: from an event as Google has it to the instances that people see, and back to the body of a
//! write. No database, no HTTP, no runtime; deny.toml keeps it so.

pub mod duplicates;
pub mod expansion;
pub mod fields;
pub mod merge;
pub mod patch;
pub mod permissions;
pub mod recurrence;
pub mod resource;
pub mod wire;
