//! Centrifugo as Calwire uses it: publishing to a user's channel, reading a channel's position, and signing the tokens
//! with which browsers connect and subscribe.
//!
//! The channel of a user is `calendar:<user id>`. A subscription needs a token for exactly that user and channel, because the
//! namespace has no `allow_*` option (`deploy/centrifugo.json`).

mod client;
mod error;
pub mod socket;
#[cfg(feature = "testing")]
pub mod testing;
mod token;

use common::ids::UserId;

pub use client::{Client, Info, MAX_DATA_LEN, Node, Position, Publication};
pub use error::Error;
pub use token::{AUDIENCE, ISSUER, Tokens};

/// The namespace of all of Calwire's channels.
pub const NAMESPACE: &str = "calendar";

/// The one channel of a user. A [`UserId`] has none of the characters that mean something in a channel's name.
pub fn channel_of(user: &UserId) -> String {
    format!("{NAMESPACE}:{user}")
}
