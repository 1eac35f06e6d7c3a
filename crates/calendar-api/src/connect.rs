//! The OAuth flow in which a user connects a Google account.
//!
//! The `connect` mutation stores a flow (hashed `state`, sealed PKCE verifier, the user, the browser's cookie, the page to
//! return to) and returns the URL of Google's consent page. Google redirects the browser to [`callback`], which takes the flow,
//! once, and continues only in the browser that began it. In every case the browser ends on the application's page, with
//! `?calwire=connected`, `denied` or `error`, and a code in `calwire_reason`; Google's own text is not passed on.

mod return_to;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use google::oauth::Pkce;
use google::{AuthorizationRequest, scopes};
use rand::RngExt;
use rpc::RpcError;
use secrecy::SecretString;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use store::connections::Connected;
use store::oauth_states::{self, OauthState};
use store::seal::Binding;
use subtle::ConstantTimeEq;
use url::Url;

pub use return_to::ReturnTo;

use crate::browser_key::{BrowserKey, FLOW_MAX_SECONDS};
use crate::state::{Caller, State};

/// The path to which Google redirects the browser.
pub const CALLBACK_PATH: &str = "/oauth/google/callback";

/// Longer than our `state` and Google's codes.
const PARAMETER_MAX_LEN: usize = 2048;

/// The callback's URL, as registered with Google.
fn redirect_uri(state: &State) -> String {
    state.browser_url.join(CALLBACK_PATH).into()
}

/// Begins a flow. Returns the URL of Google's consent page.
pub async fn begin(caller: &Caller, return_to: &ReturnTo) -> Result<Url, RpcError> {
    let state = &caller.state;
    let token = random_token();
    let state_sha256: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let pkce = Pkce::generate();
    // A browser that is connecting in another tab keeps its cookie, so that both flows can finish.
    let browser = caller.browser.clone().unwrap_or_else(BrowserKey::generate);
    let origin = caller
        .origin
        .as_ref()
        .or(state.app_origins.first())
        .unwrap_or(&state.browser_url);
    let flow = OauthState {
        user: caller.user.clone(),
        browser_sha256: browser.sha256().into(),
        pkce_verifier: state
            .sync
            .keyring
            .seal(&verifier_of(&[&state_sha256]), &pkce.verifier),
        return_to: return_to.below(origin).into(),
        expires_at: state.now() + TimeDelta::seconds(FLOW_MAX_SECONDS),
    };
    let mut conn = state.sync.pool.acquire().await?;
    oauth_states::insert(&mut conn, &state_sha256, &flow).await?;
    caller
        .outgoing
        .add("set-cookie", browser.set_cookie(&state.browser_url));
    Ok(state.sync.google.authorization_url(&AuthorizationRequest {
        redirect_uri: &redirect_uri(state),
        scopes: &scopes::REQUESTED,
        state: &token,
        code_challenge: &pkce.challenge,
        login_hint: None,
        // Without it Google sends no refresh token if the user has consented before.
        force_consent: true,
    }))
}

/// The result of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FlowResult {
    Connected,
    /// Connected, but the user unticked the calendar.
    ConnectedWithoutCalendar,
    Denied,
    Failed(&'static str),
}

impl FlowResult {
    /// The query parameters `calwire` and `calwire_reason`.
    const fn parameters(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Connected => ("connected", None),
            Self::ConnectedWithoutCalendar => ("connected", Some("scope_missing")),
            Self::Denied => ("denied", None),
            Self::Failed(reason) => ("error", Some(reason)),
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// `GET /oauth/google/callback`
pub async fn callback(
    state: web::Data<State>,
    request: HttpRequest,
    query: Result<web::Query<CallbackQuery>, actix_web::Error>,
) -> HttpResponse {
    let query = query.map_or(
        CallbackQuery {
            state: None,
            code: None,
            error: None,
        },
        web::Query::into_inner,
    );
    let (result, return_to) = match take_flow(&state, &request, query.state.as_deref()).await {
        Ok(flow) => {
            let result = finish(&state, &flow, query)
                .await
                .unwrap_or_else(|failure| failure);
            (result, flow.return_to)
        }
        Err(failure) => {
            let origin = state.app_origins.first().unwrap_or(&state.browser_url);
            (failure, ReturnTo::default().below(origin).into())
        }
    };
    let (status, reason) = result.parameters();
    tracing::info!(
        connect.status = status,
        connect.reason = reason,
        "Connect flow finished"
    );
    match with_outcome(&return_to, status, reason) {
        Some(url) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, String::from(url)))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .finish(),
        None => HttpResponse::InternalServerError().finish(),
    }
}

