//! Recurrence against an independent implementation.

mod dateutil;
