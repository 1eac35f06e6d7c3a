//! calendar-api without its dependencies: the database is closed, and nothing listens at the addresses of Google and the
//! broker. That leaves the code that parses requests.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use calendar_api::auth::Authenticator;
use calendar_api::limit::{CallbackBudget, RateLimit};
use calendar_api::on_view::RecentViews;
use calendar_api::reader::Reader;
use calendar_api::state::{Caller, State};
use chrono::{DateTime, Utc};
use common::clock::Clock;
use common::config::SecretKey;
use common::http::source::TrustedProxies;
use common::ids::UserId;
use google::{Endpoints, Google, GoogleConfig};
use rpc::Router;
use rpc::http::ResponseHeaders;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// The origin of the pages.
pub const APP: &str = "https://app.example";
const KEYS: &str = "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";

pub struct Fixture {
    runtime: Runtime,
    pub state: Arc<State>,
    pub router: Arc<Router<Caller>>,
}

thread_local! {
    static FIXTURE: OnceCell<Fixture> = const { OnceCell::new() };
}

/// Runs with this thread's fixture, on its runtime.
pub fn block_on<T>(work: impl AsyncFnOnce(&Fixture) -> T) -> T {
    FIXTURE.with(|fixture| {
        let fixture = fixture.get_or_init(Fixture::new);
        fixture.runtime.block_on(work(fixture))
    })
}

impl Fixture {
    #[expect(clippy::expect_used, reason = "built from constants")]
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let state = runtime.block_on(async {
            let pool = PgPoolOptions::new()
                .connect_lazy("postgres://nobody@127.0.0.1:9/nothing")
                .expect("a URL");
            pool.close().await;
            state(pool)
        });
        for is_cold in [false, true] {
            let reader = Arc::clone(&state.reader);
            runtime.spawn(async move { reader.run(is_cold, CancellationToken::new()).await });
        }
        Self {
            runtime,
            state: Arc::new(state),
            router: Arc::new(calendar_api::procedures::router()),
        }
    }

    #[expect(
        clippy::expect_used,
        reason = "a constant name, and a rate limit that is never reached"
    )]
    pub fn alice(&self) -> (Caller, ResponseHeaders) {
        let outgoing = ResponseHeaders::default();
        let user = UserId::parse("alice").expect("a user id");
        let turns = self.state.rate_limit.count(&user, self.state.now());
        let caller = Caller {
            state: Arc::clone(&self.state),
            user,
            turns: turns.expect("within the rate"),
            turn: None,
            origin: None,
            browser: None,
            outgoing: outgoing.clone(),
        };
        (caller, outgoing)
    }
}

#[expect(clippy::expect_used, reason = "built from constants")]
fn state(pool: sqlx::PgPool) -> State {
    let secret = |name| SecretKey::parse(name, "fedcba9876543210fedcba9876543210".to_owned()).expect("a key");
    let mut google = GoogleConfig::new("client", "secret".into());
    google.timeout = Duration::from_secs(1);
    let nowhere = "http://127.0.0.1:9".parse().expect("a URL");
    google.endpoints = Endpoints::at(&nowhere);
    let now: DateTime<Utc> = DateTime::from_timestamp(1_795_348_800, 0).unwrap_or_default();
    let clock = Clock::manual(now);
    State {
        reader: Arc::new(Reader::new(pool.clone(), clock.clone(), 0)),
        sync: sync::Context::new(
            pool,
            Google::new(google).expect("a client"),
            clock,
            KEYS.parse().expect("keys"),
            sync::Settings::default(),
        ),
        broker: centrifugo::Client::new(&nowhere, secret("CENTRIFUGO_API_KEY")).expect("a client"),
        tokens: centrifugo::Tokens::new(&secret("CENTRIFUGO_TOKEN_SECRET")),
        authenticator: Authenticator::with_secret(b"0123456789abcdef0123456789abcdef", APP, "calwire"),
        rate_limit: RateLimit::per_minute(u32::MAX),
        callbacks: CallbackBudget::new(TrustedProxies::default()),
        recent_views: RecentViews::default(),
        browser_url: "https://calendar.example".parse().expect("an origin"),
        app_origins: vec![APP.parse().expect("an origin")],
    }
}