fn with_outcome(return_to: &str, status: &str, reason: Option<&str>) -> Option<Url> {
    let mut url = Url::parse(return_to).ok()?;
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !matches!(&**name, "calwire" | "calwire_reason"))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let ours = [
        Some(("calwire", status)),
        reason.map(|reason| ("calwire_reason", reason)),
    ];
    url.query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .extend_pairs(ours.into_iter().flatten());
    Some(url)
}

struct Flow {
    user: common::ids::UserId,
    verifier: SecretString,
    return_to: String,
}

/// Takes the flow of `state`, if it has not expired and this is its browser.
async fn take_flow(state: &State, request: &HttpRequest, token: Option<&str>) -> Result<Flow, FlowResult> {
    const INVALID: FlowResult = FlowResult::Failed("invalid_state");
    let token = token
        .filter(|token| token.len() <= PARAMETER_MAX_LEN)
        .ok_or(INVALID)?;
    let state_sha256: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let taken = async {
        let mut conn = state.sync.pool.acquire().await?;
        oauth_states::take(&mut conn, &state_sha256).await
    };
    let flow = taken.await.map_err(|error| unexpected(&error))?.ok_or(INVALID)?;
    if flow.expires_at <= state.now() {
        return Err(FlowResult::Failed("expired_state"));
    }
    let browser = BrowserKey::of(request, &state.browser_url).ok_or(FlowResult::Failed("other_browser"))?;
    if !bool::from(browser.sha256().ct_eq(&flow.browser_sha256)) {
        return Err(FlowResult::Failed("other_browser"));
    }
    let verifier = state
        .sync
        .keyring
        .open(&verifier_of(&[&state_sha256]), &flow.pkce_verifier)
        .map_err(|error| unexpected(&error))?;
    Ok(Flow {
        user: flow.user,
        verifier,
        return_to: flow.return_to,
    })
}

/// Exchanges the code, looks up the account, and stores the connection.
async fn finish(state: &State, flow: &Flow, query: CallbackQuery) -> Result<FlowResult, FlowResult> {
    match query.error.as_deref() {
        None => {}
        Some("access_denied") => return Err(FlowResult::Denied),
        Some(_) => return Err(FlowResult::Failed("refused_by_google")),
    }
    let code = query
        .code
        .filter(|code| !code.is_empty() && code.len() <= PARAMETER_MAX_LEN)
        .ok_or(FlowResult::Failed("code_missing"))?;
    let google = &state.sync.google;
    let grant = google
        .exchange_code(&code, &flow.verifier, &redirect_uri(state))
        .await
        .map_err(|error| of_google(&error))?;
    let account = google
        .userinfo(&grant.access_token)
        .await
        .map_err(|error| of_google(&error))?;
    let connected = sync::connections::connect(&state.sync, &flow.user, &grant, &account)
        .await
        .map_err(|error| unexpected(&error))?;
    match connected {
        Connected::Done { .. } if sync::connections::has_calendar_access(&grant.scopes) => {
            Ok(FlowResult::Connected)
        }
        Connected::Done { .. } => Ok(FlowResult::ConnectedWithoutCalendar),
        Connected::RefreshTokenMissing => Err(FlowResult::Failed("refresh_token_missing")),
    }
}

fn of_google(error: &google::Error) -> FlowResult {
    match error {
        google::Error::GrantRejected => FlowResult::Failed("code_rejected"),
        google::Error::ClientMisconfigured { .. } => {
            tracing::error!(%error, "Google rejected the OAuth client; check GOOGLE_CLIENT_ID and its redirect URIs");
            FlowResult::Failed("misconfigured")
        }
        google::Error::Transient { .. } | google::Error::RateLimited { .. } => {
            tracing::warn!(%error, "Connect flow failed: Google is unavailable");
            FlowResult::Failed("google_unavailable")
        }
        _ => {
            tracing::warn!(%error, "Connect flow failed at Google");
            FlowResult::Failed("refused_by_google")
        }
    }
}

fn unexpected(error: &dyn std::error::Error) -> FlowResult {
    tracing::error!(%error, "Connect flow failed");
    FlowResult::Failed("internal")
}

/// The column that a sealed verifier is bound to.
const fn verifier_of<'a>(row: &'a [&'a [u8]]) -> Binding<'a> {
    Binding {
        table: "oauth_states",
        column: "pkce_verifier",
        row,
    }
}

fn random_token() -> String {
    let random: [u8; 32] = rand::rng().random();
    URL_SAFE_NO_PAD.encode(random)
}
