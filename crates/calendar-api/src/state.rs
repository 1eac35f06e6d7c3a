//! What every request is answered with, and who makes it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use chrono::{DateTime, Utc};
use common::ids::UserId;
use rpc::RpcError;
use rpc::http::ResponseHeaders;

use crate::auth::Authenticator;
use crate::browser_key::BrowserKey;
use crate::config::Origin;
use crate::limit::{RateLimit, Turn, Turns};
use crate::on_view::RecentViews;

/// The service's state, one for all requests.
pub struct State {
    pub sync: sync::Context,
    pub broker: centrifugo::Client,
    pub tokens: centrifugo::Tokens,
    /// How long a socket goes on without asking who its user is.
    pub connection_token_life: Duration,
    pub authenticator: Authenticator,
    pub rate_limit: RateLimit,
    pub recent_views: RecentViews,
    /// Where browsers reach us.
    pub browser_url: Origin,
    /// Whose pages may call us.
    pub app_origins: Vec<Origin>,
}

impl State {
    pub fn now(&self) -> DateTime<Utc> {
        self.sync.clock.now()
    }
}

/// Who calls a procedure, and from where. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    pub state: Arc<State>,
    pub user: UserId,
    /// The page's origin, if it is one of ours.
    pub origin: Option<Origin>,
    /// The cookie of a connect flow in this browser.
    pub browser: Option<BrowserKey>,
    /// Headers of the answer.
    pub outgoing: ResponseHeaders,
    /// Where the user's calls wait for each other.
    pub turns: Turns,
    /// The call's place among them, once it has one.
    pub turn: Option<Turn>,
}

impl Caller {
    /// Authenticates a request and counts it. What fails here is every call's answer.
    pub async fn of(
        state: Arc<State>,
        request: HttpRequest,
        outgoing: ResponseHeaders,
    ) -> Result<Self, RpcError> {
        let now = state.now();
        let headers = request.headers();
        let authorization = headers
            .get_all(header::AUTHORIZATION)
            .map(|value| value.to_str().unwrap_or_default());
        let user = state
            .authenticator
            .user(authorization, now)
            .await
            .map_err(crate::auth::Refusal::into_answer)?;
        let turns = state.rate_limit.count(&user, now)?;
        let origin = headers
            .get(header::ORIGIN)
            .and_then(|value| value.to_str().ok())
            .and_then(|origin| state.app_origins.iter().find(|ours| ours.as_str() == origin))
            .cloned();
        Ok(Self {
            origin,
            browser: BrowserKey::of(&request, &state.browser_url),
            state,
            user,
            outgoing,
            turns,
            turn: None,
        })
    }

    /// Waits until the user has fewer calls under way than one may have.
    pub async fn in_turn(mut self) -> Result<Self, RpcError> {
        self.turn = Some(self.turns.next().await?);
        Ok(self)
    }
}
