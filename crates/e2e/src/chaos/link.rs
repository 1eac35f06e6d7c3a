//! The processes, the links between the parts, and the faults of a link.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    CalendarApi,
    WebhookIngest,
    WatchRenewer,
}

impl ServiceKind {
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
    pub service: ServiceKind,
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

    /// The name of all links of its kind.
    pub const fn kind(self) -> &'static str {
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

/// A fault of a link, as Toxiproxy implements it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Toxic {
    Latency {
        ms: u64,
        jitter: u64,
    },
    /// Requests are dropped silently.
    LoseRequests,
    /// Requests are carried out, but answers are dropped.
    LoseAnswers,
    /// Connections are reset.
    Reset {
        ms: u64,
    },
    /// Kilobytes per second.
    Bandwidth {
        kb: u64,
    },
    /// A connection ends after some bytes, in the middle of a message.
    Cut {
        bytes: u64,
    },
    /// Data arrives in pieces of a few bytes.
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
