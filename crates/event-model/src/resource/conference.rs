//! The video meeting of an event.

use serde::Deserialize;

/// Whether there is a video meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConferenceState {
    None,
    /// Google has been asked for one, and has not created it yet.
    Pending,
    /// Even if its link is unknown.
    Exists,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawConference {
    #[serde(default)]
    pub entry_points: Vec<EntryPoint>,
    #[serde(default)]
    create_request: Option<RawCreateRequest>,
}

impl RawConference {
    /// There is a meeting. Google keeps a request for one that it could not create, and one that it is still working on
    /// (<https://developers.google.com/workspace/calendar/api/v3/reference/events#conferenceData>).
    pub fn state(&self) -> ConferenceState {
        let request = self
            .create_request
            .as_ref()
            .and_then(|request| request.status.as_ref());
        match request.and_then(|status| status.status_code.as_deref()) {
            Some("failure") if self.entry_points.is_empty() => ConferenceState::None,
            Some("pending") if self.entry_points.is_empty() => ConferenceState::Pending,
            _ => ConferenceState::Exists,
        }
    }
}

#[derive(Deserialize)]
struct RawCreateRequest {
    status: Option<RawRequestStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRequestStatus {
    status_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryPoint {
    pub entry_point_type: Option<String>,
    pub uri: Option<String>,
}
