//! Finds or installs the programs that Calwire needs: Postgres, Centrifugo, and for tests Redis, Chromium and Python
//! packages. Puts the programs of a stack on one origin.
//!
//! Shared by `xtask`, which is compiled before everything else, and by the end-to-end tests: so it has no async
//! runtime, no HTTP client and few dependencies. A process that is started here is stopped when its value is dropped.

mod apt;
pub mod cache;
pub mod caddy;
pub mod centrifugo;
pub mod chromium;
pub mod compose;
pub mod faketime;
pub mod front;
mod go;
mod owner;
pub mod port;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod python;
pub mod redis;
pub mod secret;
pub mod toxiproxy;
