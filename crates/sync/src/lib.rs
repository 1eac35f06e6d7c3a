//! The jobs between Google and the store: pull, write, watch channels, relay. No HTTP server, no SQL text.
//!
//! Every job is a `run_once` on leased work: lease it in one short transaction, call Google with none open, and commit
//! the result in another one, fenced by the lease.

pub mod calendar_list;
mod call_error;
pub mod calls;
pub mod canary;
pub mod config;
pub mod connections;
mod context;
pub mod freshness;
pub mod health;
mod in_flight;
pub mod metrics;
#[cfg(feature = "simulation")]
pub mod mutants;
pub mod outbox;
pub mod poll;
pub mod pull;
pub mod quota;
pub mod read;
pub mod relay;
pub mod restore;
mod settings;
pub mod tokens;
pub mod users;
pub mod watch;
pub mod write;
pub mod zone_data;

pub use context::Context;
pub use settings::{Settings, WEBHOOK_PATH};
