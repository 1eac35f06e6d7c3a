//! The faults of a plan, by name.

use serde::{Deserialize, Serialize};

use super::link::{Link, Replica, Toxic};
use super::trouble::GoogleTrouble;

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
    /// SIGTERM; started again once it has ended.
    Restart {
        replica: Replica,
    },
    /// Its clock is some seconds ahead or behind.
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
        trouble: GoogleTrouble,
        user: Option<usize>,
    },
    Push {
        trouble: GoogleTrouble,
    },
    /// Access tokens expire early.
    ExpireAccess {
        user: usize,
    },
    /// The calendar's sync token expires: 410.
    ExpireSyncToken {
        user: usize,
    },
    /// The user revokes the grant in Google, and connects again afterwards.
    Revoke {
        user: usize,
    },
    /// Google refuses a user's calls or refreshes, until they connect again.
    Refuse {
        trouble: GoogleTrouble,
        user: usize,
    },
    /// A new key for one service after the other, then `rotate-keys`.
    RotateKeys,
}

/// A fault without its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
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
    Refuse,
    RotateKeys,
}

impl Fault {
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Kill { .. } => FaultKind::Kill,
            Self::Freeze { .. } => FaultKind::Freeze,
            Self::Restart { .. } => FaultKind::Restart,
            Self::StepClock { .. } => FaultKind::StepClock,
            Self::CrashDatabase => FaultKind::CrashDatabase,
            Self::CrashBroker => FaultKind::CrashBroker,
            Self::FreezeBroker => FaultKind::FreezeBroker,
            Self::Network { .. } => FaultKind::Network,
            Self::Google { .. } => FaultKind::Google,
            Self::Push { .. } => FaultKind::Push,
            Self::ExpireAccess { .. } => FaultKind::ExpireAccess,
            Self::ExpireSyncToken { .. } => FaultKind::ExpireSyncToken,
            Self::Revoke { .. } => FaultKind::Revoke,
            Self::Refuse { .. } => FaultKind::Refuse,
            Self::RotateKeys => FaultKind::RotateKeys,
        }
    }

    /// At most one of a plan. A calendar is not rebuilt twice within a minute, and a run is shorter than that.
    pub const fn is_once(&self) -> bool {
        matches!(
            self.kind(),
            FaultKind::Revoke | FaultKind::RotateKeys | FaultKind::ExpireSyncToken
        )
    }

    /// Whether both would break the same part, or one would hide the recovery from the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    fn covers(&self, other: &Self) -> bool {
        match (self.kind(), other) {
            (FaultKind::CrashDatabase, Self::Network { link, .. }) => matches!(link, Link::Database { .. }),
            (FaultKind::CrashDatabase, other) => {
                other.replica().is_some()
                    || matches!(other.kind(), FaultKind::CrashDatabase | FaultKind::RotateKeys)
            }
            (FaultKind::CrashBroker | FaultKind::FreezeBroker, Self::Network { link, .. }) => {
                matches!(link, Link::Broker { .. } | Link::Socket { .. })
            }
            (FaultKind::CrashBroker | FaultKind::FreezeBroker, other) => {
                matches!(other.kind(), FaultKind::CrashBroker | FaultKind::FreezeBroker)
            }
            (FaultKind::Network, Self::Network { link, .. }) => {
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
            Self::Network { link, toxic } => format!("{}: {}", link.kind(), toxic.name()),
            Self::Google { trouble, .. } | Self::Refuse { trouble, .. } => {
                format!("Google: {}", trouble.name())
            }
            Self::Push { trouble } => format!("pushes: {}", trouble.name()),
            Self::ExpireAccess { .. } => "Google: access tokens end".to_owned(),
            Self::ExpireSyncToken { .. } => "Google: 410".to_owned(),
            Self::Revoke { .. } => "Google: grant revoked".to_owned(),
            Self::RotateKeys => "keys rotated".to_owned(),
        }
    }
}
