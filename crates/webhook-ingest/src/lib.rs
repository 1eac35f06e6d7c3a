//! `webhook-ingest`: accepts Google's push notifications and marks their resources dirty. It also runs the loops that follow:
//! pulling dirty resources from Google, publishing the outbox, and finishing writes that `calendar-api` did not.
//!
//! A push passes these checks, in order: it has no body (413), the process-wide limit and those of its source (503), the size
//! of its headers, the headers of a push (400), its channel (404), the channel's token and resource (403). Then one commit, shared with all
//! pushes waiting at that moment, marks its resource dirty (200, or 503). See the modules `webhook` and `intake`,
//! and [`common::batch`].

mod application;
pub mod config;
pub mod intake;
mod loops;
pub mod metrics;
pub mod refusal;
mod slots;
mod source;
mod webhook;

pub use application::Application;
pub use config::{Config, LISTEN_ADDR};

/// The service's name in logs, metrics and errors.
pub const NAME: &str = "webhook-ingest";
