//! The demo's page and its users, for the profile `demo` of `docker-compose.yml`. `cargo xtask up` serves the same.
//!
//! It signs tokens for every caller. Your application has its own sign-in instead; never run this on a server.

mod application;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use actix_web::error::ErrorInternalServerError;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use common::clock::Clock;
use common::config::SecretKey;
use common::{parsed, secret_key};
use jsonwebtoken::{EncodingKey, Header};
use provision::front::{Demo, page};
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
/// The page requests another token before this one expires.
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
    let site = Site {
        origin: config.public_url.origin().ascii_serialization(),
        page: config.page_dir.clone(),
        demo: Demo::new(&USERS, Some(config.emulator_url.clone()), signer(config, clock)),
    };
    service
        .app_data(web::Data::new(site))
        .default_service(web::route().to(serve));
}

/// The same page and users as on the origin of `cargo xtask up`.
struct Site {
    origin: String,
    page: PathBuf,
    demo: Demo,
}

async fn serve(site: web::Data<Site>, request: HttpRequest) -> actix_web::Result<HttpResponse> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(HttpResponse::MethodNotAllowed()
            .insert_header(("Allow", "GET, HEAD"))
            .finish());
    }
    let (path, query) = (request.path().to_owned(), request.query_string().to_owned());
    let answer = web::block(move || {
        let answer = site.demo.answer(&path, &query, &site.origin);
        answer.unwrap_or_else(|| page::answer(&site.page, &path, &site.origin))
    })
    .await?;
    let mut response =
        HttpResponse::build(StatusCode::from_u16(answer.code()).map_err(ErrorInternalServerError)?);
    for header in answer.headers {
        response.insert_header(header);
    }
    Ok(response.body(answer.body))
}

/// Signs a user's token as the host application would.
fn signer(config: &Config, clock: &Clock) -> impl Fn(&str) -> anyhow::Result<String> + Send + Sync + 'static {
    let (config, clock) = (config.clone(), clock.clone());
    let key = EncodingKey::from_secret(config.auth_hs256_secret.expose().as_bytes());
    move |user| {
        let now = clock.now();
        let claims = json!({
            "sub": user,
            "iss": config.auth_issuer,
            "aud": config.auth_audience,
            "iat": now.timestamp(),
            "exp": (now + TOKEN_LIFE).timestamp(),
        });
        Ok(jsonwebtoken::encode(&Header::default(), &claims, &key)?)
    }
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
    async fn the_page_signs_in_only_as_one_of_the_users() {
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
