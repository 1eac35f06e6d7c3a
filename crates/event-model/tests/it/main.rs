//! Recurrence and zones against independent implementations.

mod dateutil;
mod zoneinfo;
