//! calendar-api
pub mod auth;
