//! Why a push is not taken, and what Google makes of it: it tries again after a 503 and after nothing else here, so load
//! and trouble of ours are always a 503, and never a 4xx.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use common::http::ErrorBody;
use google::push::InvalidNotification;

use crate::batch::Failed;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    NotAPush(#[from] InvalidNotification),
    #[error(
        "a push has no body to speak of: at most {} bytes are read",
        crate::webhook::BODY_MAX_LEN
    )]
    BodyTooLarge,
    #[error("the body did not come")]
    BodyLost,
    #[error(
        "at most {} headers with {} bytes are read",
        crate::webhook::HEADERS_MAX,
        crate::webhook::HEADERS_MAX_LEN
    )]
    HeadersTooLarge,
    #[error("there is no such channel")]
    UnknownChannel,
    #[error("the channel was made with another token")]
    WrongToken,
    #[error("the channel watches another resource")]
    WrongResource,
    #[error("as many pushes as this service handles at once are under way; send this one again")]
    Overloaded,
    #[error("this source sends more than its share; send this one again later")]
    TooManyFromSource,
    #[error("the push could not be committed; send it again")]
    Unavailable,
}

impl Refusal {
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotAPush(_) => "not_a_push",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyLost => "body_lost",
            Self::HeadersTooLarge => "headers_too_large",
            Self::UnknownChannel => "unknown_channel",
            Self::WrongToken => "wrong_token",
            Self::WrongResource => "wrong_resource",
            Self::Overloaded => "overloaded",
            Self::TooManyFromSource => "too_many_from_source",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<Failed> for Refusal {
    fn from(Failed: Failed) -> Self {
        Self::Unavailable
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotAPush(_) => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyLost => StatusCode::REQUEST_TIMEOUT,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UnknownChannel => StatusCode::NOT_FOUND,
            Self::WrongToken | Self::WrongResource => StatusCode::FORBIDDEN,
            Self::Overloaded | Self::TooManyFromSource | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if matches!(self, Self::BodyTooLarge | Self::BodyLost) {
            // What is left of the body is not worth reading.
            response.force_close();
        }
        response.json(ErrorBody {
            error: self.word(),
            message: &self.to_string(),
        })
    }
}
