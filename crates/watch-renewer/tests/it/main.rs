//! The running service.

mod service;
