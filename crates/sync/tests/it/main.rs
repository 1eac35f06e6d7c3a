//! Pulls, writes, tokens, watches and the relay, with the emulated Google and a real Postgres.

mod google;
mod pull;
mod relay;
mod world;
mod write;
