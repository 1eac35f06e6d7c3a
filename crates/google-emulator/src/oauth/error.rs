//! Errors as OAuth words them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::json;

/// OAuth's error body.
pub fn error(status: u16, code: &str, description: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    HttpResponse::build(status).json(json!({ "error": code, "error_description": description }))
}

/// Google's text for an error of the token endpoint that a policy causes; else the error itself.
/// <https://developers.google.com/identity/protocols/oauth2/web-server#authorization-errors>
pub fn describe(code: &str) -> &str {
    match code {
        "admin_policy_enforced" => {
            "The Google Account is unable to authorize one or more scopes requested due to the policies of their Google \
             Workspace administrator."
        }
        "access_denied" => "Account restricted",
        "policy_enforced" => "Advanced Protection prevented your Google Account from signing in.",
        other => other,
    }
}
