//! The demo's page and its users, for the profile `demo` of `docker-compose.yml`: what `cargo xtask up` serves by itself.
//!
//! It signs tokens for whoever asks. An application of your own has its own sign-in instead, and no server has this.

mod application;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use actix_files::Files;
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpResponse, web};
use common::clock::Clock;
use common::config::SecretKey;
use common::{parsed, secret_key};
use jsonwebtoken::{EncodingKey, Header};
use serde::Deserialize;
use serde_json::json;
use url::Url;

pub use application::Application;

/// The service's name in logs and errors.
pub const NAME: &str = "demo";
/// Where the service listens by default.
pub const LISTEN_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8083);
/// The accounts of the emulator bear the same names.
pub const USERS: [&str; 3] = ["alice", "bob", "carol"];
/// The page asks again before a token ends.
const TOKEN_LIFE: Duration = Duration::from_mins(15);

secret_key!(auth_hs256_secret, "AUTH_HS256_SECRET");
parsed!(parse_listen_addr: SocketAddr, "LISTEN_ADDR");
parsed!(parse_public_url: Url, "PUBLIC_URL");

/// Read by [`common::config::from_env`]. A field's variable is its name in capitals.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    #[serde(default = "listen_addr", deserialize_with = "parse_listen_addr")]
    pub listen_addr: SocketAddr,
    /// The folder of the built page.
    pub page_dir: PathBuf,
    /// The one origin, for the browser.
    #[serde(default = "public_url", deserialize_with = "parse_public_url")]
    pub public_url: Url,
    /// The emulated Google, for the browser.
    pub emulator_url: String,
    #[serde(deserialize_with = "auth_hs256_secret")]
    pub auth_hs256_secret: SecretKey,
    pub auth_issuer: String,
    pub auth_audience: String,
}

const fn listen_addr() -> SocketAddr {
    LISTEN_ADDR
}

#[expect(clippy::expect_used, reason = "a constant URL")]
fn public_url() -> Url {
    Url::parse("http://localhost").expect("a constant URL")
}

/// `/demo/session`, `/demo/token?user=…`, and the files of the page.
pub fn routes(config: &Config, clock: &Clock, service: &mut web::ServiceConfig) {
    let page = Files::new("/", &config.page_dir).index_file("index.html");
    // Scripts are files of ours and nothing else; styles may be set by scripts, as calendars do for positions and colours.
    let policy = format!(
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; \
         connect-src 'self' {}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        socket_origin(config)
    );
    let headers = DefaultHeaders::new()
        .add(("Content-Security-Policy", policy))
        .add(("Referrer-Policy", "same-origin"));
    service
        .app_data(web::Data::new((config.clone(), clock.clone())))
        .route("/demo/session", web::get().to(session))
        .route("/demo/token", web::get().to(token))
        .service(web::scope("").wrap(headers).service(page));
}

type Shared = web::Data<(Config, Clock)>;

async fn session(shared: Shared) -> HttpResponse {
    let (config, _) = &**shared;
    HttpResponse::Ok().json(json!({
        "users": USERS,
        "emulatorUrl": config.emulator_url,
        "apiUrl": config.public_url.origin().ascii_serialization(),
        "wsUrl": format!("{}/connection/websocket", socket_origin(config)),
    }))
}

#[derive(Deserialize)]
struct TokenQuery {
    user: String,
}

async fn token(shared: Shared, query: web::Query<TokenQuery>) -> HttpResponse {
    let (config, clock) = &**shared;
    if !USERS.contains(&query.user.as_str()) {
        let error = format!("The users are {}", USERS.join(", "));
        return HttpResponse::NotFound().json(json!({ "error": error }));
    }
    let now = clock.now();
    let claims = json!({
        "sub": query.user,
        "iss": config.auth_issuer,
        "aud": config.auth_audience,
        "iat": now.timestamp(),
        "exp": (now + TOKEN_LIFE).timestamp(),
    });
    let key = EncodingKey::from_secret(config.auth_hs256_secret.expose().as_bytes());
    match jsonwebtoken::encode(&Header::default(), &claims, &key) {
        Ok(token) => HttpResponse::Ok().json(json!({ "token": token })),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn socket_origin(config: &Config) -> String {
    let origin = config.public_url.origin().ascii_serialization();
    origin.replacen("http", "ws", 1)
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test};
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    async fn get(path: &str) -> (u16, String) {
        let folder = std::env::temp_dir().join(format!("calwire-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("index.html"), "the page").unwrap();
        let config = Config {
            listen_addr: listen_addr(),
            page_dir: folder,
            public_url: public_url(),
            emulator_url: "http://localhost:8085".into(),
            auth_hs256_secret: SecretKey::parse("AUTH_HS256_SECRET", SECRET).unwrap(),
            auth_issuer: "calwire-demo".into(),
            auth_audience: "calwire".into(),
        };
        let routes = |service: &mut web::ServiceConfig| routes(&config, &Clock::system(), service);
        let app = test::init_service(App::new().configure(routes)).await;
        let answer = test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
        let status = answer.status().as_u16();
        let body = test::read_body(answer).await;
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn the_page_signs_in_as_one_of_the_users_and_as_nobody_else() {
        assert_eq!(get("/").await, (200, "the page".into()));
        let (_, session) = get("/demo/session").await;
        let session: Value = serde_json::from_str(&session).unwrap();
        assert_eq!(session["users"][0], "alice");
        assert_eq!(session["wsUrl"], "ws://localhost/connection/websocket");

        let (_, answer) = get("/demo/token?user=bob").await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let mut validation = Validation::default();
        validation.set_audience(&["calwire"]);
        validation.set_issuer(&["calwire-demo"]);
        let key = DecodingKey::from_secret(SECRET.as_bytes());
        let token =
            jsonwebtoken::decode::<Value>(answer["token"].as_str().unwrap(), &key, &validation).unwrap();
        assert_eq!(token.claims["sub"], "bob");

        assert_eq!(get("/demo/token?user=mallory").await.0, 404);
        assert_eq!(get("/../Cargo.toml").await.0, 404);
    }
}
