//! Runs one case against a target.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use url::Url;

use crate::case::{Case, Expectation, Kept, Step};
use crate::excerpt::excerpt;
use crate::http::{Answer, send};
use crate::matching::{Mismatch, check};
use crate::target::Target;
use crate::variables::{Variables, as_text};

/// How long a push may take where the step does not set it.
const PUSH_WAIT: Duration = Duration::from_secs(30);
/// Between two reads of a step that waits for something.
const READ_AGAIN: Duration = Duration::from_millis(500);
const PAGES_MAX: usize = 100;

/// Where the answers differ from the case.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Counted from 1.
    pub step: usize,
    pub call: String,
    pub mismatch: Mismatch,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { at, expected, actual } = &self.mismatch;
        writeln!(f, "step {}: {}", self.step, self.call)?;
        writeln!(f, "  at       {at}")?;
        writeln!(f, "  expected {expected}")?;
        write!(f, "  actual   {actual}")
    }
}

/// Runs the steps in order, to the first difference.
pub async fn run(target: &Target, case: &Case) -> Result<(), Difference> {
    let mut variables = variables(target, case);
    for (n, step) in case.steps.iter().enumerate() {
        let differs = |mismatch| Difference {
            step: n + 1,
            call: step.call.clone(),
            mismatch,
        };
        for repetition in 1..=step.repeat {
            variables.set("n", json!(repetition));
            run_step(target, step, &mut variables).await.map_err(differs)?;
        }
    }
    Ok(())
}

/// The variables that every case has.
fn variables(target: &Target, case: &Case) -> Variables {
    let mut variables = Variables::new(case.values.clone());
    let second = target.second.as_ref().map(|second| second.email.as_str());
    let inbox = target.inbox.as_ref().map(crate::inbox::Inbox::url);
    for (name, value) in [
        ("calendar", Some(target.calendar.as_str())),
        ("account", Some(target.account.email.as_str())),
        ("second_account", second),
        ("push_url", inbox),
        ("client_id", Some(target.client.id.as_str())),
        ("client_secret", Some(target.client.secret.expose_secret())),
    ] {
        if let Some(value) = value {
            variables.set(name, json!(value));
        }
    }
    variables
}

async fn run_step(target: &Target, step: &Step, variables: &mut Variables) -> Result<(), Mismatch> {
    if let (Some(text), None) = (&step.person, &target.admin) {
        (target.ask)(&variables.fill_text(text)?);
        return Ok(());
    }
    let expected = Filled::of(&step.expect, variables)?;
    let within = Duration::from_secs(step.within);
    let deadline = Instant::now()
        + if step.is_push() {
            within.max(PUSH_WAIT)
        } else {
            within
        };
    let answer = loop {
        let answer = if step.is_push() {
            let channel = variables.fill_text(step.path())?;
            let inbox = target.inbox.as_ref().context("the case needs a public address")?;
            let push = inbox
                .next(&channel, deadline.saturating_duration_since(Instant::now()))
                .await;
            push.context("no such push arrived")?
        } else {
            exchange(target, step, variables).await?
        };
        match expected.check(&answer) {
            Ok(()) => break answer,
            Err(mismatch) if Instant::now() >= deadline => return Err(mismatch),
            Err(_) if step.is_push() => {}
            Err(_) => sleep(READ_AGAIN).await,
        }
    };
    for (name, part) in &step.keep {
        let value = kept(&answer, part);
        variables.set(
            name,
            value.with_context(|| format!("the answer has no {part:?} to keep"))?,
        );
    }
    Ok(())
}

fn kept(answer: &Answer, part: &Kept) -> Option<Value> {
    match part {
        Kept::Part(part) => match part.strip_prefix("header ") {
            Some(name) => answer.headers.get(name).map(|value| json!(value)),
            None => answer.body.pointer(part).cloned(),
        },
        Kept::Parameter { url, query } => {
            let url = Url::parse(answer.body.pointer(url)?.as_str()?).ok()?;
            let (_, value) = url.query_pairs().find(|(name, _)| name == query)?;
            Some(json!(value))
        }
    }
}

/// One request, or with `pages` one for each page.
async fn exchange(target: &Target, step: &Step, variables: &Variables) -> Result<Answer> {
    let mut items = Vec::new();
    let mut page: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut request = request(target, step, variables).await?;
        if let Some(page) = &page {
            request = request.query(&[("pageToken", page)]);
        }
        let mut answer = send(target.pace, request, step.expect.status).await?;
        if !step.pages || !answer.is_success() {
            return Ok(answer);
        }
        if let Some(found) = answer.body.get_mut("items").and_then(Value::as_array_mut) {
            items.append(found);
        }
        page = answer
            .body
            .get("nextPageToken")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned);
        if page.is_none() {
            answer.body["items"] = Value::Array(items);
            return Ok(answer);
        }
    }
    anyhow::bail!("the list has more than {PAGES_MAX} pages")
}

