//! Google's faults.

use google_emulator::{Fault as AtGoogle, Rule};
use serde::{Deserialize, Serialize};

/// A fault of Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GoogleTrouble {
    TooManyRequests,
    UserLimited,
    /// A limit that Google does not name.
    UnnamedLimit,
    WritesSpent,
    ServerError,
    Unavailable,
    BadGateway,
    RequestLost,
    AnswerLost,
    Stalled,
    Truncated,
    Garbage,
    SmallPages,
    EmptyPage,
    Shuffled,
    Slow,
    SlowPages,
    TokenUnavailable,
    TokenRefusedOnce,
    PolicyRefusesOnce,
    /// The account's grant ends by a policy of its organization.
    PolicyRefuses,
    /// The token endpoint refuses us, which says nothing about the grant.
    ClientRefused,
    /// Google Calendar is turned off for the account.
    CalendarOff,
    MissingOnce,
    ForbiddenOnce,
    WatchUnavailable,
    PushLost,
    PushTwice,
    PushLate,
    PushReordered,
}

impl GoogleTrouble {
    pub const CALLS: [Self; 23] = [
        Self::TooManyRequests,
        Self::UserLimited,
        Self::UnnamedLimit,
        Self::WritesSpent,
        Self::ServerError,
        Self::Unavailable,
        Self::BadGateway,
        Self::RequestLost,
        Self::AnswerLost,
        Self::Stalled,
        Self::Truncated,
        Self::Garbage,
        Self::SmallPages,
        Self::EmptyPage,
        Self::Shuffled,
        Self::Slow,
        Self::SlowPages,
        Self::TokenUnavailable,
        Self::TokenRefusedOnce,
        Self::PolicyRefusesOnce,
        Self::MissingOnce,
        Self::ForbiddenOnce,
        Self::WatchUnavailable,
    ];
    /// After these Calwire waits longer than a run lasts, until the user connects again.
    pub const REFUSALS: [Self; 3] = [Self::PolicyRefuses, Self::ClientRefused, Self::CalendarOff];
    pub const PUSHES: [Self; 4] = [
        Self::PushLost,
        Self::PushTwice,
        Self::PushLate,
        Self::PushReordered,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManyRequests => "429",
            Self::UserLimited => "403 rate limit",
            Self::UnnamedLimit => "403 rate limit, unnamed",
            Self::WritesSpent => "403 quota of writes",
            Self::ServerError => "500",
            Self::Unavailable => "503",
            Self::BadGateway => "502 with a page",
            Self::RequestLost => "request lost",
            Self::AnswerLost => "answer lost",
            Self::Stalled => "half an answer, then silence",
            Self::Truncated => "half an answer",
            Self::Garbage => "no JSON",
            Self::SmallPages => "pages of one",
            Self::EmptyPage => "an empty page",
            Self::Shuffled => "another order",
            Self::Slow => "slow",
            Self::SlowPages => "slow pages",
            Self::TokenUnavailable => "no tokens",
            Self::TokenRefusedOnce => "token refused once",
            Self::PolicyRefusesOnce => "token refused once, by a policy",
            Self::PolicyRefuses => "grant ended by a policy",
            Self::ClientRefused => "client refused",
            Self::CalendarOff => "Calendar turned off",
            Self::MissingOnce => "404 once",
            Self::ForbiddenOnce => "403 once",
            Self::WatchUnavailable => "no channels",
            Self::PushLost => "lost",
            Self::PushTwice => "twice",
            Self::PushLate => "late",
            Self::PushReordered => "out of order",
        }
    }

    pub fn rule(self) -> Rule {
        let error = |status, reason: &str, retry_after| AtGoogle::Error {
            status,
            reason: Some(reason.to_owned()),
            message: None,
            retry_after,
        };
        // `Retry-After` is short, so that the retry happens within the run.
        let (endpoint, probability, fault) = match self {
            Self::TooManyRequests => ("events.*", 0.5, error(429, "rateLimitExceeded", Some(1))),
            Self::UserLimited => ("events.*", 0.5, error(403, "userRateLimitExceeded", Some(2))),
            Self::UnnamedLimit => ("events.*", 0.5, error(403, "rateLimitExceeded", Some(2))),
            Self::WritesSpent => ("writes", 1.0, error(403, "quotaExceeded", Some(2))),
            Self::ServerError => ("events.*", 0.6, error(500, "backendError", None)),
            Self::Unavailable => ("*", 0.6, error(503, "backendError", None)),
            Self::BadGateway => ("*", 0.5, AtGoogle::BadGateway),
            Self::RequestLost => ("events.*", 0.5, AtGoogle::Reset { after: false }),
            Self::AnswerLost => ("events.*", 0.5, AtGoogle::Reset { after: true }),
            Self::Stalled => ("events.*", 0.4, AtGoogle::Stall { ms: 1_500 }),
            Self::Truncated => ("events.*", 0.5, AtGoogle::Truncate),
            Self::Garbage => ("events.list", 0.5, AtGoogle::Garbage),
            Self::SmallPages => ("events.list", 1.0, AtGoogle::PageSize { size: 1 }),
            Self::EmptyPage => ("events.list", 1.0, AtGoogle::EmptyPage { page: 1 }),
            Self::Shuffled => ("events.list", 1.0, AtGoogle::Shuffle),
            Self::Slow => (
                "*",
                0.8,
                AtGoogle::Delay {
                    ms: 300,
                    jitter_ms: 1_200,
                },
            ),
            Self::SlowPages => ("events.list", 0.5, AtGoogle::SlowPage { ms_per_event: 1 }),
            Self::TokenRefusedOnce => ("oauth.token", 1.0, error(400, "invalid_grant", None)),
            Self::PolicyRefusesOnce | Self::PolicyRefuses => {
                ("oauth.token", 1.0, error(400, "admin_policy_enforced", None))
            }
            Self::ClientRefused => ("oauth.token", 1.0, error(401, "unauthorized_client", None)),
            Self::CalendarOff => ("events.*", 1.0, error(403, "notACalendarUser", None)),
            Self::MissingOnce => ("events.list", 1.0, error(404, "notFound", None)),
            Self::ForbiddenOnce => ("events.list", 1.0, error(403, "forbidden", None)),
            Self::TokenUnavailable => ("oauth.token", 1.0, error(503, "backendError", None)),
            Self::WatchUnavailable => ("events.watch", 1.0, error(503, "backendError", None)),
            Self::PushLost => ("push*", 0.8, AtGoogle::Drop),
            Self::PushTwice => ("push*", 0.8, AtGoogle::Duplicate { copies: 2 }),
            Self::PushLate => (
                "push*",
                0.8,
                AtGoogle::Delay {
                    ms: 500,
                    jitter_ms: 2_500,
                },
            ),
            Self::PushReordered => ("push*", 0.8, AtGoogle::Reorder),
        };
        let rule = Rule::new(endpoint, fault).with_probability(probability);
        if self.is_once() { rule.times(1) } else { rule }
    }

    /// A second such answer would be believed.
    const fn is_once(self) -> bool {
        matches!(
            self,
            Self::TokenRefusedOnce | Self::PolicyRefusesOnce | Self::MissingOnce | Self::ForbiddenOnce
        )
    }

    /// Whether it concerns refreshes alone, of which few happen in a run.
    pub const fn is_of_tokens(self) -> bool {
        matches!(
            self,
            Self::TokenUnavailable
                | Self::TokenRefusedOnce
                | Self::PolicyRefusesOnce
                | Self::PolicyRefuses
                | Self::ClientRefused
        )
    }
}
