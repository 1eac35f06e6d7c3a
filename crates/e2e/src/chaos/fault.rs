//! What can be broken, by name.

use google_emulator::{Fault as AtGoogle, Rule};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    CalendarApi,
    WebhookIngest,
    WatchRenewer,
}

impl Service {
    pub const ALL: [Self; 3] = [Self::CalendarApi, Self::WebhookIngest, Self::WatchRenewer];

    pub const fn name(self) -> &'static str {
        match self {
            Self::CalendarApi => "calendar-api",
            Self::WebhookIngest => "webhook-ingest",
            Self::WatchRenewer => "watch-renewer",
        }
    }
}

/// One process of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Replica {
    pub service: Service,
    pub number: usize,
}

impl Replica {
    pub fn name(self) -> String {
        format!("{}-{}", self.service.name(), self.number)
    }
}

/// A connection between two parts, with a proxy in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Link {
    /// A process's to Postgres.
    Database { replica: Replica },
    /// A process's to Google.
    Google { replica: Replica },
    /// A process's to Centrifugo's API.
    Broker { replica: Replica },
    /// Google's to the webhook.
    Webhook,
    /// A page's to Centrifugo.
    Socket { user: usize, page: usize },
    /// A user's to the API.
    Api { user: usize },
}

impl Link {
    pub fn name(self) -> String {
        match self {
            Self::Database { replica } => format!("{}-to-postgres", replica.name()),
            Self::Google { replica } => format!("{}-to-google", replica.name()),
            Self::Broker { replica } => format!("{}-to-centrifugo", replica.name()),
            Self::Webhook => "google-to-webhook".to_owned(),
            Self::Socket { user, page } => format!("page-{user}-{page}-to-centrifugo"),
            Self::Api { user } => format!("user-{user}-to-api"),
        }
    }

    /// What all of its sort are called.
    pub const fn sort(self) -> &'static str {
        match self {
            Self::Database { .. } => "service → Postgres",
            Self::Google { .. } => "service → Google",
            Self::Broker { .. } => "service → Centrifugo",
            Self::Webhook => "Google → webhook",
            Self::Socket { .. } => "page → Centrifugo",
            Self::Api { .. } => "page → API",
        }
    }
}

/// What a link suffers, as Toxiproxy does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Toxic {
    Latency {
        ms: u64,
        jitter: u64,
    },
    /// Nothing arrives, and nobody is told.
    LoseRequests,
    /// What was asked is done, and no answer comes back.
    LoseAnswers,
    /// Connections are reset.
    Reset {
        ms: u64,
    },
    /// Kilobytes a second.
    Bandwidth {
        kb: u64,
    },
    /// A connection ends after so many bytes, in the middle of whatever it is.
    Cut {
        bytes: u64,
    },
    /// In pieces of a few bytes.
    Slice,
    /// Connections are refused.
    Down,
}

impl Toxic {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency { .. } => "slow",
            Self::LoseRequests => "requests lost",
            Self::LoseAnswers => "answers lost",
            Self::Reset { .. } => "reset",
            Self::Bandwidth { .. } => "narrow",
            Self::Cut { .. } => "cut",
            Self::Slice => "in pieces",
            Self::Down => "down",
        }
    }
}

/// What Google does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trouble {
    TooManyRequests,
    UserLimited,
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
    TokenUnavailable,
    WatchUnavailable,
    PushLost,
    PushTwice,
    PushLate,
    PushReordered,
}

impl Trouble {
    pub const CALLS: [Self; 16] = [
        Self::TooManyRequests,
        Self::UserLimited,
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
        Self::TokenUnavailable,
        Self::WatchUnavailable,
    ];
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
            Self::TokenUnavailable => "no tokens",
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
        // Google's wish to wait is short: what comes after it is to be seen too.
        let (endpoint, probability, fault) = match self {
            Self::TooManyRequests => ("events.*", 0.5, error(429, "rateLimitExceeded", Some(1))),
            Self::UserLimited => ("events.*", 0.5, error(403, "userRateLimitExceeded", Some(2))),
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
        Rule::new(endpoint, fault).with_probability(probability)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// SIGKILL; started again afterwards.
    Kill {
        replica: Replica,
    },
    /// SIGSTOP, then SIGCONT.
    Freeze {
        replica: Replica,
    },
    /// SIGTERM, and started again once it has ended.
    Restart {
        replica: Replica,
    },
    /// Its clock is so many seconds ahead or behind.
    StepClock {
        replica: Replica,
        seconds: i32,
    },
    CrashDatabase,
    CrashBroker,
    FreezeBroker,
    Network {
        link: Link,
        toxic: Toxic,
    },
    Google {
        trouble: Trouble,
        user: Option<usize>,
    },
    Push {
        trouble: Trouble,
    },
    /// Access tokens end before their time.
    ExpireAccess {
        user: usize,
    },
    /// 410: the calendar's sync token is not known any more.
    ExpireSyncToken {
        user: usize,
    },
    /// The user takes the grant back in Google, and connects again afterwards.
    Revoke {
        user: usize,
    },
    /// A new key, one service after the other, and `rotate-keys`.
    RotateKeys,
}

/// A fault without its particulars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Kill,
    Freeze,
    Restart,
    StepClock,
    CrashDatabase,
    CrashBroker,
    FreezeBroker,
    Network,
    Google,
    Push,
    ExpireAccess,
    ExpireSyncToken,
    Revoke,
    RotateKeys,
}

