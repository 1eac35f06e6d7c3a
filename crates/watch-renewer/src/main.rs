//! watch-renewer
fn main() {}
