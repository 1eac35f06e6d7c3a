//! The cases against the emulator, and `google-check` from its first call to the clean-up.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod cases;
mod check;
mod support;
