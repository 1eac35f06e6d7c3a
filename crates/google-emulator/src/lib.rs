//! google-emulator

pub mod ics;
pub mod seed;
