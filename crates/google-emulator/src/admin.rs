//! The admin API under `/_emulator/`: JSON in, JSON out, no authentication. Errors are
//! `{"error": {"message"}}` with 400 or 404.
//!
//! | method and path | does |
//! |---|---|
//! | `GET /_emulator/users` | accounts with their calendars: `[{email, name, sub, granted, calendars}]` |
//! | `POST /_emulator/users` `{email, name?, calendars?}` | adds an account, as in a seed file |
//! | `POST /_emulator/tokens` `{user, scopes}` | a ready grant: `{access_token, refresh_token, expires_in, scope, token_type}`; `scopes` is a list or one string; with `refresh: false` an access token alone, which leaves consents and refresh tokens as they are |
//! | `POST /_emulator/authorize` `{url, user, scopes?, deny?}` | decides on the consent page of that authorisation URL: `{location}` is where the browser would be sent |
//! | `POST /_emulator/revoke` `{user}` | the user withdraws the grant: every token of the account is dead |
//! | `POST /_emulator/expire-access-tokens` `{user?}` | access tokens are over, refresh tokens live on |
//! | `POST /_emulator/expire-sync-tokens` `{calendar?}` | sync tokens given so far answer 410; without a calendar all, those of calendar lists too |
//! | `GET /_emulator/state?calendar=&syncToken=` | the truth: `{revision, now, calendar, events}` now, or as a client with that sync token must have it; without a calendar only `{revision, now}` |
//! | `POST /_emulator/seed` (a seed file's JSON) | adds accounts, calendars and events |
//! | `POST /_emulator/calendars` `{user, …calendar of a seed file}` | puts a calendar into a user's list |
//! | `PATCH /_emulator/calendars` `{user, id, pushSupported?, …}` | changes a list entry (`accessRole`, `selected`, …); another role ends the calendar's sync tokens |
//! | `DELETE /_emulator/calendars?user=&id=` | takes a calendar out of a user's list |
//! | `GET`, `POST`, `DELETE /_emulator/faults` | lists faults; adds one or a list of [`Rule`]s (one with a known `id` replaces that); removes all, or one at `/_emulator/faults/{id}` |
//! | `GET`, `PATCH /_emulator/settings` | [`Settings`] |
//! | `GET`, `POST /_emulator/clock` [`Move`] | `{now}` |
//! | `GET`, `DELETE /_emulator/requests?endpoint=&user=&limit=` | what was received, oldest first; `DELETE` forgets it |
//! | `GET`, `DELETE /_emulator/pushes?channel=&calendar=&user=&limit=` | each try to deliver a push, with its answer |
//! | `GET`, `DELETE /_emulator/mails?user=&calendar=&limit=` | mails to guests and organizers that writes with `sendUpdates` led to: `[{at, to, kind, calendar, event}]`, `kind` is `invitation`, `update`, `cancellation` or `response`; `user` is who gets it |
//! | `GET /_emulator/channels` | live push channels, without their tokens |
//! | `POST /_emulator/reset` | everything as at the start |

use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, ResponseError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Shared;
use crate::clock::Move;
use crate::error::ApiError;
use crate::faults::Rule;
use crate::oauth::Decision;
use crate::paging::SyncToken;
use crate::scopes;
use crate::seed::{Seed, SeedCalendar};
use crate::settings::Settings;
use crate::store::{Resource, merge};

