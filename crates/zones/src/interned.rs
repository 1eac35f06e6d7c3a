//! Each zone once per process, so that a [`Zone`] is as small as a reference and can be copied.
//!
//! Definitions are leaked. Known names are as many as the tz database and the forms of offsets allow; unknown ones, which
//! others choose, are bounded here.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{LazyLock, PoisonError, RwLock};

use crate::zone::{Definition, Rules, UTC_OFFSET, Zone};
use crate::{database, offset};

const NAME_MAX_LEN: usize = 100;
const UNKNOWN_MAX: usize = 10_000;

type Map<K> = LazyLock<RwLock<HashMap<K, Zone>>>;

static KNOWN: Map<&'static str> = LazyLock::new(RwLock::default);
static UNKNOWN: Map<&'static str> = LazyLock::new(RwLock::default);
/// By the name, and the name of the zone that it follows.
static FOLLOWING: Map<(&'static str, &'static str)> = LazyLock::new(RwLock::default);

pub fn named(name: &str) -> Option<Zone> {
    if let Some(zone) = get(&KNOWN, name) {
        return Some(zone);
    }
    let rules = match database::find(name) {
        Some(rules) => Rules::Named(rules),
        None => Rules::Fixed(offset::of_name(name)?),
    };
    // The name as the database spells it, so that the spellings of callers fill no memory.
    let name = match &rules {
        Rules::Named(zone) => zone.iana_name().unwrap_or(name),
        Rules::Fixed(_) => name,
    };
    if let Some(zone) = get(&KNOWN, name) {
        return Some(zone);
    }
    let name = name.to_owned().leak();
    Some(add(&KNOWN, name, define(name, rules, true)))
}

pub fn unknown(name: &str) -> Option<Zone> {
    if name.is_empty() || name.len() > NAME_MAX_LEN {
        return None;
    }
    if let Some(zone) = get(&UNKNOWN, name) {
        return Some(zone);
    }
    if len(&UNKNOWN) >= UNKNOWN_MAX {
        return None;
    }
    let name = name.to_owned().leak();
    Some(add(&UNKNOWN, name, define(name, Rules::Fixed(UTC_OFFSET), false)))
}

/// `zone` with the clock of `other`; with that of UTC if there are too many pairs of them.
pub fn following(zone: Zone, other: Zone) -> Zone {
    let key = (zone.name(), other.name());
    if let Some(zone) = get(&FOLLOWING, &key) {
        return zone;
    }
    if len(&FOLLOWING) >= UNKNOWN_MAX {
        return zone;
    }
    add(&FOLLOWING, key, define(zone.name(), other.0.rules.clone(), false))
}

fn define(name: &'static str, rules: Rules, is_known: bool) -> Zone {
    Zone(Box::leak(Box::new(Definition {
        name,
        rules,
        is_known,
    })))
}

fn get<K: Borrow<Q> + Hash + Eq, Q: Hash + Eq + ?Sized>(map: &Map<K>, key: &Q) -> Option<Zone> {
    let map = map.read().unwrap_or_else(PoisonError::into_inner);
    map.get(key).copied()
}

fn len<K>(map: &Map<K>) -> usize {
    map.read().unwrap_or_else(PoisonError::into_inner).len()
}

/// Of two threads that add the same, the first.
fn add<K: Hash + Eq>(map: &Map<K>, key: K, zone: Zone) -> Zone {
    let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
    *map.entry(key).or_insert(zone)
}
