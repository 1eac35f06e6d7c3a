//! `/o/oauth2/v2/auth`: choose an account, tick what the application may do, allow or cancel.

use actix_web::http::header::{ContentType, LOCATION};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::grants::Code;
use crate::params::Params;
use crate::scopes::{self, Scopes};
use crate::state::State;
use crate::{Client, Shared};

const PAGE: &str = include_str!("consent.html");
const ERROR_PAGE: &str = include_str!("error.html");

/// A person's decision on the consent page; also `POST /_emulator/authorize`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decision {
    /// The account that is chosen.
    pub user: String,
    /// The scopes that stay ticked; all requested ones when absent. Sign-in scopes cannot be unticked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Cancel instead.
    #[serde(default)]
    pub deny: bool,
}

/// A request that gets an error page and no redirect, since the address to redirect to cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Denied {
    pub code: &'static str,
    pub message: String,
}

/// A checked authorisation request.
struct Ask {
    redirect_uri: String,
    scopes: Scopes,
    state: Option<String>,
    challenge: Option<String>,
    nonce: Option<String>,
    offline: bool,
    prompt: Vec<String>,
    login_hint: Option<String>,
    include_granted: bool,
}

/// Either a checked request, or where to send the browser with an error.
enum Checked {
    Ask(Ask),
    Redirect(String),
}

fn check(params: &Params, client: &Client) -> Result<Checked, Denied> {
    let denied = |code, message: &str| {
        Err(Denied {
            code,
            message: message.to_owned(),
        })
    };
    if params.get("client_id") != Some(&client.id) {
        return denied("invalid_client", "The OAuth client was not found.");
    }
    let redirect_uri = params.get("redirect_uri").unwrap_or_default();
    if !client.allows(redirect_uri) {
        let message = format!(
            "You can't sign in to this app because it doesn't comply with Google's OAuth 2.0 policy. Register the redirect URI: {redirect_uri}"
        );
        return denied("redirect_uri_mismatch", &message);
    }
    let state = params.get("state").map(ToOwned::to_owned);
    let back = |error: &str| {
        Ok(Checked::Redirect(redirect(
            redirect_uri,
            state.as_deref(),
            &[("error", error)],
        )))
    };
    if params.get("response_type") != Some("code") {
        return denied(
            "unsupported_response_type",
            "Only response_type=code is supported.",
        );
    }
    let scopes = scopes::parse(params.get("scope").unwrap_or_default());
    if scopes.is_empty() {
        return denied("invalid_request", "Missing required parameter: scope");
    }
    if let Some(unknown) = scopes.iter().find(|scope| !scopes::is_known(scope)) {
        return denied(
            "invalid_scope",
            &format!("Some requested scopes were invalid: {unknown}"),
        );
    }
    let challenge = params.get("code_challenge").map(ToOwned::to_owned);
    if challenge.is_some() && params.get("code_challenge_method") != Some("S256") {
        return back("invalid_request");
    }
    Ok(Checked::Ask(Ask {
        redirect_uri: redirect_uri.to_owned(),
        scopes,
        state: state.clone(),
        challenge,
        nonce: params.get("nonce").map(ToOwned::to_owned),
        offline: params.get("access_type") == Some("offline"),
        prompt: params
            .get("prompt")
            .unwrap_or_default()
            .split_whitespace()
            .map(ToOwned::to_owned)
            .collect(),
        login_hint: params.get("login_hint").map(ToOwned::to_owned),
        include_granted: params.get("include_granted_scopes") == Some("true"),
    }))
}

/// The address a browser is sent back to after a decision.
pub fn decide(
    state: &mut State,
    client: &Client,
    query: &str,
    decision: &Decision,
) -> Result<String, Denied> {
    let ask = match check(&Params::parse(query), client)? {
        Checked::Ask(ask) => ask,
        Checked::Redirect(location) => return Ok(location),
    };
    if state.user(&decision.user).is_err() {
        let message = format!("There is no account {}.", decision.user);
        return Err(Denied {
            code: "unknown_account",
            message,
        });
    }
    if decision.deny {
        return Ok(redirect(
            &ask.redirect_uri,
            ask.state.as_deref(),
            &[("error", "access_denied")],
        ));
    }
    let ticked = |scope: &str| {
        let kept = |kept: &Vec<String>| kept.iter().any(|each| scopes::canonical(each) == scope);
        scopes::is_sign_in(scope) || decision.scopes.as_ref().is_none_or(kept)
    };
    let granted: Scopes = ask.scopes.iter().filter(|scope| ticked(scope)).cloned().collect();
    if granted.is_empty() {
        return Ok(redirect(
            &ask.redirect_uri,
            ask.state.as_deref(),
            &[("error", "access_denied")],
        ));
    }
    Ok(approve(state, &ask, &decision.user, granted))
}

