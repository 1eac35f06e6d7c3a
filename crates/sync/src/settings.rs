//! Timings and addresses of all jobs, and the variable `TUNING` that changes the timings.

use std::str::FromStr;
use std::time::Duration;

use serde::de::Error as _;
use serde::de::value::{Error, MapDeserializer};
use serde::{Deserialize, Deserializer};
use url::Url;

/// Google's pushes go to this path of the public URL.
pub const WEBHOOK_PATH: &str = "api/calendar/webhook";

/// The defaults are meant for production. `TUNING` names the renamed fields.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The https origin under which Google reaches `webhook-ingest`. None: polling only.
    #[serde(skip)]
    pub public_url: Option<Url>,
    /// The URL that Google pushes to, when that is not [`WEBHOOK_PATH`] of `public_url`.
    #[serde(skip)]
    pub webhook_url: Option<Url>,
    /// Time between polls of a calendar that Google pushes: they only find lost pushes.
    #[serde(rename = "poll_watched_seconds", deserialize_with = "seconds")]
    pub poll_watched: Duration,
    /// Time between polls of a calendar that Google does not push: they keep it current.
    #[serde(rename = "poll_unwatched_seconds", deserialize_with = "seconds")]
    pub poll_unwatched: Duration,
    /// How long a worker may hold a resource without extending its lease. After a crash another worker takes over then.
    #[serde(rename = "sync_lease_seconds", deserialize_with = "seconds")]
    pub lease: Duration,
    /// How long a write may take before its caller gets `pending`. Less than the API's timeout for mutations.
    #[serde(skip)]
    pub write_deadline: Duration,
    /// How long after the first `invalid_grant` a second one, for the same refresh token, ends the grant.
    #[serde(rename = "grant_confirm_seconds", deserialize_with = "seconds")]
    pub grant_confirm_delay: Duration,
    /// Whether disconnecting an account revokes its grant at Google.
    #[serde(skip)]
    pub revoke_on_disconnect: bool,
    /// The life requested for a channel; Google may grant less.
    #[serde(rename = "watch_ttl_seconds", deserialize_with = "seconds")]
    pub watch_ttl: Duration,
    /// A live channel without a push for this long is replaced.
    #[serde(rename = "watch_silence_seconds", deserialize_with = "seconds")]
    pub watch_silence_max: Duration,
    /// How late a push may arrive after a poll has found its change. After that the channel counts as broken: the
    /// calendar is polled as if it had none, reports `polling`, and gets a new channel.
    #[serde(rename = "push_late_seconds", deserialize_with = "seconds")]
    pub push_late: Duration,
    /// Time between the canary's changes.
    #[serde(rename = "canary_seconds", deserialize_with = "seconds")]
    pub canary_every: Duration,
    /// How long a change of the canary may take to reach its socket.
    #[serde(rename = "canary_patience_seconds", deserialize_with = "seconds")]
    pub canary_patience: Duration,
    /// The life of the token for a browser's socket. Until its end a user who was signed out or lost a permission still
    /// receives changes.
    #[serde(rename = "realtime_token_seconds", deserialize_with = "token_life")]
    pub realtime_token_life: Duration,
    /// The bytes of answers that a process of calendar-api keeps.
    #[serde(rename = "read_cache_megabytes", deserialize_with = "megabytes")]
    pub read_cache_bytes: u64,
    /// Events per page of a listing. A sync token is valid only with the page size that it was issued for.
    #[serde(skip)]
    pub events_page_size: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: None,
            webhook_url: None,
            poll_watched: Duration::from_mins(15),
            poll_unwatched: Duration::from_mins(1),
            lease: Duration::from_mins(1),
            write_deadline: Duration::from_secs(10),
            grant_confirm_delay: Duration::from_secs(30),
            revoke_on_disconnect: true,
            // A week is Google's own default; it shortens longer requests anyway.
            watch_ttl: Duration::from_hours(7 * 24),
            watch_silence_max: Duration::from_hours(12),
            push_late: Duration::from_mins(5),
            canary_every: Duration::from_mins(3),
            canary_patience: Duration::from_secs(30),
            realtime_token_life: Duration::from_mins(15),
            // The upcoming events of a busy week are some 2 KB, as they are kept.
            read_cache_bytes: 192 << 20,
            events_page_size: google::EVENTS_PAGE_MAX,
        }
    }
}

impl Settings {
    /// The address for Google's pushes. None: polling only.
    pub fn webhook_address(&self) -> Option<Url> {
        self.webhook_url.clone().or_else(|| {
            let mut url = self.public_url.clone()?;
            url.set_path(WEBHOOK_PATH);
            Some(url)
        })
    }
}

/// `TUNING`: numbers as `name=seconds`, separated by commas; the name says if it is another unit. A name may be given once.
impl FromStr for Settings {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pairs = text.split(',').map(|pair| {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Error::custom(format!(
                    "expected name=seconds, separated by commas, not {pair:?}"
                ))
            })?;
            let number: u64 = value.trim().parse().map_err(|_| {
                Error::custom(format!(
                    "{} expects a number of {}, not {value:?}",
                    name.trim(),
                    if name.contains("_megabytes") {
                        "megabytes"
                    } else {
                        "seconds"
                    },
                ))
            })?;
            Ok((name.trim(), number))
        });
        let pairs = pairs.collect::<Result<Vec<_>, Error>>()?;
        Self::deserialize(MapDeserializer::new(pairs.into_iter()))
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_secs)
}

fn megabytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    u64::deserialize(deserializer).map(|megabytes| megabytes.saturating_mul(1 << 20))
}

/// With a shorter life browsers would do little but request tokens.
fn token_life<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match u64::deserialize(deserializer)? {
        seconds @ 10..=86_400 => Ok(Duration::from_secs(seconds)),
        _ => Err(serde::de::Error::custom(
            "realtime_token_seconds expects 10 to 86400",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_changes_the_named_timings_only() {
        let tuned: Settings = "sync_lease_seconds=5, poll_watched_seconds = 4".parse().unwrap();
        let expected = Settings {
            lease: Duration::from_secs(5),
            poll_watched: Duration::from_secs(4),
            ..Settings::default()
        };
        assert_eq!(tuned, expected);
    }

    #[test]
    fn tuning_rejects_unknown_repeated_and_malformed_entries_by_name() {
        for (text, error) in [
            (
                "poll_seconds=4",
                "unknown field `poll_seconds`, expected one of `poll_watched_seconds`",
            ),
            ("public_url=4", "unknown field `public_url`"),
            (
                "watch_ttl_seconds=1,watch_ttl_seconds=2",
                "duplicate field `watch_ttl_seconds`",
            ),
            (
                "watch_ttl_seconds=a week",
                "watch_ttl_seconds expects a number of seconds, not \"a week\"",
            ),
            (
                "watch_ttl_seconds=-1",
                "watch_ttl_seconds expects a number of seconds, not \"-1\"",
            ),
            (
                "realtime_token_seconds=9",
                "realtime_token_seconds expects 10 to 86400",
            ),
            ("watch_ttl_seconds", "expected name=seconds"),
            ("watch_ttl_seconds=1,", "expected name=seconds"),
        ] {
            let found = text.parse::<Settings>().unwrap_err().to_string();
            assert!(found.starts_with(error), "{text}: {found}");
        }
    }
}
