//! Scripted faults.
//!
//! A [`Rule`] has the calls that it may meet, its probability and its effect. Whether it strikes is decided by a hash
//! of (seed, user, endpoint, number of the call of that user at that endpoint) alone, so a run with the same calls has
//! the same faults, however threads interleave.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A fault and when it strikes; as `POST /_emulator/faults` takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Given by the emulator when empty.
    #[serde(default)]
    pub id: String,
    /// Only calls of this account; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only calls about this calendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// `events.list`, `oauth.token`, `push`, `push.sync`; `events.*`, `*.watch` and `*` match as they read, `*` no pushes. `writes`:
    /// each call that changes an event. A rule for `oauth.token` with a `user` meets refreshes only, for the exchange of
    /// a code has no account yet.
    #[serde(default = "any_endpoint")]
    pub endpoint: String,
    /// From 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// Skips this many matching calls first.
    #[serde(default)]
    pub skip: u64,
    /// Strikes at most so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    #[serde(flatten)]
    pub fault: Fault,
    /// How many matching calls it has seen.
    #[serde(default)]
    pub seen: u64,
    /// How often it struck.
    #[serde(default)]
    pub struck: u64,
}

/// The calls that Google's limit on a user's edits concerns.
const WRITES: [&str; 5] = [
    "events.insert",
    "events.patch",
    "events.update",
    "events.delete",
    "events.move",
];

fn any_endpoint() -> String {
    "*".into()
}

fn always() -> f64 {
    1.0
}

/// A fault. In JSON: `{"fault":"error","status":403,"reason":"userRateLimitExceeded"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Fault {
    /// The call waits before it is handled; on `push`, before it is sent.
    Delay {
        ms: u64,
        /// Upper bound of a random extra delay.
        #[serde(default)]
        jitter_ms: u64,
    },
    /// The call waits until the rule is removed: before it is handled, or with `after` before it is answered. The client
    /// may have disconnected by then.
    Hold {
        #[serde(default)]
        after: bool,
    },
    /// The call is not handled; Google's error body for the status and reason. A 403 with a reason in capitals, such as
    /// `CONSUMER_SUSPENDED`, is `forbidden` with this reason in `details`.
    Error {
        status: u16,
        #[serde(default)]
        reason: Option<String>,
        #[serde(default)]
        message: Option<String>,
        /// Seconds for a `Retry-After` header.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// The call is not handled: 403 `rateLimitExceeded` that names the limit, such as `Queries per minute` (the
    /// project's) or `Queries per minute per user`.
    NamedLimit { limit: String },
    /// `events.list`: the call waits this long for each event that it requests (`maxResults`).
    SlowPage { ms_per_event: u64 },
    /// A 502 with an HTML page, as a proxy in between gives.
    BadGateway,
    /// The connection is closed without an answer; with `after`, when the call has been handled.
    Reset {
        #[serde(default)]
        after: bool,
    },
    /// Half of the answer, then silence for this duration, then the end of the connection.
    Stall { ms: u64 },
    /// Half of the answer, then the end of the connection.
    Truncate,
    /// 200 with a body that is no JSON.
    Garbage,
    /// `events.list` and `calendarList.list`: 410 `fullSyncRequired` when page `page` (from 1) is requested. Meets only
    /// calls for that page; a first page only with a sync token.
    Gone { page: u32 },
    /// Lists: page `page` is empty and has a next page token. Meets only calls for that page.
    EmptyPage { page: u32 },
    /// Lists: pages of at most this many entries.
    PageSize { size: usize },
    /// Lists: an arbitrary but repeatable order, exceptions perhaps before their masters.
    Shuffle,
    /// `events.watch`: the calendar cannot be watched.
    Unwatchable,
    /// `*.watch`: upper bound of the channel's life.
    ShortExpiry { seconds: i64 },
    /// `*.watch`: the `sync` message is sent, and answered, before the watch call is.
    SyncFirst,
    /// Pushes: never sent.
    Drop,
    /// Pushes: sent this many additional times.
    Duplicate { copies: u32 },
    /// Pushes: held back until the next push of the channel was sent, at most a second.
    Reorder,
}

/// The facts about a call that select its faults.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub endpoint: &'a str,
    pub user: &'a str,
    pub calendar: &'a str,
    /// Of a list: the requested page, from 1.
    pub page: u32,
    /// Of a list: whether a sync token came along.
    pub incremental: bool,
}

impl<'a> Call<'a> {
    pub fn new(endpoint: &'a str, user: &'a str, calendar: &'a str) -> Self {
        Self {
            endpoint,
            user,
            calendar,
            page: 1,
            incremental: false,
        }
    }
}

/// A fault that strikes a call, with the rule it came from and a repeatable number for jitter.
#[derive(Debug, Clone)]
pub struct Strike {
    pub rule: String,
    pub fault: Fault,
    pub dice: u64,
}

#[derive(Debug, Default)]
pub struct Faults {
    rules: Vec<Rule>,
    calls: BTreeMap<(String, String), u64>,
    named: u64,
}

