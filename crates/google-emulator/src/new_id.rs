//! New ids.

use rand::RngExt;

/// 26 characters of base32hex, as Google's own ids.
pub fn new_id() -> String {
    let mut rng = rand::rng();
    (0..26)
        .map(|_| char::from(b"0123456789abcdefghijklmnopqrstuv"[rng.random_range(0..32)]))
        .collect()
}
