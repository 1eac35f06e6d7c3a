//! Where Google and the store meet. No HTTP server, no SQL text.
//!
//! Every job is a `run_once` on leased work: take the lease in one short transaction, call Google with none open, and
//! commit what came of it in one more, fenced by the lease.

pub mod calendar_list;
pub mod expand;
pub mod payload;
pub mod poll;
pub mod pull;
pub mod quota;
pub mod relay;
pub mod tokens;
pub mod view;
pub mod watch;
