//! The public address, as Google and browsers reach it.

use std::time::Duration;

use common::clock::Clock;
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::Value;
use url::Url;

use super::report::Report;
use super::robots;
use crate::config::Config;

/// The timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(10);
const CHECKS: [&str; 5] = ["certificate", "robots.txt", "webhook", "api", "socket"];
/// Longer than any expected response.
const BODY_MAX_LEN: usize = 64 * 1024;

pub async fn examine(report: &mut Report, config: &Config, clock: &Clock) {
    let Some(origin) = &config.sync.public_url else {
        for check in CHECKS {
            report.skipped(check, "PUBLIC_URL is not set");
        }
        return;
    };
    let http = Client::builder()
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build();
    let Ok(http) = http else {
        for check in CHECKS {
            report.skipped(check, "could not set up an HTTP client");
        }
        return;
    };
    if !is_reachable(report, &http, origin).await {
        for check in &CHECKS[1..] {
            report.skipped(check, "the public address is unreachable");
        }
        return;
    }
    robots_txt(report, &http, config, origin).await;
    webhook(report, &http, config).await;
    api(report, &http, origin).await;
    socket(report, config, origin, clock).await;
}

async fn is_reachable(report: &mut Report, http: &Client, origin: &Url) -> bool {
    match http.get(below(origin, "/robots.txt")).send().await {
        Ok(_) if origin.scheme() == "https" => {
            report.ok(
                "certificate",
                format!("{origin} is reachable, with a trusted certificate"),
            );
            true
        }
        Ok(_) => {
            report.ok(
                "certificate",
                format!("{origin} is reachable; on this machine it needs no certificate"),
            );
            true
        }
        Err(error) => {
            let found = causes(&error);
            report.failed(
                "certificate",
                format!("{origin}: {found}"),
                remedy(&error, &found),
            );
            false
        }
    }
}

fn remedy(error: &reqwest::Error, found: &str) -> &'static str {
    let lower = found.to_lowercase();
    if lower.contains("certificate") || lower.contains("tls") || lower.contains("ssl") {
        "serve the whole chain of a certificate for this name; with docker-compose.yml the log of `proxy` has the reason"
    } else if lower.contains("dns") || lower.contains("resolve") || lower.contains("lookup") {
        "point the name of PUBLIC_URL at this host: an A or AAAA record"
    } else if error.is_timeout() || lower.contains("refused") {
        "start the proxy, and open ports 80 and 443 to the world"
    } else {
        "check the proxy's log"
    }
}

async fn robots_txt(report: &mut Report, http: &Client, config: &Config, origin: &Url) {
    let remedy = "route /robots.txt to webhook-ingest: Google sends no push to a path that it forbids";
    match send(http.get(below(origin, "/robots.txt"))).await {
        Err(error) => report.failed("robots.txt", error, remedy),
        Ok((StatusCode::OK, body)) => {
            let path = config
                .sync
                .settings()
                .webhook_address()
                .map(|url| url.path().to_owned());
            if robots::forbids(&body, path.as_deref().unwrap_or("/")) {
                report.failed("robots.txt", "it forbids the webhook", remedy);
            } else {
                report.ok("robots.txt", "it allows the webhook");
            }
        }
        // Google takes each of these for a missing file, but not 429.
        Ok((status, _)) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            report.ok("robots.txt", "missing, which allows everything");
        }
        Ok((status, _)) => report.failed("robots.txt", format!("answered {status}"), remedy),
    }
}

