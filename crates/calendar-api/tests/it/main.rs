//! The service over HTTP, and the files that are generated from its procedures.

mod api;
mod reference;
mod types;
