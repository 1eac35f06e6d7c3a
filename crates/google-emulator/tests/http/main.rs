//! The emulator over HTTP, as a client of Google sees it. One file for each topic.

#[cfg(test)]
mod convergence;
#[cfg(test)]
mod events;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod push;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sync;
