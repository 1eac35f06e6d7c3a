//! Why a push is rejected. Google retries after a 503 and after no other status here, so load and failures of ours are always
//! answered 503.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use common::batch::BatchFailed;
use common::http::ErrorBody;
use google::push::InvalidNotification;

/// Google sends a dozen headers.
pub const HEADERS_MAX: usize = 64;
pub const HEADERS_MAX_LEN: usize = 16 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Refusal {
    #[error("{0}")]
    NotAPush(#[from] InvalidNotification),
    /// Google sends none.
    #[error("request body too large: a push has none")]
    BodyTooLarge,
    #[error("timed out waiting for the end of the request")]
    BodyLost,
    #[error(
        "request headers too large (limit {} headers, {} bytes)",
        HEADERS_MAX,
        HEADERS_MAX_LEN
    )]
    HeadersTooLarge,
    #[error("unknown channel")]
    UnknownChannel,
    #[error("the token is not the channel's")]
    WrongToken,
    #[error("the resource is not the channel's")]
    WrongResource,
    #[error("too many pushes at once; send this one again")]
    Overloaded,
    #[error("too many pushes from this source; send this one again later")]
    TooManyFromSource,
    #[error("could not commit the push; send it again")]
    Unavailable,
}

impl Refusal {
    /// For programs: the `error` of the response, and the label in metrics.
    pub fn code(&self) -> &'static str {
        self.into()
    }
}

impl From<BatchFailed> for Refusal {
    fn from(BatchFailed: BatchFailed) -> Self {
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
            // The rest of the body is not read.
            response.force_close();
        }
        response.json(ErrorBody {
            error: self.code(),
            message: &self.to_string(),
        })
    }
}