impl Fault {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Kill { .. } => Kind::Kill,
            Self::Freeze { .. } => Kind::Freeze,
            Self::Restart { .. } => Kind::Restart,
            Self::StepClock { .. } => Kind::StepClock,
            Self::CrashDatabase => Kind::CrashDatabase,
            Self::CrashBroker => Kind::CrashBroker,
            Self::FreezeBroker => Kind::FreezeBroker,
            Self::Network { .. } => Kind::Network,
            Self::Google { .. } => Kind::Google,
            Self::Push { .. } => Kind::Push,
            Self::ExpireAccess { .. } => Kind::ExpireAccess,
            Self::ExpireSyncToken { .. } => Kind::ExpireSyncToken,
            Self::Revoke { .. } => Kind::Revoke,
            Self::RotateKeys => Kind::RotateKeys,
        }
    }

    /// At most one of a plan. A calendar is not listed anew twice in a minute, and a run is shorter than that.
    pub const fn is_once(&self) -> bool {
        matches!(
            self.kind(),
            Kind::Revoke | Kind::RotateKeys | Kind::ExpireSyncToken
        )
    }

    /// Both would be about the same thing, or one would hide how the other is recovered from.
    pub fn meets(&self, other: &Self) -> bool {
        self.is_over(other) || other.is_over(self)
    }

    fn is_over(&self, other: &Self) -> bool {
        match (self.kind(), other) {
            (Kind::CrashDatabase, Self::Network { link, .. }) => matches!(link, Link::Database { .. }),
            (Kind::CrashDatabase, other) => {
                other.replica().is_some() || matches!(other.kind(), Kind::CrashDatabase | Kind::RotateKeys)
            }
            (Kind::CrashBroker | Kind::FreezeBroker, Self::Network { link, .. }) => {
                matches!(link, Link::Broker { .. } | Link::Socket { .. })
            }
            (Kind::CrashBroker | Kind::FreezeBroker, other) => {
                matches!(other.kind(), Kind::CrashBroker | Kind::FreezeBroker)
            }
            (Kind::Network, Self::Network { link, .. }) => {
                matches!(self, Self::Network { link: own, .. } if own == link)
            }
            _ => self.replica().is_some() && self.replica() == other.replica(),
        }
    }

    const fn replica(&self) -> Option<Replica> {
        match self {
            Self::Kill { replica }
            | Self::Freeze { replica }
            | Self::Restart { replica }
            | Self::StepClock { replica, .. } => Some(*replica),
            _ => None,
        }
    }

    /// As the table counts it.
    pub fn name(&self) -> String {
        match self {
            Self::Kill { replica } => format!("kill -9 {}", replica.service.name()),
            Self::Freeze { replica } => format!("SIGSTOP {}", replica.service.name()),
            Self::Restart { replica } => format!("SIGTERM {}", replica.service.name()),
            Self::StepClock { replica, .. } => format!("clock of {} stepped", replica.service.name()),
            Self::CrashDatabase => "crash Postgres".to_owned(),
            Self::CrashBroker => "kill -9 Centrifugo".to_owned(),
            Self::FreezeBroker => "SIGSTOP Centrifugo".to_owned(),
            Self::Network { link, toxic } => format!("{}: {}", link.sort(), toxic.name()),
            Self::Google { trouble, .. } => format!("Google: {}", trouble.name()),
            Self::Push { trouble } => format!("pushes: {}", trouble.name()),
            Self::ExpireAccess { .. } => "Google: access tokens end".to_owned(),
            Self::ExpireSyncToken { .. } => "Google: 410".to_owned(),
            Self::Revoke { .. } => "Google: grant revoked".to_owned(),
            Self::RotateKeys => "keys rotated".to_owned(),
        }
    }
}
