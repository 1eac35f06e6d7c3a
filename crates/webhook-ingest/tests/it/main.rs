//! The running service.

mod webhook;
