//! google-emulator
fn main() {}
