//! `/readyz`: whether the service can do its work, and what is missing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

/// Less than the timeout of [`probe`](super::probe()), so that the probe reports the failed check and not a timeout.
const CHECK_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The checks of a service.
#[derive(Clone, Default)]
pub struct Readiness(Vec<Arc<Check>>);

struct Check {
    name: &'static str,
    is_required: bool,
    run: Box<RunCheck>,
}

type RunCheck = dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync;

/// The result of one check, in the response of `/readyz`.
#[derive(Debug, Serialize)]
pub(super) struct CheckResult {
    name: &'static str,
    ok: bool,
    /// Without it the service is not ready.
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReadinessReport {
    status: &'static str,
    /// As in every [`ErrorBody`](super::ErrorBody), when the service is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    checks: Vec<CheckResult>,
}

impl Readiness {
    pub fn new() -> Self {
        Self::default()
    }

    /// A check without which the service cannot do its work. `Err`: what is missing.
    #[must_use]
    pub fn required<F>(self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.with(name, true, check)
    }

    /// A check that is reported, and without which the service still does most of its work.
    #[must_use]
    pub fn optional<F>(self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.with(name, false, check)
    }

    fn with<F>(
        mut self,
        name: &'static str,
        is_required: bool,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.0.push(Arc::new(Check {
            name,
            is_required,
            run: Box::new(move || Box::pin(check())),
        }));
        self
    }

    pub(super) async fn check(&self) -> ReadinessReport {
        let checks = join_all(self.0.iter().map(|check| check.run())).await;
        let missing: Vec<String> = checks
            .iter()
            .filter(|check| check.required && !check.ok)
            .map(|check| format!("{}: {}", check.name, check.message.as_deref().unwrap_or_default()))
            .collect();
        if missing.is_empty() {
            ReadinessReport {
                status: "ready",
                error: None,
                message: None,
                checks,
            }
        } else {
            ReadinessReport::not_ready(missing.join("; "), checks)
        }
    }
}

impl ReadinessReport {
    pub(super) fn not_ready(message: String, checks: Vec<CheckResult>) -> Self {
        Self {
            status: "not_ready",
            error: Some("not_ready"),
            message: Some(message),
            checks,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.error.is_none()
    }
}

impl Check {
    async fn run(&self) -> CheckResult {
        let outcome = tokio::time::timeout(CHECK_TIMEOUT, (self.run)())
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs_f64())));
        CheckResult {
            name: self.name,
            ok: outcome.is_ok(),
            required: self.is_required,
            message: outcome.err(),
        }
    }
}
