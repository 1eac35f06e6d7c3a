//! The whole of Calwire in a test: a database of its own on a real Postgres, the real Centrifugo binary, the Google
//! emulator in process, and the three services as the processes that run in production, so that a test can kill one
//! between any two steps and look at what a person's browser saw.
//!
//! Needs `DATABASE_URL` (a server on which databases can be created), Centrifugo (as
//! [`provision::centrifugo::binary`] finds or builds it) and the services' binaries beside the test's own: `cargo xtask test` provides all.

pub mod balancer;
pub mod broker;
pub mod chaos;
pub mod control;
pub mod database;
pub mod follower;
pub mod gates;
pub mod google;
pub mod load;
pub mod measure;
pub mod metrics;
mod options;
pub mod oracle;
pub mod person;
pub mod process;
pub mod proxies;
pub mod rpc;
mod service;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod socket;
pub mod stack;
pub mod tcp_balancer;
pub mod traffic;
pub mod wait;
pub mod window;

pub use stack::{Options, Stack};
