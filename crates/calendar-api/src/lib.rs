//! The API for browsers: tRPC at `/trpc`, oRPC at `/rpc`, and the callback of Google's consent page.
//!
//! Reads come from Postgres and never wait for Google. Every caller is a user of the host application ([`auth`]) and reaches
//! only that user's data: the user's id is in each statement's `WHERE`.

pub mod admin;
pub mod application;
pub mod auth;
pub mod browser_key;
pub mod config;
pub mod connect;
pub mod doctor;
pub mod limit;
pub mod metrics;
#[cfg(feature = "simulation")]
mod mutants;
pub mod on_view;
pub mod origin;
mod ownership;
pub mod procedures;
pub mod reader;
pub mod reading;
pub mod state;

pub use application::Application;
pub use config::{Config, LISTEN_ADDR};

/// The service's name in logs, metrics and errors.
pub const NAME: &str = "calendar-api";
