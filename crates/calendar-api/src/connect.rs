//! A user connects a Google account.
//!
//! The `connect` mutation remembers a flow (hashed `state`, sealed PKCE verifier, the user, the browser's cookie, where to
//! return) and answers Google's address. Google sends the browser to [`callback`], which takes the flow out, good for one
//! look-up, and goes on only in the browser that began it. Whatever happens, the browser ends on the application's page,
//! with `?calwire=connected`, `denied` or `error`, and a word of ours in `calwire_reason`; Google's own text is not passed
//! on.

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

/// Where Google sends the browser back to, below the origin.
pub const CALLBACK_PATH: &str = "/oauth/google/callback";

/// Longer than any `state` of ours or code of Google's.
const PARAMETER_MAX_LEN: usize = 2048;

/// The callback's URL, as registered with Google.
fn redirect_uri(state: &State) -> String {
    state.browser_url.join(CALLBACK_PATH).into()
}

/// Begins a flow; the answer is the address of Google's consent page.
pub async fn begin(caller: &Caller, return_to: &ReturnTo) -> Result<Url, RpcError> {
    let state = &caller.state;
    let token = random_token();
    let state_sha256: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let pkce = Pkce::generate();
    // A browser that is connecting in another tab keeps its cookie, so that both flows can end.
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
        // Without it Google sends no refresh token to whoever consented before.
        force_consent: true,
    }))
}

/// How a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Connected,
    /// Connected, and the user unticked the calendar.
    ConnectedWithoutCalendar,
    Denied,
    Failed(&'static str),
}

impl End {
    const fn words(self) -> (&'static str, Option<&'static str>) {
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
    let (end, return_to) = match take_flow(&state, &request, query.state.as_deref()).await {
        Ok(flow) => {
            let end = finish(&state, &flow, query).await.unwrap_or_else(|end| end);
            (end, flow.return_to)
        }
        Err(end) => {
            let origin = state.app_origins.first().unwrap_or(&state.browser_url);
            (end, ReturnTo::default().below(origin).into())
        }
    };
    let (status, reason) = end.words();
    tracing::info!(
        connect.status = status,
        connect.reason = reason,
        "A connect flow ended"
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

/// The flow of `state`, if it is still good and this is its browser.
async fn take_flow(state: &State, request: &HttpRequest, token: Option<&str>) -> Result<Flow, End> {
    const INVALID: End = End::Failed("invalid_state");
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
        return Err(End::Failed("expired_state"));
    }
    let browser = BrowserKey::of(request, &state.browser_url).ok_or(End::Failed("other_browser"))?;
    if !bool::from(browser.sha256().ct_eq(&flow.browser_sha256)) {
        return Err(End::Failed("other_browser"));
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

/// Exchanges the code, asks whose account it is, and stores the connection.
async fn finish(state: &State, flow: &Flow, query: CallbackQuery) -> Result<End, End> {
    match query.error.as_deref() {
        None => {}
        Some("access_denied") => return Err(End::Denied),
        Some(_) => return Err(End::Failed("refused_by_google")),
    }
    let code = query
        .code
        .filter(|code| !code.is_empty() && code.len() <= PARAMETER_MAX_LEN)
        .ok_or(End::Failed("code_missing"))?;
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
        Connected::Done { .. } if sync::connections::has_calendar_access(&grant.scopes) => Ok(End::Connected),
        Connected::Done { .. } => Ok(End::ConnectedWithoutCalendar),
        Connected::RefreshTokenMissing => Err(End::Failed("refresh_token_missing")),
    }
}

fn of_google(error: &google::Error) -> End {
    match error {
        google::Error::GrantRejected => End::Failed("code_rejected"),
        google::Error::ClientMisconfigured { .. } => {
            tracing::error!(%error, "Google does not accept our OAuth client; see GOOGLE_CLIENT_ID and its redirect URIs");
            End::Failed("misconfigured")
        }
        google::Error::Transient { .. } | google::Error::RateLimited { .. } => {
            tracing::warn!(%error, "A connect flow could not end: Google could not be asked");
            End::Failed("google_unavailable")
        }
        _ => {
            tracing::warn!(%error, "A connect flow could not end");
            End::Failed("refused_by_google")
        }
    }
}

fn unexpected(error: &dyn std::error::Error) -> End {
    tracing::error!(%error, "A connect flow failed");
    End::Failed("internal")
}

/// Where a sealed verifier lives.
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
