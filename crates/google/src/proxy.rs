//! The HTTP proxy on the way out, to Google and to the host application's keys, where a network has no other.
//!
//! `HTTPS_PROXY` or `ALL_PROXY` names it, and `NO_PROXY` the hosts that are reached without it, as for curl. Only `https`
//! goes through it, by `CONNECT`, so it never sees a token. An address with `http` is near and always reached
//! directly: an emulated Google, or an application in the same network.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::error::SetupError;

/// Which addresses are reached through which proxy.
#[derive(Clone)]
pub struct Proxies(Arc<Matcher>);

impl fmt::Debug for Proxies {
    /// Without the matcher, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies(..)")
    }
}

impl Proxies {
    /// From the environment.
    pub fn from_env() -> Self {
        Self(Arc::new(Matcher::from_env()))
    }

    /// All addresses through this proxy: `http://proxy.example:3128`.
    pub fn all(url: &str) -> Self {
        Self(Arc::new(Matcher::builder().all(url.to_owned()).build()))
    }

    fn of(&self, destination: &Uri) -> Option<Intercept> {
        let is_secure = destination.scheme_str() == Some("https");
        self.0.intercept(destination).filter(|_| is_secure)
    }

    /// For `reqwest`, whose own reading of the environment accepts other proxies. None: `endpoint` is reached directly.
    pub fn for_reqwest(&self, endpoint: &str) -> Result<Option<reqwest::Proxy>, SetupError> {
        let endpoint: Option<Uri> = endpoint.parse().ok();
        let Some((endpoint, intercept)) = endpoint.and_then(|endpoint| {
            let intercept = self.of(&endpoint)?;
            Some((endpoint, intercept))
        }) else {
            return Ok(None);
        };
        if intercept.uri().scheme_str() != Some("http") {
            return Err(SetupError::Proxy(endpoint.host().unwrap_or_default().to_owned()));
        }
        let proxies = self.clone();
        let proxy = reqwest::Proxy::custom(move |url| {
            let intercept = proxies.of(&url.as_str().parse().ok()?)?;
            Some(intercept.uri().to_string())
        });
        Ok(Some(match intercept.basic_auth() {
            Some(auth) => proxy.custom_http_auth(auth.clone()),
            None => proxy,
        }))
    }
}

/// Connects for the generated client.
#[derive(Clone)]
pub(crate) struct ProxyConnector {
    http: HttpConnector,
    proxies: Proxies,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl ProxyConnector {
    pub fn new(proxies: Proxies) -> Self {
        let mut http = HttpConnector::new();
        // TLS is added on top.
        http.enforce_http(false);
        Self { http, proxies }
    }
}

impl Service<Uri> for ProxyConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let Some(intercept) = self.proxies.of(&destination) else {
            let connecting = self.http.call(destination);
            return Box::pin(async move { connecting.await.map_err(Into::into) });
        };
        let mut tunnel = Tunnel::new(intercept.uri().clone(), self.http.clone());
        if let Some(auth) = intercept.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        let connecting = tunnel.call(destination);
        Box::pin(async move { connecting.await.map_err(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const GOOGLE: &str = "https://www.googleapis.com/calendar/v3/";
    const EXPECTED: &str = "CALWIRE_TEST_EXPECTED_PROXY";

    /// The proxies of this process's environment, for the addresses that matter.
    fn described() -> String {
        let proxies = Proxies::from_env();
        let of = |address: &str| match proxies.for_reqwest(address) {
            Ok(None) => "direct".to_owned(),
            Ok(Some(_)) => proxies.of(&address.parse().unwrap()).unwrap().uri().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(of("http://localhost:8085/"), "direct");
        of(GOOGLE)
    }

    /// A process cannot change its own environment safely, so this test starts itself again in each of these.
    #[test]
    fn the_environment_names_the_proxy() {
        if let Ok(expected) = std::env::var(EXPECTED) {
            assert_eq!(described(), expected);
            return;
        }
        let refused = "HTTPS_PROXY or ALL_PROXY names a proxy that is not http://: unset it, or list www.googleapis.com in NO_PROXY";
        let proxy = "http://proxy.example:3128";
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[], "direct"),
            (&[("HTTPS_PROXY", proxy)], "http://proxy.example:3128/"),
            (&[("https_proxy", proxy)], "http://proxy.example:3128/"),
            (&[("ALL_PROXY", proxy)], "http://proxy.example:3128/"),
            (&[("HTTP_PROXY", proxy)], "direct"),
            (
                &[("HTTPS_PROXY", proxy), ("NO_PROXY", ".googleapis.com")],
                "direct",
            ),
            (&[("HTTPS_PROXY", "socks5://127.0.0.1:1080")], refused),
            (&[("ALL_PROXY", "https://proxy.example")], refused),
        ];
        for (environment, expected) in cases {
            let mut command = Command::new(std::env::current_exe().unwrap());
            for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
                command.env_remove(name).env_remove(name.to_lowercase());
            }
            let output = command
                .args(["--exact", "proxy::tests::the_environment_names_the_proxy"])
                .envs(environment.iter().copied())
                .env(EXPECTED, expected)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains(" 1 passed"), "{environment:?}: {text}");
            assert!(output.status.success(), "{environment:?}: {text}");
        }
    }
}
