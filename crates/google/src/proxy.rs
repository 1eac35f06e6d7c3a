//! The HTTP proxy on the way to Google, where a network has no other way out.
//!
//! `HTTPS_PROXY` or `ALL_PROXY` names it, and `NO_PROXY` the hosts that are reached without it, as for curl. Only `https`
//! goes through it, by `CONNECT`, so it never sees a token. An emulated Google at `http` is always reached directly.

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
    /// As the environment says.
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

    /// For `reqwest`. None: `endpoint` is reached directly.
    pub(crate) fn for_reqwest(&self, endpoint: &str) -> Result<Option<reqwest::Proxy>, SetupError> {
        let Some(intercept) = endpoint.parse().ok().and_then(|endpoint| self.of(&endpoint)) else {
            return Ok(None);
        };
        if intercept.uri().scheme_str() != Some("http") {
            return Err(SetupError::Proxy);
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
