//! google-emulator

pub mod ics;
pub mod page;
pub mod seed;
