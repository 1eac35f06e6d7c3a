//! webhook-ingest
fn main() {}
