//! calendar-api
