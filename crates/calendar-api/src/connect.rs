//! The OAuth flow in which a user connects a Google account.
//!
//! The `connect` mutation stores a flow (hashed `state`, sealed PKCE verifier, the user, the browser's cookie, the page to
//! return to) and returns the URL of Google's consent page. Google redirects the browser to [`callback`], which takes the flow,
//! once, and continues only in the browser that began it. A repeated callback of the same browser (reload, back) ends as the
//! first one did, and a prefetch changes nothing. In every case the browser ends on the application's page, with
//! `?calwire=connected`, `denied` or `error`, and codes in `calwire_reason`; Google's own text is not passed on.

mod return_to;

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use common::ids::ConnectionId;
use google::oauth::Pkce;
use google::{AuthorizationRequest, ListCursor, scopes};
use rand::RngExt;
use rpc::RpcError;
use secrecy::SecretString;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use store::connections::Connected;
use store::oauth_states::{self, FlowState, OauthState};
use store::seal::Binding;
use sync::calls::{self, CallError, Purpose};
use url::Url;

pub use return_to::ReturnTo;

use crate::browser_key::{BrowserKey, FLOW_MAX_SECONDS};
use crate::ownership::no_connection;
use crate::state::{Caller, State};

/// The path to which Google redirects the browser.
pub const CALLBACK_PATH: &str = "/oauth/google/callback";

/// Longer than Google's codes.
const PARAMETER_MAX_LEN: usize = 2048;

/// How long the browser waits for Google's answer whether the account has a calendar.
const CALENDAR_CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// The callback's URL, as registered with Google.
fn redirect_uri(state: &State) -> String {
    state.browser_url.join(CALLBACK_PATH).into()
}

/// Begins a flow. Returns the URL of Google's consent page.
///
/// `again`: the connection to connect again. Its account is preselected on Google's page.
pub async fn begin(
    caller: &Caller,
    return_to: &ReturnTo,
    again: Option<ConnectionId>,
) -> Result<Url, RpcError> {
    let state = &caller.state;
    let mut conn = state.sync.pool.acquire().await?;
    let account = match again {
        None => None,
        Some(id) => {
            let connections = store::connections::of_user(&mut conn, &caller.user).await?;
            let found = connections.into_iter().find(|connection| connection.id == id);
            Some(found.ok_or_else(|| no_connection(id))?)
        }
    };
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
        google_sub: account.as_ref().map(|account| account.google_sub.clone()),
        expires_at: state.now() + TimeDelta::seconds(FLOW_MAX_SECONDS),
    };
    oauth_states::insert(&mut conn, &state_sha256, &flow).await?;
    caller
        .outgoing
        .add("set-cookie", browser.set_cookie(&state.browser_url));
    Ok(state.sync.google.authorization_url(&AuthorizationRequest {
        redirect_uri: &redirect_uri(state),
        scopes: &scopes::REQUESTED,
        state: &token,
        code_challenge: &pkce.challenge,
        login_hint: account.as_ref().map(|account| account.email.as_str()),
        // Without it Google sends no refresh token if the user has consented before.
        force_consent: true,
    }))
}

/// The result of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FlowResult {
    Connected(Caveats),
    Denied,
    Failed(&'static str),
}

/// Problems of a new connection that the user should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Caveats {
    /// None: the calendar can be read.
    no_calendar: Option<NoCalendar>,
    /// The user chose another account than the one to connect again.
    is_other_account: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoCalendar {
    /// The user unticked it on Google's page.
    ScopeMissing,
    /// Google Calendar is turned off for the account.
    Off,
}

impl Caveats {
    fn reasons(self) -> impl Iterator<Item = &'static str> {
        let no_calendar = self.no_calendar.map(|no_calendar| match no_calendar {
            NoCalendar::ScopeMissing => "scope_missing",
            NoCalendar::Off => "calendar_off",
        });
        let other_account = self.is_other_account.then_some("other_account");
        no_calendar.into_iter().chain(other_account)
    }
}

