//! The demo's users, connected to their calendars as a person would be: connect, consent, and back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::Agent;

use crate::http::{self, Answer};
use crate::stack::Stack;
use crate::{interrupt, token};

/// The page after connecting; any path would do.
const RETURN_TO: &str = "/";
/// How long `up` waits for the demo's events before it prints `ready`. They may arrive later.
const IMPORTED_WITHIN: Duration = Duration::from_secs(30);

/// Connects every demo user to the emulator's account of the same name. Needed after each start: the emulator keeps its
/// grants in memory.
pub fn connect_users(stack: &Stack, emulator_url: &str) -> Result<()> {
    let agent = http::agent();
    for user in &stack.users {
        connect(&agent, stack, emulator_url, user)
            .with_context(|| format!("the demo user {user} could not be connected"))?;
    }
    let deadline = Instant::now() + IMPORTED_WITHIN;
    for user in &stack.users {
        while !is_imported(&agent, stack, user)? {
            interrupt::check()?;
            if Instant::now() > deadline {
                println!("{user}'s calendars are still being imported");
                break;
            }
            std::thread::sleep(interrupt::TICK);
        }
    }
    Ok(())
}

/// Whether the first listing of all of the user's calendars is in Postgres.
fn is_imported(agent: &Agent, stack: &Stack, user: &str) -> Result<bool> {
    let jwt = token::sign(&stack.keys, user, Duration::from_mins(5))?;
    let status = agent
        .get(format!("{}/trpc/calendar.google.status", stack.api_url))
        .header("Authorization", format!("Bearer {jwt}"))
        .call()?;
    let status: Value = serde_json::from_str(&Answer::read(status)?.expect(200)?.body)?;
    let connections = status["result"]["data"]["connections"].as_array();
    Ok(connections.is_some_and(|all| all.iter().all(|each| each["state"] == "healthy")))
}

/// The answer to `connect`.
struct Started {
    /// Google's consent page.
    url: String,
    /// To be sent with the callback: they prove that it is the same browser.
    cookies: Vec<String>,
}

/// Calls `connect` as this user.
fn start(agent: &Agent, stack: &Stack, user: &str) -> Result<Started> {
    let jwt = token::sign(&stack.keys, user, Duration::from_mins(5))?;
    let answer = agent
        .post(format!("{}/trpc/calendar.google.connect", stack.api_url))
        .header("Authorization", format!("Bearer {jwt}"))
        .send_json(json!({ "returnTo": RETURN_TO }))?;
    let answer = Answer::read(answer)?.expect(200)?;
    let data: Value = serde_json::from_str(&answer.body)?;
    let url = data["result"]["data"]["url"].as_str();
    let url = url.context("`connect` answered without a url")?.to_owned();
    Ok(Started {
        url,
        cookies: answer.cookies,
    })
}

fn connect(agent: &Agent, stack: &Stack, emulator_url: &str, user: &str) -> Result<()> {
    let started = start(agent, stack, user)?;
    let consent_url = started.url;
    let page = Answer::read(agent.get(&consent_url).call()?)?.expect(200)?;
    let decided = allow(agent, emulator_url, &consent_url, &page.body, user)?;
    let callback = decided.location.context("the consent page did not redirect")?;

    let cookies = started
        .cookies
        .iter()
        .filter_map(|cookie| cookie.split(';').next());
    let cookies: Vec<_> = cookies.collect();
    let back = agent.get(&callback).header("Cookie", cookies.join("; ")).call()?;
    let arrived = Answer::read(back)?.expect(303)?;
    let location = arrived.location.unwrap_or_default();
    if !location.contains("calwire=connected") {
        bail!("the callback leads to {location}");
    }
    Ok(())
}

/// Sends the consent page's form with everything ticked.
fn allow(agent: &Agent, emulator_url: &str, consent_url: &str, page: &str, user: &str) -> Result<Answer> {
    let account = values(page, "account")
        .find(|account| account.split('@').next() == Some(user))
        .context("the emulator has no account of this name")?;
    let request = consent_url.split_once('?').map_or("", |(_, query)| query);
    let mut form = vec![("account", account), ("decision", "allow"), ("request", request)];
    form.extend(values(page, "grant").map(|scope| ("grant", scope)));
    let url = format!("{emulator_url}/o/oauth2/v2/consent");
    Answer::read(agent.post(url).send_form(form)?)?.expect(302)
}

/// The values of the page's inputs of this name.
fn values<'a>(page: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let start = format!("name=\"{name}\" value=\"");
    let inputs: Vec<_> = page.split(&*start).skip(1).collect();
    inputs.into_iter().filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_found_by_name() {
        let page = r#"<input type="radio" name="account" value="alice@example.com" required>
            <input name="grant" value="a"><input name="grant" value="b" checked>"#;
        assert_eq!(values(page, "account").collect::<Vec<_>>(), ["alice@example.com"]);
        assert_eq!(values(page, "grant").collect::<Vec<_>>(), ["a", "b"]);
    }
}
