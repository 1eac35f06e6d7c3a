//! Google's OAuth 2: the consent page, tokens, revocation and userinfo.

mod consent;
mod error;
mod id_token;

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::calls::bearer;
use crate::error::ApiError;
use crate::grants::Code;
use crate::params::Params;
use crate::state::State;
use crate::{Client, Shared, scopes};

pub use consent::{Decision, Denied, decide};
pub use error::{describe, error};
pub(crate) use id_token::prepare as prepare_id_tokens;

pub fn routes(config: &mut ServiceConfig) {
    for path in ["/o/oauth2/v2/auth", "/o/oauth2/auth"] {
        config.route(path, web::get().to(consent::show));
    }
    config.route("/o/oauth2/v2/consent", web::post().to(consent::submit));
    for path in ["/token", "/o/oauth2/token", "/oauth2/v4/token"] {
        config.route(path, web::post().to(token));
    }
    for path in ["/revoke", "/o/oauth2/revoke"] {
        config
            .route(path, web::post().to(revoke))
            .route(path, web::get().to(revoke));
    }
    for path in ["/oauth2/v3/userinfo", "/oauth2/v2/userinfo", "/userinfo"] {
        config
            .route(path, web::get().to(user_info))
            .route(path, web::post().to(user_info));
    }
    config.route(
        "/oauth2/v3/certs",
        web::get().to(|| async { HttpResponse::Ok().json(id_token::certs()) }),
    );
    config.route("/.well-known/openid-configuration", web::get().to(discovery));
}

/// The fault of a token request.
struct Refused {
    status: u16,
    code: &'static str,
    description: &'static str,
}

fn refused(status: u16, code: &'static str, description: &'static str) -> Refused {
    Refused {
        status,
        code,
        description,
    }
}

async fn token(request: HttpRequest, shared: Data<Shared>, body: Bytes) -> HttpResponse {
    let form = Params::parse(&String::from_utf8_lossy(&body));
    let tokens = check_client(&request, &form, &shared.client).and_then(|()| match form.get("grant_type") {
        Some("authorization_code") => exchange(&shared, &form),
        Some("refresh_token") => refresh(&shared, &form),
        _ => Err(refused(400, "unsupported_grant_type", "Invalid grant_type")),
    });
    match tokens {
        Ok(tokens) => HttpResponse::Ok()
            .insert_header(("Cache-Control", "no-store"))
            .json(tokens),
        Err(Refused {
            status,
            code,
            description,
        }) => error(status, code, description),
    }
}

/// Client id and secret, in the form or in a Basic header.
fn check_client(request: &HttpRequest, form: &Params, client: &Client) -> Result<(), Refused> {
    let basic = request.headers().get(AUTHORIZATION).and_then(|header| {
        let encoded = header.to_str().ok()?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        Some((id.to_owned(), secret.to_owned()))
    });
    let (id, secret) = basic.unwrap_or_else(|| {
        let field = |name| form.get(name).unwrap_or_default().to_owned();
        (field("client_id"), field("client_secret"))
    });
    if id != client.id {
        return Err(refused(401, "invalid_client", "The OAuth client was not found."));
    }
    if secret != client.secret {
        return Err(refused(401, "invalid_client", "Unauthorized"));
    }
    Ok(())
}

fn exchange(shared: &Shared, form: &Params) -> Result<Value, Refused> {
    let mut state = shared.state();
    let now = state.now();
    let code = form.get("code").unwrap_or_default();
    let Some(code) = state.grants.take_code(code, now) else {
        return Err(refused(400, "invalid_grant", "Malformed auth code."));
    };
    if form.get("redirect_uri") != Some(&code.redirect_uri) {
        return Err(refused(400, "redirect_uri_mismatch", "Bad Request"));
    }
    if let Some(challenge) = &code.challenge {
        let verifier = form.get("code_verifier");
        if verifier.is_none() {
            return Err(refused(400, "invalid_grant", "Missing code verifier."));
        }
        if verifier.map(challenge_of).as_ref() != Some(challenge) {
            return Err(refused(400, "invalid_grant", "Invalid code verifier."));
        }
    }
    let Code {
        user,
        scopes,
        refreshable,
        nonce,
        ..
    } = code;
    let mut tokens = access_token(&mut state, &shared.client, &user, &scopes, nonce.as_deref());
    if refreshable {
        tokens["refresh_token"] = json!(state.grants.issue_refresh(&user, &scopes, now));
        if state.settings.testing_mode {
            tokens["refresh_token_expires_in"] = json!(7 * 86_400 - 1);
        }
    }
    Ok(tokens)
}

