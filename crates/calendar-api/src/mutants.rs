//! Test only: mutants of authentication and authorisation. Each changes the expected value of a check, so that the check itself
//! has no switch. docs/security.md lists all mutants.

use common::mutant;
use jsonwebtoken::{Algorithm, Validation};

/// `algorithm_from_header`: accepts other algorithms than the configured one.
pub(crate) fn accept_other_algorithms(validation: &mut Validation) {
    if mutant!("algorithm_from_header") {
        validation.algorithms.extend([Algorithm::HS384, Algorithm::HS512]);
    }
}

/// `no_user_filter`: treats the requested channel as the caller's own.
pub(crate) fn accept_other_channels(own: String, requested: &str) -> String {
    if mutant!("no_user_filter") {
        return requested.to_owned();
    }
    own
}

/// `stale_cache`: serves a kept answer after the user's events have changed.
pub(crate) fn accept_stale(is_current: bool) -> bool {
    is_current || mutant!("stale_cache")
}