pub fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/_emulator")
            .route("/users", web::get().to(users))
            .route("/users", web::post().to(add_user))
            .route("/tokens", web::post().to(tokens))
            .route("/authorize", web::post().to(authorize))
            .route("/revoke", web::post().to(revoke))
            .route("/expire-access-tokens", web::post().to(expire_access_tokens))
            .route("/expire-sync-tokens", web::post().to(expire_sync_tokens))
            .route("/state", web::get().to(state))
            .route("/seed", web::post().to(seed))
            .route("/calendars", web::post().to(add_calendar))
            .route("/calendars", web::patch().to(patch_calendar))
            .route("/calendars", web::delete().to(remove_calendar))
            .route("/faults", web::get().to(faults))
            .route("/faults", web::post().to(add_faults))
            .route("/faults", web::delete().to(clear_faults))
            .route("/faults/{id}", web::delete().to(remove_fault))
            .route("/settings", web::get().to(settings))
            .route("/settings", web::patch().to(patch_settings))
            .route("/clock", web::get().to(clock))
            .route("/clock", web::post().to(move_clock))
            .route("/requests", web::get().to(requests))
            .route("/requests", web::delete().to(clear_requests))
            .route("/pushes", web::get().to(pushes))
            .route("/pushes", web::delete().to(clear_pushes))
            .route("/mails", web::get().to(mails))
            .route("/mails", web::delete().to(clear_mails))
            .route("/channels", web::get().to(channels))
            .route("/reset", web::post().to(reset)),
    );
}

/// The fault of an admin request, in one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct AdminError {
    status: u16,
    message: String,
}

type Answer = Result<HttpResponse, AdminError>;

impl AdminError {
    fn bad(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
        }
    }
}

impl From<ApiError> for AdminError {
    fn from(error: ApiError) -> Self {
        Self {
            status: error.status,
            message: error.message,
        }
    }
}

impl ResponseError for AdminError {
    fn error_response(&self) -> HttpResponse {
        let status = actix_web::http::StatusCode::from_u16(self.status).unwrap_or_default();
        HttpResponse::build(status).json(json!({ "error": { "code": self.status, "message": self.message } }))
    }
}

/// Reads a body; an error names the wrong place.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, AdminError> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    let mut json = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| AdminError::bad(format!("{}: {}", error.path(), error.inner())))
}

#[expect(clippy::unnecessary_wraps, reason = "the last line of every handler")]
fn ok(answer: impl serde::Serialize) -> Answer {
    Ok(HttpResponse::Ok().json(answer))
}

fn no_account(user: &str) -> AdminError {
    AdminError {
        status: 404,
        message: format!("there is no account {user}"),
    }
}

async fn users(shared: Data<Shared>) -> Answer {
    let state = shared.state();
    let list = state.users.iter().map(|(email, user)| {
        let calendars: Vec<_> = user
            .calendar_list
            .snapshot(state.revision())
            .filter(|(_, entry)| !entry.body.contains_key("deleted"))
            .map(|(_, entry)| Resource::clone(&entry.body))
            .collect();
        let granted = state.grants.consented(email).map(scopes::join);
        json!({ "email": email, "name": user.name, "sub": user.sub, "granted": granted, "calendars": calendars })
    });
    ok(list.collect::<Vec<_>>())
}

