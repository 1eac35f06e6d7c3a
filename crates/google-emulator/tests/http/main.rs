//! The emulator over HTTP, as a client of Google sees it. One file for each topic.

#[cfg(test)]
mod events;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sync;
