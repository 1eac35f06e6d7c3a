//! The whole of Calwire in a test: its own database on a real Postgres, the real Centrifugo, the Google emulator in process,
//! and the three services as processes, as in production. A test can kill one between any two steps and check what a
//! browser shows.
//!
//! Needs `DATABASE_URL` (a server on which databases can be created), Centrifugo (as
//! [`provision::centrifugo::binary`] finds or builds it) and the services' binaries beside the test's own: `cargo xtask test` provides all.

pub mod balancer;
pub mod bodies;
pub mod broker;
pub mod chaos;
pub mod control;
pub mod database;
pub mod effect;
pub mod follower;
pub mod gates;
pub mod google;
pub mod load;
pub mod measure;
pub mod metrics;
pub mod normal_form;
mod options;
pub mod oracle;
pub mod person;
pub mod process;
pub mod proxies;
pub mod reference;
pub mod rpc;
pub mod service;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod socket;
pub mod stack;
pub mod tcp_balancer;
pub mod traffic;
pub mod users;
pub mod wait;
pub mod window;

pub use stack::{Options, Stack};
