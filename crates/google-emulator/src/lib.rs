//! google-emulator
