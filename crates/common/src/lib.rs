//! The parts of a process that all Calwire crates share: configuration, clock, HTTP server, loops, batches, observability.
//!
//! A module belongs here if two services need it and it knows nothing of their work. Code about calendars, sync, watches or publishing belongs to the crate that owns it, SQL to `store`, HTTP
//! clients to `google` and `centrifugo`.

pub mod backoff;
pub mod batch;
pub mod clock;
pub mod config;
pub mod http;
pub mod lease;
pub mod service;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod telemetry;
#[cfg(not(feature = "simulation"))]
mod unsimulated;
pub mod worker;

pub use ids;
