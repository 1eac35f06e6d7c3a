//! Google as Calwire sees it: OAuth, Calendar v3, and the headers of its push notifications.

pub mod error;

pub use error::Error;
