//! The process kit and the words that every Calwire crate shares.
//!
//! The list of modules is closed. What is about calendars, sync, watches or publishing lives in the crate that owns
//! it; SQL lives in `store`; HTTP clients live in `google` and `centrifugo`.

pub mod backoff;
pub mod clock;
pub mod config;
pub mod http;
pub mod lease;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod telemetry;
#[cfg(not(feature = "simulation"))]
mod unsimulated;
pub mod worker;

pub use ids;