fn approve(state: &mut State, ask: &Ask, user: &str, mut granted: Scopes) -> String {
    if ask.include_granted {
        granted.extend(state.grants.consented(user).cloned().unwrap_or_default());
    }
    let code = Code {
        user: user.to_owned(),
        scopes: granted.clone(),
        redirect_uri: ask.redirect_uri.clone(),
        challenge: ask.challenge.clone(),
        nonce: ask.nonce.clone(),
        refreshable: false,
        created: state.now(),
    };
    let again = ask.prompt.iter().any(|prompt| prompt == "consent");
    let code = state.grants.approve(code, ask.offline, again);
    let scope = scopes::join(&granted);
    let fields = [
        ("code", code.as_str()),
        ("scope", &scope),
        ("authuser", "0"),
        ("prompt", "consent"),
    ];
    redirect(&ask.redirect_uri, ask.state.as_deref(), &fields)
}

fn redirect(uri: &str, state: Option<&str>, fields: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse(uri) else {
        return uri.to_owned();
    };
    {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(state.map(|state| ("state", state)));
        query.extend_pairs(fields);
    }
    url.into()
}

/// `GET`: the page, or a redirect to the application when there is nothing to consent to.
pub(super) async fn show(request: HttpRequest, shared: Data<Shared>) -> HttpResponse {
    let query = request.query_string();
    let ask = match check(&Params::parse(query), &shared.client) {
        Ok(Checked::Ask(ask)) => ask,
        Ok(Checked::Redirect(location)) => return found(&location),
        Err(denied) => return error_page(&denied),
    };
    let mut state = shared.state();
    let hinted = ask
        .login_hint
        .clone()
        .filter(|hint| state.users.contains_key(hint));
    let asks = |prompt: &str| ask.prompt.iter().any(|each| each == prompt);
    let known = hinted.filter(|user| {
        state
            .grants
            .consented(user)
            .is_some_and(|had| ask.scopes.is_subset(had))
    });
    if let Some(user) = known.filter(|_| !asks("consent") && !asks("select_account")) {
        return found(&approve(&mut state, &ask, &user, ask.scopes.clone()));
    }
    if asks("none") {
        let fields = [("error", "interaction_required")];
        return found(&redirect(&ask.redirect_uri, ask.state.as_deref(), &fields));
    }
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .body(page(&state, &ask, query))
}

/// `POST`: the form of the page. The request comes along and is checked again.
pub(super) async fn submit(shared: Data<Shared>, body: Bytes) -> HttpResponse {
    let form = Params::parse(&String::from_utf8_lossy(&body));
    let decision = Decision {
        user: form.get("account").unwrap_or_default().to_owned(),
        scopes: Some(form.all("grant").map(ToOwned::to_owned).collect()),
        deny: form.get("decision") != Some("allow"),
    };
    let query = form.get("request").unwrap_or_default().to_owned();
    match decide(&mut shared.state(), &shared.client, &query, &decision) {
        Ok(location) => found(&location),
        Err(denied) => error_page(&denied),
    }
}

fn found(location: &str) -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, location)).finish()
}

fn error_page(denied: &Denied) -> HttpResponse {
    let page = ERROR_PAGE
        .replace("{{code}}", denied.code)
        .replace("{{message}}", &escape(&denied.message));
    HttpResponse::BadRequest()
        .content_type(ContentType::html())
        .body(page)
}

fn page(state: &State, ask: &Ask, query: &str) -> String {
    let chosen = ask
        .login_hint
        .as_deref()
        .or_else(|| state.users.keys().next().map(String::as_str));
    let accounts = state.users.iter().map(|(email, user)| {
        let checked = if chosen == Some(email) { " checked" } else { "" };
        let (email, name) = (escape(email), escape(&user.name));
        let initial = name.chars().next().unwrap_or('?');
        format!(
            r#"<label class="account"><input type="radio" name="account" value="{email}" required{checked}><span class="face" aria-hidden="true">{initial}</span><span><b>{name}</b><small>{email}</small></span></label>"#
        )
    });
    let (always, asked): (Vec<&String>, Vec<_>) =
        ask.scopes.iter().partition(|scope| scopes::is_sign_in(scope));
    let always = always
        .into_iter()
        .map(|scope| format!("<li>{}</li>", escape(scopes::describe(scope))));
    let boxes = asked.into_iter().map(|scope| {
        let (text, scope) = (escape(scopes::describe(scope)), escape(scope));
        format!(
            r#"<label class="scope"><input type="checkbox" name="grant" value="{scope}" checked><span>{text}<small>{scope}</small></span></label>"#
        )
    });
    let host = Url::parse(&ask.redirect_uri)
        .ok()
        .and_then(|url| url.host_str().map(ToOwned::to_owned));
    PAGE.replace("{{accounts}}", &accounts.collect::<String>())
        .replace("{{always}}", &always.collect::<String>())
        .replace("{{boxes}}", &boxes.collect::<String>())
        .replace("{{host}}", &escape(&host.unwrap_or_default()))
        .replace("{{request}}", &escape(query))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