impl FlowResult {
    /// As stored with the flow, separated by spaces: the parameter `calwire`, then those named `calwire_reason`.
    fn outcome(self) -> String {
        match self {
            Self::Connected(caveats) => {
                let words: Vec<_> = std::iter::once("connected").chain(caveats.reasons()).collect();
                words.join(" ")
            }
            Self::Denied => "denied".to_owned(),
            Self::Failed(reason) => format!("error {reason}"),
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
    if is_prefetch(&request) {
        return HttpResponse::ServiceUnavailable()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish();
    }
    let origin = state.app_origins.first().unwrap_or(&state.browser_url);
    let fallback: String = ReturnTo::default().below(origin).into();
    let (outcome, return_to) = match take_flow(&state, &request, query.state.as_deref()).await {
        Ok(TakenFlow::First(flow)) => {
            let return_to = flow.return_to.clone();
            // Spawned, so that it finishes even if the browser goes away: its next callback gets the outcome.
            let finished = tokio::spawn(async move {
                let result = finish(&state, &flow, query).await;
                let outcome = result.unwrap_or_else(|failure| failure).outcome();
                store_outcome(&state, &flow, &outcome).await;
                tracing::info!(connect.outcome = outcome, "Connect flow finished");
                outcome
            });
            let outcome = finished
                .await
                .unwrap_or_else(|error| unexpected(&error).outcome());
            (outcome, return_to)
        }
        Ok(TakenFlow::Repeated { return_to, outcome }) => (outcome, return_to),
        Ok(TakenFlow::OverBudget) => {
            return HttpResponse::TooManyRequests()
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .insert_header((header::RETRY_AFTER, "1"))
                .finish();
        }
        Err(failure) => (failure.outcome(), fallback),
    };
    match with_outcome(&return_to, &outcome) {
        Some(url) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, String::from(url)))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .finish(),
        None => HttpResponse::InternalServerError().finish(),
    }
}

fn with_outcome(return_to: &str, outcome: &str) -> Option<Url> {
    let mut url = Url::parse(return_to).ok()?;
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !matches!(&**name, "calwire" | "calwire_reason"))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let names = std::iter::once("calwire").chain(std::iter::repeat("calwire_reason"));
    url.query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .extend_pairs(names.zip(outcome.split(' ')));
    Some(url)
}

/// Whether a browser or an extension only fetches ahead: <https://wicg.github.io/nav-speculation/prefetch.html>. It gets an
/// error, which is not used, and the flow stays as it is.
fn is_prefetch(request: &HttpRequest) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .into_iter()
        .flat_map(|name| request.headers().get_all(name))
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("prefetch") || value.contains("preview"))
}

struct Flow {
    state_sha256: [u8; 32],
    user: common::ids::UserId,
    verifier: SecretString,
    google_sub: Option<String>,
    return_to: String,
}

enum TakenFlow {
    First(Flow),
    /// The same browser has been here before.
    Repeated {
        return_to: String,
        outcome: String,
    },
    /// The source sends too many callbacks. The flow stays as it is.
    OverBudget,
}

/// How long a repeated callback waits for the first one to finish.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const FIRST_CHECK_EVERY: Duration = Duration::from_millis(200);