/// webhook-ingest answers a request without the headers of a push in its own way.
async fn webhook(report: &mut Report, http: &Client, config: &Config) {
    let Some(address) = config.sync.settings().webhook_address() else {
        report.skipped("webhook", "polling only");
        return;
    };
    let remedy = "route POST at this address to webhook-ingest, without a redirect or a page in between";
    match send(http.post(address.clone())).await {
        Err(error) => report.failed("webhook", format!("{address}: {error}"), remedy),
        Ok((StatusCode::BAD_REQUEST, body)) if error_code(&body) == "not_a_push" => {
            report.ok("webhook", format!("webhook-ingest answers at {address}"));
        }
        Ok((status, _)) if status.is_server_error() => report.failed(
            "webhook",
            format!("{address} answers {status}"),
            "start webhook-ingest; if it runs, /readyz and its log have the reason",
        ),
        Ok((status, _)) => report.failed(
            "webhook",
            format!("{address} is not webhook-ingest: it answers {status}"),
            remedy,
        ),
    }
}

async fn api(report: &mut Report, http: &Client, origin: &Url) {
    let url = below(origin, "/trpc/calendar.google.status");
    let remedy = "route /trpc, /rpc, /rpc-v1 and /oauth to calendar-api, and start it";
    match send(http.get(url)).await {
        Err(error) => report.failed("api", error, remedy),
        Ok((StatusCode::UNAUTHORIZED, body)) if body.contains("UNAUTHORIZED") => {
            report.ok("api", "calendar-api answers, and rejects a call without a token");
        }
        Ok((status, _)) => report.failed(
            "api",
            format!("a call without a token is answered {status}"),
            remedy,
        ),
    }
}

async fn socket(report: &mut Report, config: &Config, origin: &Url, clock: &Clock) {
    if !report.passed("broker") {
        report.skipped("socket", "not checked without the broker");
        return;
    }
    let Ok(client) = centrifugo::Client::new(&config.centrifugo_api_url, config.centrifugo_api_key.clone())
    else {
        report.skipped("socket", "not checked without the broker");
        return;
    };
    let tokens = centrifugo::Tokens::new(&config.centrifugo_token_secret);
    let url = below(origin, centrifugo::socket::PATH);
    let own = config.browser_url();
    let origins = if config.app_origins.is_empty() {
        vec![own]
    } else {
        config.app_origins.clone()
    };
    for origin in &origins {
        let tried =
            centrifugo::socket::round_trip(&client, &tokens, &url, origin.as_str(), clock.now()).await;
        if let Err(problem) = tried {
            report.failed("socket", &problem, socket_remedy(&problem));
            return;
        }
    }
    report.ok("socket", "a published message arrived at a browser's socket");
}

fn socket_remedy(problem: &centrifugo::socket::Problem) -> &'static str {
    use centrifugo::socket::Problem;
    match problem {
        Problem::OriginRefused(_) => {
            "add that origin to client.allowed_origins of Centrifugo; docker-compose.yml does so from APP_ORIGINS when the container is recreated"
        }
        Problem::TokenRefused(_) | Problem::SubscriptionRefused(_) => {
            "give calendar-api and Centrifugo the same CENTRIFUGO_TOKEN_SECRET, and start Centrifugo with deploy/centrifugo.json"
        }
        Problem::Open => {
            "remove allow_subscribe_for_client and similar options from Centrifugo's configuration: deploy/centrifugo.json has none"
        }
        Problem::Unreachable(_) | Problem::NotASocket(_) => {
            "route /connection/websocket to Centrifugo, with the headers of the upgrade"
        }
        Problem::Silent | Problem::Publish(_) => {
            "the socket and CENTRIFUGO_API_URL are not the same Centrifugo; several nodes need the same Redis"
        }
    }
}

fn below(origin: &Url, path: &str) -> Url {
    let mut url = origin.clone();
    url.set_path(path);
    url
}

fn error_code(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["error"].as_str().unwrap_or_default().to_owned()
}

async fn send(request: reqwest::RequestBuilder) -> Result<(StatusCode, String), String> {
    let response = request.send().await.map_err(|error| causes(&error))?;
    Ok((response.status(), read_limited(response).await))
}

async fn read_limited(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_MAX_LEN {
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// The causes without the URL, which the caller prints.
fn causes(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes.dedup();
    if causes.is_empty() {
        "timed out".to_owned()
    } else {
        causes.join(": ")
    }
}
