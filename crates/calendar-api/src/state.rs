//! The state of the service, and the caller of a request.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use chrono::{DateTime, Utc};
use common::ids::UserId;
use rpc::RpcError;
use rpc::http::ResponseHeaders;

use crate::auth::Authenticator;
use crate::browser_key::BrowserKey;
use crate::limit::{CallbackBudget, RateLimit, Turn, Turns};
use crate::on_view::RecentViews;
use crate::origin::Origin;
use crate::reader::Reader;

/// The service's state, one for all requests.
pub struct State {
    pub sync: sync::Context,
    pub broker: centrifugo::Client,
    pub tokens: centrifugo::Tokens,
    pub authenticator: Authenticator,
    pub rate_limit: RateLimit,
    pub callbacks: CallbackBudget,
    pub recent_views: RecentViews,
    pub reader: Arc<Reader>,
    /// The origin at which browsers reach this service.
    pub browser_url: Origin,
    /// Origins whose pages may call.
    pub app_origins: Vec<Origin>,
}

impl State {
    pub fn now(&self) -> DateTime<Utc> {
        self.sync.clock.now()
    }
}

/// The caller of a procedure. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    pub state: Arc<State>,
    pub user: UserId,
    /// The page's origin, if it is one of `app_origins`.
    pub origin: Option<Origin>,
    /// The connect cookie of this browser.
    pub browser: Option<BrowserKey>,
    /// Headers to add to the response.
    pub outgoing: ResponseHeaders,
    /// Limits the user's calls.
    pub turns: Turns,
    /// The call's permit, once it runs.
    pub turn: Option<Turn>,
}

impl Caller {
    /// Authenticates a request and counts its first call. An error is the answer to each of its calls.
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
            .map_err(crate::auth::AuthError::into_rpc_error)?;
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

    /// Counts each further call of the request, then waits until fewer than the allowed number of the user's calls run.
    pub async fn in_turn(mut self) -> Result<Self, RpcError> {
        self.turn = Some(self.turns.next(self.state.now()).await?);
        Ok(self)
    }
}