/// Takes the flow of `state`, if it has not expired and this is its browser.
async fn take_flow(
    state: &State,
    request: &HttpRequest,
    token: Option<&str>,
) -> Result<TakenFlow, FlowResult> {
    const INVALID: FlowResult = FlowResult::Failed("invalid_state");
    // Anyone can send a callback. The database is not asked for a state that cannot be ours, nor for a browser that has begun
    // no flow.
    let token = token.filter(|token| is_token(token)).ok_or(INVALID)?;
    let state_sha256: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let browser_sha256 = BrowserKey::of(request, &state.browser_url)
        .map(|browser| browser.sha256())
        .ok_or(FlowResult::Failed("other_browser"))?;
    if !state.callbacks.admit(request) {
        return Ok(TakenFlow::OverBudget);
    }
    let taken = async || {
        let mut conn = state.sync.pool.acquire().await?;
        oauth_states::take(&mut conn, state.now(), &state_sha256, &browser_sha256).await
    };
    let started = tokio::time::Instant::now();
    let flow = loop {
        match taken()
            .await
            .map_err(|error| unexpected(&error))?
            .ok_or(INVALID)?
        {
            FlowState::Taken(flow) => break flow,
            FlowState::OtherBrowser => return Err(FlowResult::Failed("other_browser")),
            FlowState::Used {
                return_to,
                outcome: Some(outcome),
            } => return Ok(TakenFlow::Repeated { return_to, outcome }),
            // The process of the first may have died.
            FlowState::Used { .. } if started.elapsed() > FIRST_WAIT => return Err(INVALID),
            FlowState::Used { .. } => tokio::time::sleep(FIRST_CHECK_EVERY).await,
        }
    };
    if flow.expires_at <= state.now() {
        return Err(FlowResult::Failed("expired_state"));
    }
    let verifier = state
        .sync
        .keyring
        .open(&verifier_of(&[&state_sha256]), &flow.pkce_verifier)
        .map_err(|error| unexpected(&error))?;
    Ok(TakenFlow::First(Flow {
        state_sha256,
        user: flow.user,
        verifier,
        google_sub: flow.google_sub,
        return_to: flow.return_to,
    }))
}

/// Without it a repeated callback is answered `invalid_state`, so a failure does no more harm than that.
async fn store_outcome(state: &State, flow: &Flow, outcome: &str) {
    let stored = async {
        let mut conn = state.sync.pool.acquire().await?;
        oauth_states::finish(&mut conn, &flow.state_sha256, outcome).await
    };
    if let Err(error) = stored.await {
        tracing::warn!(%error, "Could not store the outcome of a connect flow");
    }
}

/// Exchanges the code, looks up the account, and stores the connection.
async fn finish(state: &State, flow: &Flow, query: CallbackQuery) -> Result<FlowResult, FlowResult> {
    match query.error.as_deref() {
        None => {}
        Some("access_denied") => return Err(FlowResult::Denied),
        Some(word) => return Err(refused(word)),
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
    let Connected::Done { id, .. } = connected else {
        return Err(FlowResult::Failed("refresh_token_missing"));
    };
    let no_calendar = if !sync::connections::has_calendar_access(&grant.scopes) {
        Some(NoCalendar::ScopeMissing)
    } else if calendar_is_off(state, id).await {
        Some(NoCalendar::Off)
    } else {
        None
    };
    let is_other_account = (flow.google_sub.as_ref()).is_some_and(|expected| *expected != account.sub);
    Ok(FlowResult::Connected(Caveats {
        no_calendar,
        is_other_account,
    }))
}

/// Whether the account has no calendar, by Google's answer. Without a timely answer, the first pull finds out.
async fn calendar_is_off(state: &State, connection: ConnectionId) -> bool {
    let listing = calls::call(&state.sync, connection, Purpose::Sync, |access| async move {
        state
            .sync
            .google
            .calendar_list(&access, &ListCursor::default())
            .await
    });
    let answer = tokio::time::timeout(CALENDAR_CHECK_TIMEOUT, listing).await;
    matches!(answer, Ok(Err(CallError::Google(google::Error::CalendarOff))))
}

/// Policies of the account's organization that refuse this application, in Google's words, as in a connection's `reason`:
/// <https://developers.google.com/identity/protocols/oauth2/web-server#authorization-errors>.
const POLICIES: [&str; 3] = ["admin_policy_enforced", "access_denied", "policy_enforced"];

/// A refusal by its word, which may come from anywhere: only known ones are passed on.
fn refused(word: &str) -> FlowResult {
    let policy = POLICIES.into_iter().find(|policy| *policy == word);
    FlowResult::Failed(policy.unwrap_or("refused_by_google"))
}

fn of_google(error: &google::Error) -> FlowResult {
    match error {
        google::Error::GrantRefused { reason } => {
            tracing::warn!(%error, "Connect flow failed: a policy of the account's organization refuses it");
            refused(reason)
        }
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

/// Whether a text has the form of [`random_token`].
fn is_token(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}
