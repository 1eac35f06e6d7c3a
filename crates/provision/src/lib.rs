//! Finds, or makes, what Calwire needs from outside: Postgres, Centrifugo, and for tests a Redis, a Chromium and Python
//! packages; and puts the programs of a stack on one origin.
//!
//! Shared by `xtask`, which is compiled before everything else, and by the end-to-end tests: so no async runtime, no
//! HTTP client, few dependencies. Whatever is started here is stopped when its value is dropped, by process id.

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
