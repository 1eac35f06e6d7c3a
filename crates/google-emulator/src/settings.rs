//! Settings that can be changed while the emulator runs: `GET` and `PATCH /_emulator/settings`.

use serde::{Deserialize, Serialize};

/// The defaults are Google's behaviour, except for the `http://` callbacks of a local setup, which need a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are switches, each independent of the others"
)]
pub struct Settings {
    /// Every fault is decided by a hash of this, the user, the endpoint and the number of the call.
    pub fault_seed: u64,
    /// Accept `http://` push addresses. Google answers `push.webhookUrlNotHttps`.
    pub allow_http_callbacks: bool,
    /// Longest life of a push channel in seconds; the default life is 7 days or this, whichever is shorter.
    pub max_channel_seconds: i64,
    /// Send the `sync` message before the watch request is answered, as Google sometimes does.
    pub sync_before_watch_answer: bool,
    /// No page of a list is larger than this, whatever `maxResults` is.
    pub max_page_size: Option<usize>,
    /// Return list entries in an arbitrary (but repeatable) order, so that an exception may precede its master.
    pub shuffle_lists: bool,
    pub access_token_seconds: i64,
    /// Consent screen in "Testing": refresh tokens die after 7 days.
    pub testing_mode: bool,
    /// Tries after the first that a push gets while its receiver answers 500, 502, 503 or 504.
    pub push_retries: u32,
    /// Wait before the first retry of a push; it doubles with each, up to a minute.
    pub push_retry_ms: u64,
    /// Keep an exception whose instance its series has lost. Google documents neither behaviour.
    pub keep_orphaned_exceptions: bool,
    /// Requests a minute, off by default.
    pub quota: Option<Quota>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fault_seed: 0,
            allow_http_callbacks: false,
            max_channel_seconds: 30 * 86_400,
            sync_before_watch_answer: false,
            max_page_size: None,
            shuffle_lists: false,
            access_token_seconds: 3599,
            testing_mode: false,
            push_retries: 8,
            push_retry_ms: 1000,
            keep_orphaned_exceptions: false,
            quota: None,
        }
    }
}

/// Sliding windows of a minute; beyond them calls fail with 403 `userRateLimitExceeded` or `rateLimitExceeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Quota {
    pub per_user: usize,
    pub per_project: usize,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            per_user: 600,
            per_project: 10_000,
        }
    }
}