fn refresh(shared: &Shared, form: &Params) -> Result<Value, Refused> {
    let mut state = shared.state();
    let (now, testing) = (state.now(), state.settings.testing_mode);
    let token = form.get("refresh_token").unwrap_or_default();
    match state.grants.use_refresh(token, now, testing) {
        Some((user, scopes)) => Ok(access_token(&mut state, &shared.client, &user, &scopes, None)),
        None => Err(refused(
            400,
            "invalid_grant",
            "Token has been expired or revoked.",
        )),
    }
}

fn access_token(
    state: &mut State,
    client: &Client,
    user: &str,
    granted: &scopes::Scopes,
    nonce: Option<&str>,
) -> Value {
    let (now, seconds) = (state.now(), state.settings.access_token_seconds);
    let token = state.grants.issue_access(user, granted, now, seconds);
    let mut tokens = json!({
        "access_token": token,
        "expires_in": seconds,
        "scope": scopes::join(granted),
        "token_type": "Bearer",
    });
    if let Some(id_token) = id_token::issue(state, &client.id, user, granted, &token, nonce) {
        tokens["id_token"] = json!(id_token);
    }
    tokens
}

/// RFC 7636, S256.
pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Ends the whole grant of the token's account, whichever of its tokens was named.
async fn revoke(request: HttpRequest, shared: Data<Shared>, body: Bytes) -> HttpResponse {
    let query = Params::parse(request.query_string());
    let form = Params::parse(&String::from_utf8_lossy(&body));
    let token = query
        .get("token")
        .or_else(|| form.get("token"))
        .unwrap_or_default();
    let mut state = shared.state();
    match state.grants.owner(token) {
        Some(user) => {
            state.grants.revoke(&user);
            HttpResponse::Ok().json(json!({}))
        }
        None => error(400, "invalid_token", "Token expired or revoked"),
    }
}

async fn user_info(request: HttpRequest, shared: Data<Shared>) -> Result<HttpResponse, ApiError> {
    let query = Params::parse(request.query_string());
    let token = bearer(request.headers().get(AUTHORIZATION)).or_else(|| query.get("access_token"));
    let state = shared.state();
    let access = token.and_then(|token| state.grants.access(token, state.now()));
    let Some(access) = access else {
        let body = json!({ "error": "invalid_request", "error_description": "Invalid Credentials" });
        return Ok(HttpResponse::Unauthorized().json(body));
    };
    let user = state.user(&access.user)?;
    let has = |name: &str| access.scopes.contains(&scopes::canonical(name));
    let mut info = json!({ "sub": user.sub });
    if has("profile") {
        info["name"] = json!(user.name);
        info["given_name"] = json!(user.name.split(' ').next());
        info["family_name"] = json!(user.name.split_once(' ').map_or("", |(_, family)| family));
        info["picture"] = json!(format!("{}/picture/{}", state.base_url, user.sub));
    }
    if has("email") {
        info["email"] = json!(access.user);
        info["email_verified"] = json!(true);
    }
    Ok(HttpResponse::Ok().json(info))
}

async fn discovery(shared: Data<Shared>) -> HttpResponse {
    let base = &shared.base_url;
    HttpResponse::Ok().json(json!({
        "issuer": "https://accounts.google.com",
        "authorization_endpoint": format!("{base}/o/oauth2/v2/auth"),
        "token_endpoint": format!("{base}/token"),
        "revocation_endpoint": format!("{base}/revoke"),
        "jwks_uri": format!("{base}/oauth2/v3/certs"),
        "userinfo_endpoint": format!("{base}/oauth2/v3/userinfo"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "email", "profile"],
    }))
}
