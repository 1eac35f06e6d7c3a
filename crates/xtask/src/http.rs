//! Plain HTTP to loopback: health checks and the demo's connect flow.

use std::time::Duration;

use ureq::Agent;

/// Every status is an answer, and redirects are returned rather than followed.
pub fn agent() -> Agent {
    Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .into()
}

/// Whether `url` answers 200.
pub fn is_ok(agent: &Agent, url: &str) -> bool {
    agent
        .get(url)
        .call()
        .is_ok_and(|response| response.status() == 200)
}
