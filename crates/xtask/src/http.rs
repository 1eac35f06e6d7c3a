//! Plain HTTP to loopback: health checks and the demo's connect flow.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use ureq::Agent;
use ureq::http::Response;

/// No status is an error, and redirects are returned rather than followed.
pub fn agent() -> Agent {
    Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .into()
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    /// Each cookie that was set, with its attributes.
    pub cookies: Vec<String>,
    pub body: String,
}

impl Answer {
    pub fn read(mut response: Response<ureq::Body>) -> Result<Self> {
        let headers = response.headers();
        let text = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let location = text("location");
        let cookies = headers
            .get_all("set-cookie")
            .iter()
            .filter_map(|value| Some(value.to_str().ok()?.to_owned()))
            .collect();
        Ok(Self {
            status: response.status().as_u16(),
            location,
            cookies,
            body: response
                .body_mut()
                .read_to_string()
                .context("an answer broke off")?,
        })
    }
}

impl Answer {
    /// Fails with the beginning of the body if the status differs.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status != status {
            let body: String = self.body.chars().take(300).collect();
            bail!("expected status {status}, got {}: {}", self.status, body.trim());
        }
        Ok(self)
    }
}

/// Whether `url` returns 200.
pub fn is_ok(agent: &Agent, url: &str) -> bool {
    agent
        .get(url)
        .call()
        .is_ok_and(|response| response.status() == 200)
}
