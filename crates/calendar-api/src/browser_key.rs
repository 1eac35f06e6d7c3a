//! The cookie of the browser that began a connect flow. An attacker's link to the callback must not connect the attacker's
//! Google account to the user who follows it, so a flow can only end in the browser where it began.

use std::fmt;

use actix_web::HttpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt;
use sha2::{Digest, Sha256};

use crate::origin::Origin;

/// The life of the cookie and of the state. A flow takes about a minute.
pub const FLOW_MAX_SECONDS: i64 = 600;

/// The value of a browser's cookie: 32 random bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserKey(String);

impl fmt::Debug for BrowserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserKey([redacted])")
    }
}

impl BrowserKey {
    pub fn generate() -> Self {
        let random: [u8; 32] = rand::rng().random();
        Self(URL_SAFE_NO_PAD.encode(random))
    }

    /// The key in the connect cookie of `request`.
    pub fn of(request: &HttpRequest, browser_url: &Origin) -> Option<Self> {
        let cookie = request.cookie(Self::cookie_name(browser_url))?;
        Self::parse(cookie.value())
    }

    /// The value of a cookie from [`generate`](Self::generate).
    pub fn parse(value: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        (bytes.len() == 32).then(|| Self(value.to_owned()))
    }

    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// With https, the prefix of the name makes browsers reject the cookie from any other host.
    pub fn cookie_name(browser_url: &Origin) -> &'static str {
        if browser_url.is_secure() {
            "__Host-calwire_connect"
        } else {
            "calwire_connect"
        }
    }

    /// The header `set-cookie`. `Lax`: browsers send the cookie when Google redirects back, and not with requests of other
    /// sites.
    pub fn set_cookie(&self, browser_url: &Origin) -> String {
        let name = Self::cookie_name(browser_url);
        let secure = if browser_url.is_secure() { "; Secure" } else { "" };
        format!(
            "{name}={}; Path=/; Max-Age={FLOW_MAX_SECONDS}; HttpOnly; SameSite=Lax{secure}",
            self.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_https_origin_gets_a_host_cookie() {
        let key = BrowserKey::parse(&"A".repeat(43)).unwrap();
        let value = "A".repeat(43);
        assert_eq!(
            key.set_cookie(&"https://a.example".parse().unwrap()),
            format!("__Host-calwire_connect={value}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure")
        );
        assert_eq!(
            key.set_cookie(&"http://localhost:8080".parse().unwrap()),
            format!("calwire_connect={value}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax")
        );
        assert!(BrowserKey::parse("x; Domain=evil").is_none());
        let generated = BrowserKey::generate();
        assert_eq!(BrowserKey::parse(&generated.0), Some(generated));
    }
}
