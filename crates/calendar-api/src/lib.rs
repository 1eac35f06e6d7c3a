//! What browsers talk to: tRPC at `/trpc`, oRPC at `/rpc` and `/rpc-v1`, and Google's way back from consent.
//!
//! Reads come from Postgres and never wait for Google. Every call is made by a user of the host application ([`auth`]),
//! and everything it reaches is that user's: the id is in each statement's `WHERE`.

pub mod admin;
pub mod application;
pub mod auth;
pub mod browser_key;
pub mod config;
pub mod connect;
pub mod doctor;
pub mod limit;
pub mod metrics;
pub mod on_view;
pub mod procedures;
pub mod reading;
pub mod state;

pub use application::Application;
pub use config::{Config, HealthConfig};