impl Faults {
    pub fn add(&mut self, mut rule: Rule) -> Rule {
        self.named += 1;
        if rule.id.is_empty() {
            rule.id = format!("fault-{}", self.named);
        }
        (rule.seen, rule.struck) = (0, 0);
        self.rules.retain(|each| each.id != rule.id);
        self.rules.push(rule.clone());
        rule
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub fn has(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| rule.id == id)
    }

    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.rules.len() < before
    }

    /// Removes all rules; the counts of calls continue.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Counts the call and returns the faults that strike it.
    pub fn decide(&mut self, seed: u64, call: Call<'_>) -> Vec<Strike> {
        let nth = self
            .calls
            .entry((call.user.to_owned(), call.endpoint.to_owned()))
            .or_default();
        *nth += 1;
        let nth = nth.to_string();
        let mut strikes = Vec::new();
        for rule in self.rules.iter_mut().filter(|rule| rule.matches(call)) {
            rule.seen += 1;
            if rule.seen <= rule.skip || rule.times.is_some_and(|times| rule.struck >= times) {
                continue;
            }
            let dice = hash(seed, &[&rule.id, call.user, call.endpoint, &nth]);
            if to_unit(dice) < rule.probability {
                rule.struck += 1;
                strikes.push(Strike {
                    rule: rule.id.clone(),
                    fault: rule.fault.clone(),
                    dice: hash(dice, &["dice"]),
                });
            }
        }
        strikes
    }
}

impl Rule {
    /// A rule that strikes every call of the endpoint.
    pub fn new(endpoint: &str, fault: Fault) -> Self {
        Self {
            id: String::new(),
            user: None,
            calendar: None,
            endpoint: endpoint.into(),
            probability: always(),
            skip: 0,
            times: None,
            fault,
            seen: 0,
            struck: 0,
        }
    }

    #[must_use]
    pub fn of_user(mut self, user: &str) -> Self {
        self.user = Some(user.into());
        self
    }

    #[must_use]
    pub fn of_calendar(mut self, calendar: &str) -> Self {
        self.calendar = Some(calendar.into());
        self
    }

    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    #[must_use]
    pub fn skipping(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    fn matches(&self, call: Call<'_>) -> bool {
        let endpoint = match self.endpoint.as_str() {
            "*" => !call.endpoint.starts_with("push"),
            "writes" => WRITES.contains(&call.endpoint),
            pattern => match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
                (Some(prefix), _) => call.endpoint.starts_with(prefix),
                (None, Some(suffix)) => call.endpoint.ends_with(suffix),
                (None, None) => call.endpoint == pattern,
            },
        };
        let page = match self.fault {
            Fault::Gone { page } => call.page == page && (page > 1 || call.incremental),
            Fault::EmptyPage { page } => call.page == page,
            _ => true,
        };
        endpoint
            && page
            && self.user.as_deref().is_none_or(|user| user == call.user)
            && self
                .calendar
                .as_deref()
                .is_none_or(|calendar| calendar == call.calendar)
    }
}

/// The faults of a list request.
#[derive(Debug, Clone, Default)]
pub struct ListFaults {
    pub gone: bool,
    pub empty: bool,
    pub page_size: Option<usize>,
    pub shuffle: bool,
}

impl ListFaults {
    pub fn of(strikes: &[Strike]) -> Self {
        let mut list = Self::default();
        for strike in strikes {
            match strike.fault {
                Fault::Gone { .. } => list.gone = true,
                Fault::EmptyPage { .. } => list.empty = true,
                Fault::PageSize { size } => list.page_size = Some(size.max(1)),
                Fault::Shuffle => list.shuffle = true,
                _ => {}
            }
        }
        list
    }
}

/// The first 8 bytes of SHA-256: the same on every machine and in every version.
pub fn hash(seed: u64, parts: &[&str]) -> u64 {
    let mut digest = Sha256::new();
    digest.update(seed.to_be_bytes());
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest
        .finalize()
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// `[0, 1)`, from the upper 53 bits.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
fn to_unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(seed: u64, calls: &[&str]) -> Vec<bool> {
        let mut faults = Faults::default();
        faults.add(Rule::new("events.*", Fault::Truncate).with_probability(0.3));
        let call = |user| Call::new("events.list", user, "c");
        calls
            .iter()
            .map(|user| !faults.decide(seed, call(user)).is_empty())
            .collect()
    }

    #[test]
    fn faults_depend_on_the_seed_and_the_users_own_calls() {
        let alone = strikes(7, &["a"; 200]);
        let mixed = strikes(7, &["a", "b"].repeat(200));
        assert_eq!(alone, mixed.iter().copied().step_by(2).collect::<Vec<_>>());
        assert_ne!(alone, strikes(8, &["a"; 200]));
        let share = alone.iter().filter(|struck| **struck).count();
        assert!((40..80).contains(&share), "{share} of 200 at 30 %");
    }

    #[test]
    fn rules_read_as_documented() {
        let rule: Rule = serde_json::from_str(
            r#"{"endpoint":"events.list","user":"a","skip":1,"times":1,"fault":"error","status":403,"reason":"quotaExceeded","retryAfter":3}"#,
        )
        .unwrap();
        let mut faults = Faults::default();
        faults.add(rule);
        let call = |user, endpoint| Call::new(endpoint, user, "");
        let hits: Vec<_> = [
            ("a", "events.list"),
            ("b", "events.list"),
            ("a", "events.get"),
            ("a", "events.list"),
            ("a", "events.list"),
        ]
        .map(|(user, endpoint)| faults.decide(0, call(user, endpoint)).len())
        .into();
        assert_eq!(hits, [0, 0, 0, 1, 0]);
    }

    #[test]
    fn a_page_fault_is_not_used_up_by_others() {
        let mut faults = Faults::default();
        faults.add(Rule::new("events.list", Fault::Gone { page: 2 }).times(1));
        let mut strikes = |page| {
            faults
                .decide(
                    0,
                    Call {
                        page,
                        ..Call::new("events.list", "a", "")
                    },
                )
                .len()
        };
        assert_eq!([1, 1, 2, 2].map(&mut strikes), [0, 0, 1, 0]);
    }

    #[test]
    fn a_star_leaves_pushes_alone() {
        assert!(!Rule::new("*", Fault::Drop).matches(Call::new("push", "", "")));
        assert!(Rule::new("push*", Fault::Drop).matches(Call::new("push.sync", "", "")));
    }
}
