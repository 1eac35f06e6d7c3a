//! The kinds of operations, each with the weights by which a plan chooses among them.

use serde::{Deserialize, Serialize};

use crate::bodies::Form;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Edit {
    Retitle,
    Reschedule,
    /// A guest answers, with a comment.
    Answer,
    EditInstance,
    CancelInstance,
    Delete,
    DeleteMany,
    /// Invites the other user to a new event in the own calendar.
    Invite,
    /// Of an event that both users are guests of.
    #[serde(untagged)]
    Meeting(Meeting),
    #[serde(untagged)]
    Insert(Form),
}

impl Edit {
    pub(super) const WEIGHTS: &[(u32, Self)] = &[
        (7, Self::Insert(Form::Hour)),
        (2, Self::Insert(Form::Day)),
        (4, Self::Insert(Form::Series)),
        (2, Self::Insert(Form::InZone)),
        (1, Self::Insert(Form::Flight)),
        (2, Self::Insert(Form::Guests)),
        (1, Self::Insert(Form::Long)),
        (1, Self::Insert(Form::Birthday)),
        (1, Self::Insert(Form::FromGmail)),
        (1, Self::Insert(Form::FocusTime)),
        (1, Self::Insert(Form::OutOfOffice)),
        (1, Self::Insert(Form::WorkingLocation)),
        (6, Self::Retitle),
        (3, Self::Reschedule),
        (2, Self::Answer),
        (3, Self::EditInstance),
        (2, Self::CancelInstance),
        (4, Self::Delete),
        (1, Self::DeleteMany),
        (3, Self::Invite),
        (2, Self::Meeting(Meeting::Answer)),
        (1, Self::Meeting(Meeting::Uninvite)),
        (1, Self::Meeting(Meeting::Cancel)),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meeting {
    /// The user answers an invitation of the other.
    #[serde(rename = "answerInvitation")]
    Answer,
    /// The organizer takes the other off the list.
    #[serde(rename = "uninvite")]
    Uninvite,
    /// The organizer deletes it.
    #[serde(rename = "cancelMeeting")]
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Write {
    Create,
    Invite,
    /// Invites the other user.
    InviteUser,
    CreateSeries,
    Retitle,
    Reschedule,
    /// Changes a word of the description.
    Describe,
    Recolor,
    AddGuest,
    Respond,
    RetitleSeries,
    Split,
    Delete,
    DeleteSeries,
    DeleteFollowing,
    Move,
}

impl Write {
    pub(super) const WEIGHTS: &[(u32, Self)] = &[
        (6, Self::Create),
        (2, Self::Invite),
        (2, Self::InviteUser),
        (2, Self::CreateSeries),
        (6, Self::Retitle),
        (2, Self::Reschedule),
        (2, Self::Describe),
        (1, Self::Recolor),
        (1, Self::AddGuest),
        (2, Self::Respond),
        (2, Self::RetitleSeries),
        (2, Self::Split),
        (2, Self::Delete),
        (1, Self::DeleteSeries),
        (1, Self::DeleteFollowing),
        (1, Self::Move),
    ];

    pub const fn is_new(self) -> bool {
        matches!(
            self,
            Self::Create | Self::Invite | Self::InviteUser | Self::CreateSeries
        )
    }

    /// Whether it is about a series, by way of an instance.
    pub const fn is_of_series(self) -> bool {
        matches!(
            self,
            Self::RetitleSeries | Self::Split | Self::DeleteSeries | Self::DeleteFollowing
        )
    }
}

/// The network's treatment of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Way {
    Deliver,
    /// A push other than the oldest.
    OutOfOrder,
    Twice,
    Lose,
    LoseAll,
    /// A push that was delivered before.
    Replay,
}

impl Way {
    pub(super) const WEIGHTS: &[(u32, Self)] = &[
        (12, Self::Deliver),
        (4, Self::OutOfOrder),
        (2, Self::Twice),
        (3, Self::Lose),
        (1, Self::LoseAll),
        (2, Self::Replay),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Forgery {
    UnknownChannel,
    WrongToken,
    WrongResource,
    /// One user's sealed token copied into another user's row.
    SwappedToken,
    JwtAlgorithm,
    JwtExpired,
    JwtAudience,
    JwtUnsigned,
    OthersChannel,
    OthersCalendar,
    OthersEvent,
}

impl Forgery {
    pub(super) const WEIGHTS: &[(u32, Self)] = &[
        (1, Self::UnknownChannel),
        (1, Self::WrongToken),
        (1, Self::WrongResource),
        (3, Self::SwappedToken),
        (3, Self::JwtAlgorithm),
        (1, Self::JwtExpired),
        (1, Self::JwtAudience),
        (1, Self::JwtUnsigned),
        (3, Self::OthersChannel),
        (1, Self::OthersCalendar),
        (1, Self::OthersEvent),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Job {
    Pull,
    Relay,
    Watch,
    StopWatches,
    Poll,
    Writes,
    Disconnect,
    Horizon,
    /// Tries grants again that a policy has ended.
    Recheck,
    Tidy,
}

impl Job {
    pub(super) const WEIGHTS: &[(u32, Self)] = &[
        (24, Self::Pull),
        (12, Self::Relay),
        (6, Self::Watch),
        (3, Self::StopWatches),
        (4, Self::Poll),
        (5, Self::Writes),
        (2, Self::Disconnect),
        (1, Self::Horizon),
        (1, Self::Recheck),
        (1, Self::Tidy),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trouble {
    Gone,
    GoneLater,
    SmallPages,
    EmptyPage,
    Shuffled,
    /// Pages of many events time out.
    SlowPages,
    Limited,
    /// A limit that Google does not name, with a wait of ten minutes.
    LimitedUnnamed,
    ProjectLimited,
    QuotaSpent,
    /// As `QuotaSpent`, of writes alone.
    WritesSpent,
    Unavailable,
    LostRequest,
    LostAnswer,
    Truncated,
    Garbage,
    Unauthorized,
    TokenUnavailable,
    TokenRefused,
    /// A policy of the account's organization ends the grant.
    PolicyRefuses,
    /// The token endpoint refuses us, which is no evidence about the grant.
    ClientRefused,
    WatchUnavailable,
    ShortWatch,
    StopUnavailable,
    WriteUnavailable,
    WriteAnswerLost,
    Forbidden,
    /// Google answers that a calendar does not exist.
    Missing,
    /// Google Calendar is turned off for the account.
    CalendarOff,
    ExpireSyncTokens,
    ExpireAccess,
}

impl Trouble {
    /// Those that one account can be in for a while.
    pub(super) const OF_ONE_ACCOUNT: &[(u32, Self)] = &[
        (1, Self::Limited),
        (2, Self::LimitedUnnamed),
        (1, Self::QuotaSpent),
        (2, Self::WritesSpent),
        (1, Self::Unavailable),
        (1, Self::TokenUnavailable),
        (2, Self::TokenRefused),
        (2, Self::PolicyRefuses),
        (1, Self::ClientRefused),
        (1, Self::Forbidden),
        (1, Self::Missing),
        (1, Self::CalendarOff),
    ];

    pub(super) const WEIGHTS: &[(u32, Self)] = &[
        (2, Self::Gone),
        (2, Self::GoneLater),
        (3, Self::SmallPages),
        (1, Self::EmptyPage),
        (1, Self::Shuffled),
        (1, Self::SlowPages),
        (1, Self::Limited),
        (1, Self::ProjectLimited),
        (1, Self::LimitedUnnamed),
        (1, Self::QuotaSpent),
        (1, Self::WritesSpent),
        (2, Self::Unavailable),
        (1, Self::LostRequest),
        (1, Self::LostAnswer),
        (1, Self::Truncated),
        (1, Self::Garbage),
        (1, Self::Unauthorized),
        (1, Self::TokenUnavailable),
        (2, Self::TokenRefused),
        (1, Self::PolicyRefuses),
        (1, Self::ClientRefused),
        (1, Self::WatchUnavailable),
        (1, Self::ShortWatch),
        (1, Self::StopUnavailable),
        (2, Self::WriteUnavailable),
        (2, Self::WriteAnswerLost),
        (1, Self::Forbidden),
        (1, Self::Missing),
        (1, Self::CalendarOff),
        (3, Self::ExpireSyncTokens),
        (3, Self::ExpireAccess),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    Revoke,
    Connect,
    Disconnect,
    Deselect,
    Select,
    SyncNow,
    LeaveCalendar,
    JoinCalendar,
}

impl Act {
    pub(super) const WEIGHTS: &[(u32, Self)] = &[
        (2, Self::Revoke),
        (5, Self::Connect),
        (1, Self::Disconnect),
        (1, Self::Deselect),
        (3, Self::Select),
        (2, Self::SyncNow),
        (1, Self::LeaveCalendar),
        (2, Self::JoinCalendar),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BrokerTrouble {
    Refuses,
    Away,
    AnswerLost,
    Restarts,
}

impl BrokerTrouble {
    pub(super) const WEIGHTS: &[(u32, Self)] = &[
        (2, Self::Refuses),
        (2, Self::Away),
        (2, Self::AnswerLost),
        (1, Self::Restarts),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Viewing {
    Receive,
    Miss,
    ReceiveAgain,
    Reload,
    /// The page comes back with the events that it had, and loads the rest.
    Return,
}

impl Viewing {
    pub(super) const WEIGHTS: &[(u32, Self)] = &[
        (12, Self::Receive),
        (2, Self::Miss),
        (2, Self::ReceiveAgain),
        (1, Self::Reload),
        (3, Self::Return),
    ];
}
