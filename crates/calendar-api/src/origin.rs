//! The origin of a page or a service.

use url::Url;

/// Scheme, host and port, as a browser's `Origin` header has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl std::str::FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected an origin, such as https://calendar.example.com, without a path";
        let url = Url::parse(text).map_err(|_| EXPECTED)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !bare || !anonymous {
            return Err(EXPECTED);
        }
        Ok(Self::of(&url))
    }
}

impl Origin {
    pub fn of(url: &Url) -> Self {
        Self(url.origin().ascii_serialization())
    }

    pub fn localhost(port: u16) -> Self {
        Self(format!("http://localhost:{port}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `path` below this origin.
    #[expect(
        clippy::expect_used,
        reason = "an origin was a URL when it was parsed, and stays one with a path"
    )]
    pub fn join(&self, path: &str) -> Url {
        Url::parse(&self.0).and_then(|url| url.join(path)).expect("a URL")
    }

    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https:")
    }
}
