//! The client against a real Centrifugo, and against servers that answer oddly.

mod broker;
mod odd_replies;