async fn request(target: &Target, step: &Step, variables: &Variables) -> Result<RequestBuilder> {
    let method = Method::from_bytes(step.method().as_bytes())?;
    let mut request = target.request(method, &path(step.path(), variables)?)?;
    let query: Vec<(String, String)> = variables
        .fill_map(&step.query)?
        .into_iter()
        .flat_map(|(name, value)| match value {
            Value::Array(values) => values
                .iter()
                .map(|value| (name.clone(), as_text(value)))
                .collect(),
            value => vec![(name, as_text(&value))],
        })
        .collect();
    request = request.query(&query);
    for (name, value) in &step.headers {
        request = request.header(name, variables.fill_text(value)?);
    }
    if let Some(body) = &step.body {
        request = request.json(&variables.fill(body)?);
    }
    if let Some(form) = &step.form {
        let fields = form
            .iter()
            .map(|(name, value)| Ok((name, variables.fill_text(value)?)));
        request = request.form(&fields.collect::<Result<Vec<_>>>()?);
    }
    if let Some(token) = &step.token {
        return Ok(request.bearer_auth(variables.fill_text(token)?));
    }
    let is_calendars = !step.path().starts_with("oauth/") && !step.path().starts_with("emulator/");
    match target.access(step.caller).await? {
        Some(access) if is_calendars => Ok(request.bearer_auth(access.expose_secret())),
        _ => Ok(request),
    }
}

/// The path with its variables, each segment encoded.
fn path(template: &str, variables: &Variables) -> Result<String> {
    let segments = template.split('/').map(|segment| {
        let filled = variables.fill_text(segment)?;
        ensure!(!filled.is_empty(), "an empty segment in {template:?}");
        Ok(utf8_percent_encode(&filled, NON_ALPHANUMERIC)
            .to_string()
            .replace("%2D", "-"))
    });
    Ok(segments.collect::<Result<Vec<_>>>()?.join("/"))
}

/// An expectation without variables.
struct Filled {
    status: Option<u16>,
    reason: Option<String>,
    body: Option<Value>,
    headers: Map<String, Value>,
}

impl Filled {
    fn of(expectation: &Expectation, variables: &Variables) -> Result<Self> {
        Ok(Self {
            status: expectation.status,
            reason: expectation.reason.clone(),
            body: expectation
                .body
                .as_ref()
                .map(|body| variables.fill(body))
                .transpose()?,
            headers: variables.fill_map(&expectation.headers.clone().into_iter().collect())?,
        })
    }

    fn check(&self, answer: &Answer) -> Result<(), Mismatch> {
        let is_right = match self.status {
            Some(status) => answer.status == status,
            None => answer.is_success(),
        };
        if !is_right {
            let expected = self
                .status
                .map_or("success".to_owned(), |status| status.to_string());
            let actual = format!("{} {}", answer.status, excerpt(Some(&answer.body)));
            return Err(Mismatch::new("status", expected, actual));
        }
        if let Some(reason) = &self.reason
            && answer.reason() != Some(reason)
        {
            return Err(Mismatch::new("reason", reason, excerpt(Some(&answer.body))));
        }
        for (name, expected) in &self.headers {
            let actual = answer.headers.get(&name.to_lowercase()).map(|value| json!(value));
            check(expected, actual.as_ref(), &format!("header {name}"))?;
        }
        match &self.body {
            Some(body) => check(body, Some(&answer.body), ""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list that Google should have refused may be one of private events.
    #[test]
    fn an_unexpected_success_shows_no_titles() {
        let expected = Filled {
            status: Some(400),
            reason: None,
            body: None,
            headers: Map::new(),
        };
        let answer = Answer {
            status: 200,
            headers: std::collections::BTreeMap::new(),
            body: json!({"kind": "calendar#events", "items": [{"id": "x", "summary": "Therapy"}]}),
        };
        let mismatch = expected.check(&answer).unwrap_err();
        assert!(
            mismatch.actual.starts_with("200 an object with items: 1 items"),
            "{mismatch:?}"
        );
        assert!(!mismatch.actual.contains("Therapy"), "{mismatch:?}");
    }
}
