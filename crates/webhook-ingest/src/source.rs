//! The sources of pushes: the budget of each, and which are likely Google.

use std::net::IpAddr;
use std::time::Duration;

use common::http::source::{Budgets, SOURCES, network_of};
use moka::sync::Cache;

/// The cost of a rejected push, in pushes: guessing is rate-limited twenty times sooner than Google.
const REFUSAL_COST: u32 = 20;
/// The cost of a push of an unknown channel, in pushes. Ids are too long to be guessed, so only the look-up is paid for, and
/// look-ups share statements. Google may send many of these: see [`Sources::charge_lookup`].
const LOOKUP_COST: u32 = 4;
/// The most that a source may save up, and the most that it may owe.
const BURST: Duration = Duration::from_secs(2);
const DEBT: Duration = Duration::from_secs(10);
/// How long a source of a genuine push is taken for Google's.
const GENUINE_FOR: Duration = Duration::from_hours(1);

/// The budget of each source, and whether it is likely Google.
pub struct Sources {
    budgets: Budgets,
    /// Sources of genuine pushes.
    genuine: Cache<IpAddr, ()>,
}

impl Sources {
    pub fn new(per_second: u32) -> Self {
        Self {
            budgets: Budgets::new(per_second, BURST + DEBT),
            genuine: Cache::builder()
                .max_capacity(SOURCES)
                .time_to_idle(GENUINE_FOR)
                .build(),
        }
    }

    /// Takes one request from the budget of `source`. False: the budget is exhausted.
    pub fn admit(&self, source: IpAddr) -> bool {
        self.budgets.take(source, 1, BURST)
    }

    /// Charges `source` for a rejected push.
    pub fn charge(&self, source: IpAddr) {
        self.budgets.take(source, REFUSAL_COST, DEBT);
    }

    /// Charges `source` for a push of a channel that had to be looked up and does not exist.
    ///
    /// Google keeps pushing to channels that this database does not have: of another installation, or from before a backup
    /// was restored. After a start, before its first genuine push, Google's address is like any other. So this is low
    /// enough for some hundred different channels a second.
    pub fn charge_lookup(&self, source: IpAddr) {
        self.budgets.take(source, LOOKUP_COST, DEBT);
    }

    /// Remembers that `source` has sent a genuine push.
    pub fn note_genuine(&self, source: IpAddr) {
        let source = network_of(source);
        if self.genuine.get(&source).is_none() {
            self.genuine.insert(source, ());
        }
    }

    /// The network of `source`, unless it has sent a genuine push lately.
    pub fn stranger(&self, source: IpAddr) -> Option<IpAddr> {
        let network = network_of(source);
        (!self.genuine.contains_key(&network)).then_some(network)
    }

    /// Whether `source` has sent a genuine push lately, so it is most likely Google.
    pub fn is_genuine(&self, source: IpAddr) -> bool {
        self.genuine.contains_key(&network_of(source))
    }
}
