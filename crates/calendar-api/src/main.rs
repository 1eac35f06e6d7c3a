//! calendar-api
fn main() {}
