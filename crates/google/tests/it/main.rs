//! The client against the emulator, and against servers that answer oddly.

mod emulator;
mod odd_replies;
mod writes;
