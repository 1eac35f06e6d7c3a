//! Test only: ids that a seed decides.

use std::sync::OnceLock;

use uuid::Uuid;

static SOURCE: OnceLock<fn() -> Option<Uuid>> = OnceLock::new();

/// Takes new ids from `source` from now on, wherever it has one. The first source stays.
pub fn set_source(source: fn() -> Option<Uuid>) {
    SOURCE.get_or_init(|| source);
}

pub(crate) fn id() -> Option<Uuid> {
    SOURCE.get().and_then(|source| source())
}
