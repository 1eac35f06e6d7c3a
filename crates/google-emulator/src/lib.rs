//! google-emulator

pub mod seed;
