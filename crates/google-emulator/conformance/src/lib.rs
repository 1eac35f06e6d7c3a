#![doc = include_str!("../README.md")]

pub mod authorize;
pub mod case;
pub mod check;
mod excerpt;
mod http;
pub mod inbox;
pub mod matching;
pub mod report;
pub mod runner;
pub mod scratch;
pub mod target;
mod variables;

pub use variables::ID_PREFIX;