async fn add_user(shared: Data<Shared>, body: Bytes) -> Answer {
    let user = read(&body)?;
    shared.state().load(&Seed { users: vec![user] })?;
    ok(json!({}))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensRequest {
    user: String,
    scopes: Words,
    /// `false` gives an access token alone.
    #[serde(default = "yes")]
    refresh: bool,
}

fn yes() -> bool {
    true
}

async fn tokens(shared: Data<Shared>, body: Bytes) -> Answer {
    let request: TokensRequest = read(&body)?;
    let scope = match request.scopes {
        Words::One(scope) => scope,
        Words::Many(scopes) => scopes.join(" "),
    };
    let unknown = |_| no_account(&request.user);
    let mut answer = if request.refresh {
        json!(shared.mint(&request.user, &scope).map_err(unknown)?)
    } else {
        shared.mint_access(&request.user, &scope).map_err(unknown)?
    };
    answer["token_type"] = json!("Bearer");
    ok(answer)
}

#[derive(Deserialize)]
struct AuthorizeRequest {
    url: String,
    #[serde(flatten)]
    decision: Decision,
}

async fn authorize(shared: Data<Shared>, body: Bytes) -> Answer {
    let request: AuthorizeRequest = read(&body)?;
    let location = shared.authorize(&request.url, &request.decision);
    ok(json!({ "location": location.map_err(|denied| AdminError::bad(denied.to_string()))? }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserRequest {
    user: Option<String>,
}

async fn revoke(shared: Data<Shared>, body: Bytes) -> Answer {
    let request: UserRequest = read(&body)?;
    let user = request.user.ok_or_else(|| AdminError::bad("user is missing"))?;
    let mut state = shared.state();
    state.user(&user).map_err(|_| no_account(&user))?;
    state.grants.revoke(&user);
    ok(json!({}))
}

async fn expire_access_tokens(shared: Data<Shared>, body: Bytes) -> Answer {
    let request: UserRequest = read(&body)?;
    shared.state().grants.expire_access(request.user.as_deref());
    ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarRequest {
    calendar: Option<String>,
}

async fn expire_sync_tokens(shared: Data<Shared>, body: Bytes) -> Answer {
    let request: CalendarRequest = read(&body)?;
    shared.state().expire_sync_tokens(request.calendar.as_deref());
    ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StateQuery {
    calendar: Option<String>,
    sync_token: Option<String>,
}

async fn state(shared: Data<Shared>, query: Query<StateQuery>) -> Answer {
    let state = shared.state();
    let Some(calendar) = &query.calendar else {
        return ok(json!({ "revision": state.revision(), "now": state.now() }));
    };
    if !state.calendars.contains_key(calendar) {
        return Err(AdminError {
            status: 404,
            message: format!("there is no calendar {calendar}"),
        });
    }
    let revision = match &query.sync_token {
        Some(token) => {
            SyncToken::decode(token)
                .ok_or_else(|| AdminError::bad("syncToken is not one of this emulator"))?
                .revision
        }
        None => state.revision(),
    };
    let events = state.truth(calendar, revision);
    ok(json!({ "revision": revision, "now": state.now(), "calendar": calendar, "events": events }))
}

async fn seed(shared: Data<Shared>, body: Bytes) -> Answer {
    let text = String::from_utf8_lossy(&body);
    let seed = Seed::from_json("seed", &text).map_err(|error| AdminError::bad(error.to_string()))?;
    shared.state().load(&seed)?;
    ok(json!({}))
}

#[derive(Deserialize)]
struct AddCalendar {
    user: String,
    #[serde(flatten)]
    calendar: Value,
}

async fn add_calendar(shared: Data<Shared>, body: Bytes) -> Answer {
    let request: AddCalendar = read(&body)?;
    let calendar: SeedCalendar =
        serde_json::from_value(request.calendar).map_err(|error| AdminError::bad(error.to_string()))?;
    shared.state().add_calendar(&request.user, &calendar)?;
    ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatchCalendar {
    user: String,
    id: String,
    push_supported: Option<bool>,
    #[serde(flatten)]
    patch: Resource,
}

async fn patch_calendar(shared: Data<Shared>, body: Bytes) -> Answer {
    let request: PatchCalendar = read(&body)?;
    let mut state = shared.state();
    if let Some(supported) = request.push_supported
        && let Some(calendar) = state.calendars.get_mut(&request.id)
    {
        calendar.push_supported = supported;
    }
    if request.patch.is_empty() {
        return ok(json!({}));
    }
    ok(state.patch_entry(&request.user, &request.id, &request.patch)?)
}

#[derive(Deserialize)]
struct CalendarQuery {
    user: String,
    id: String,
}

async fn remove_calendar(shared: Data<Shared>, query: Query<CalendarQuery>) -> Answer {
    shared.state().remove_entry(&query.user, &query.id)?;
    ok(json!({}))
}

async fn faults(shared: Data<Shared>) -> Answer {
    ok(shared.state().faults.rules())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Rule>),
    One(Box<Rule>),
}

async fn add_faults(shared: Data<Shared>, body: Bytes) -> Answer {
    let rules = match serde_json::from_slice(&body) {
        Ok(OneOrMany::Many(rules)) => rules,
        Ok(OneOrMany::One(rule)) => vec![*rule],
        // The plain form says better what is wrong.
        Err(_) => vec![read(&body)?],
    };
    let mut state = shared.state();
    ok(rules
        .into_iter()
        .map(|rule| state.faults.add(rule))
        .collect::<Vec<_>>())
}

async fn clear_faults(shared: Data<Shared>) -> Answer {
    shared.state().faults.clear();
    ok(json!({}))
}

async fn remove_fault(shared: Data<Shared>, id: Path<String>) -> Answer {
    if shared.state().faults.remove(&id) {
        ok(json!({}))
    } else {
        Err(AdminError {
            status: 404,
            message: format!("there is no fault {id}"),
        })
    }
}

async fn settings(shared: Data<Shared>) -> Answer {
    ok(&shared.state().settings)
}

async fn patch_settings(shared: Data<Shared>, body: Bytes) -> Answer {
    let patch: Resource = read(&body)?;
    let mut state = shared.state();
    let Value::Object(mut all) = json!(state.settings) else {
        return Err(AdminError::bad("settings are an object"));
    };
    merge(&mut all, &patch);
    let settings: Settings =
        serde_json::from_value(Value::Object(all)).map_err(|error| AdminError::bad(error.to_string()))?;
    state.settings = settings;
    ok(&state.settings)
}

async fn clock(shared: Data<Shared>) -> Answer {
    ok(json!({ "now": shared.state().now() }))
}

async fn move_clock(shared: Data<Shared>, body: Bytes) -> Answer {
    let step: Move = read(&body)?;
    let mut state = shared.state();
    state.clock.apply(step);
    ok(json!({ "now": state.now() }))
}

#[derive(Deserialize)]
struct LogQuery {
    endpoint: Option<String>,
    user: Option<String>,
    channel: Option<String>,
    calendar: Option<String>,
    /// At most this many, the newest.
    limit: Option<usize>,
}

/// The newest entries, oldest first.
fn newest<T>(mut chosen: Vec<T>, limit: Option<usize>) -> Vec<T> {
    let extra = limit.map_or(0, |limit| chosen.len().saturating_sub(limit));
    chosen.split_off(extra)
}

fn is(wanted: Option<&String>, value: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| value == Some(wanted))
}

async fn requests(shared: Data<Shared>, query: Query<LogQuery>) -> Answer {
    let state = shared.state();
    let chosen = state.log.requests.iter().filter(|request| {
        is(query.endpoint.as_ref(), Some(&request.endpoint))
            && is(query.user.as_ref(), request.user.as_deref())
    });
    ok(newest(chosen.collect(), query.limit))
}

async fn clear_requests(shared: Data<Shared>) -> Answer {
    shared.state().log.requests.clear();
    ok(json!({}))
}

async fn pushes(shared: Data<Shared>, query: Query<LogQuery>) -> Answer {
    let state = shared.state();
    let chosen = state.log.pushes.iter().filter(|push| {
        is(query.channel.as_ref(), Some(&push.channel_id))
            && is(query.user.as_ref(), Some(&push.user))
            && is(query.calendar.as_ref(), push.calendar.as_deref())
    });
    ok(newest(chosen.collect(), query.limit))
}

async fn clear_pushes(shared: Data<Shared>) -> Answer {
    shared.state().log.pushes.clear();
    ok(json!({}))
}

async fn mails(shared: Data<Shared>, query: Query<LogQuery>) -> Answer {
    let state = shared.state();
    let chosen = state.log.mails.iter().filter(|mail| {
        is(query.user.as_ref(), Some(&mail.to)) && is(query.calendar.as_ref(), Some(&mail.calendar))
    });
    ok(newest(chosen.collect(), query.limit))
}

async fn clear_mails(shared: Data<Shared>) -> Answer {
    shared.state().log.mails.clear();
    ok(json!({}))
}

async fn channels(shared: Data<Shared>) -> Answer {
    ok(shared.state().live_channels())
}

async fn reset(shared: Data<Shared>) -> Answer {
    shared.reset()?;
    ok(json!({}))
}
