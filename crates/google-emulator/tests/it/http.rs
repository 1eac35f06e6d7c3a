//! The emulator over HTTP, as a client of Google sees it. One file for each topic.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod convergence;
mod events;
mod faults;
mod invitations;
mod oauth;
mod push;
mod receiver;
mod support;
mod sync;
