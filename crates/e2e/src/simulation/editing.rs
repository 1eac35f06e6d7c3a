//! Changes that people make in Google itself, and Google's faults.

use anyhow::Result;
use chrono::TimeDelta;
use google_emulator::{Fault, Resource, Rule};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::accounts::{calendars, email};
use super::mirror::field;
use super::plan::{Edit, Trouble, User};
use super::world::{World, start_of_day_in};

/// Makes a change in Google, which may refuse it; then nothing has happened.
pub fn edit(world: &World, user: User, edit: Edit, dice: u32) -> Result<()> {
    let mut dice = StdRng::seed_from_u64(dice.into());
    let calendar = calendars(user)[dice.random_range(0..3)];
    let who = email(user);
    let alive = alive(world, calendar);
    let chosen = (!alive.is_empty()).then(|| alive[dice.random_range(0..alive.len())].clone());
    let title = format!("G{}", dice.random_range(0..100_000));
    let day = dice.random_range(0..30);
    let when = hour(world, day, dice.random_range(6..20))?;
    let google = &world.google;
    let id = chosen
        .as_ref()
        .map(|event| field(event, "id"))
        .unwrap_or_default();
    match (edit, chosen) {
        (Edit::Insert, _) => {
            let body = with(when, &title);
            drop(google.insert(who, calendar, named(body, &mut dice)));
        }
        (Edit::InsertDay, _) => {
            let first = world.clock.now().date_naive() + chrono::Days::new(day);
            let next = first + chrono::Days::new(1);
            let body = json!({"summary": title, "start": {"date": first}, "end": {"date": next}});
            drop(google.insert(who, calendar, named(body, &mut dice)));
        }
        (Edit::InsertSeries, _) => {
            let mut body = with(when, &title);
            let count = dice.random_range(2..9);
            let rule = if dice.random() { "DAILY" } else { "WEEKLY" };
            body["recurrence"] = json!([format!("RRULE:FREQ={rule};COUNT={count}")]);
            drop(google.insert(who, calendar, named(body, &mut dice)));
        }
        (Edit::Retitle, Some(_)) => drop(google.patch(who, calendar, &id, json!({"summary": title}))),
        (Edit::Reschedule, Some(_)) => drop(google.patch(who, calendar, &id, when)),
        (Edit::EditInstance | Edit::CancelInstance, Some(event)) => {
            let Some(instance) = an_instance(world, calendar, &event, &mut dice) else {
                return Ok(());
            };
            if edit == Edit::CancelInstance {
                drop(google.delete(who, calendar, &instance));
            } else {
                drop(google.patch(who, calendar, &instance, json!({"summary": title})));
            }
        }
        (Edit::Delete, Some(_)) => drop(google.delete(who, calendar, &id)),
        (Edit::DeleteMany, Some(_)) => {
            for event in alive.iter().take(alive.len() / 2) {
                drop(google.delete(who, calendar, &field(event, "id")));
            }
        }
        (_, None) => {}
    }
    Ok(())
}

fn an_instance(world: &World, calendar: &str, event: &Resource, dice: &mut StdRng) -> Option<String> {
    if !event.contains_key("recurrence") {
        return None;
    }
    let instances = world.google.instances(calendar, &field(event, "id"));
    let chosen = instances.get(dice.random_range(0..instances.len().max(1)))?;
    Some(field(chosen, "id"))
}

fn alive(world: &World, calendar: &str) -> Vec<Resource> {
    let mut events = world.google.events(calendar);
    events.retain(|event| event.get("status").is_none_or(|status| status != "cancelled"));
    events
}

fn hour(world: &World, days: u64, hour: u32) -> Result<Value> {
    let start = start_of_day_in(world, days, hour)?;
    Ok(json!({
        "start": {"dateTime": start, "timeZone": "Europe/Berlin"},
        "end": {"dateTime": start + TimeDelta::hours(1), "timeZone": "Europe/Berlin"},
    }))
}

/// Gives an event an id that depends on the seed alone, since listings may be ordered by it.
fn named(mut body: Value, dice: &mut StdRng) -> Value {
    let digit = |_| char::from(b"0123456789abcdefghijklmnopqrstuv"[dice.random_range(0..32)]);
    body["id"] = (0..26).map(digit).collect::<String>().into();
    body
}

fn with(mut body: Value, title: &str) -> Value {
    body["summary"] = json!(title);
    body
}

/// Makes Google's next calls of some kind fail.
pub fn trouble(world: &World, user: User, trouble: Trouble, dice: u32) {
    let mut dice = StdRng::seed_from_u64(dice.into());
    match trouble {
        Trouble::ExpireSyncTokens => {
            let calendar = calendars(user)[dice.random_range(0..3)];
            world
                .google
                .expire_sync_tokens((dice.random_range(0..3) > 0).then_some(calendar));
        }
        Trouble::ExpireAccess => world.google.expire_access_tokens(email(user)),
        _ => {
            let (endpoint, fault) = fault(trouble, &mut dice);
            let times = dice.random_range(1..3);
            let skip = if dice.random_bool(0.3) {
                dice.random_range(0..3)
            } else {
                0
            };
            let rule = Rule::new(endpoint, fault)
                .of_user(email(user))
                .times(times)
                .skipping(skip);
            world.google.fault(rule);
        }
    }
}

fn error(status: u16, reason: &str) -> Fault {
    Fault::Error {
        status,
        reason: Some(reason.to_owned()),
        message: None,
        retry_after: None,
    }
}

fn fault(trouble: Trouble, dice: &mut StdRng) -> (&'static str, Fault) {
    match trouble {
        Trouble::Gone => ("events.list", Fault::Gone { page: 1 }),
        Trouble::GoneLater => ("events.list", Fault::Gone { page: 2 }),
        Trouble::SmallPages => (
            "events.list",
            Fault::PageSize {
                size: dice.random_range(1..3),
            },
        ),
        Trouble::EmptyPage => (
            "events.list",
            Fault::EmptyPage {
                page: dice.random_range(1..3),
            },
        ),
        Trouble::Shuffled => ("events.list", Fault::Shuffle),
        Trouble::Limited => ("events.*", error(403, "userRateLimitExceeded")),
        Trouble::ProjectLimited => ("events.*", error(429, "rateLimitExceeded")),
        Trouble::QuotaSpent => ("events.*", error(403, "quotaExceeded")),
        Trouble::LostRequest => ("events.*", Fault::Reset { after: false }),
        Trouble::LostAnswer => ("events.*", Fault::Reset { after: true }),
        Trouble::Truncated => ("events.list", Fault::Truncate),
        Trouble::Garbage => ("events.list", Fault::Garbage),
        Trouble::Unauthorized => ("*", error(401, "authError")),
        Trouble::TokenUnavailable => ("oauth.token", error(503, "backendError")),
        Trouble::TokenRefused => ("oauth.token", error(400, "invalid_grant")),
        Trouble::WatchUnavailable => ("events.watch", error(503, "backendError")),
        Trouble::ShortWatch => ("events.watch", Fault::ShortExpiry { seconds: 3_600 }),
        Trouble::StopUnavailable => ("channels.stop", error(500, "backendError")),
        Trouble::WriteUnavailable => (WRITES[dice.random_range(0..3)], error(503, "backendError")),
        Trouble::WriteAnswerLost => (WRITES[dice.random_range(0..3)], Fault::Reset { after: true }),
        Trouble::Forbidden => ("events.list", error(403, "forbidden")),
        // The last two are not faults of calls, and are handled by the caller.
        Trouble::Unavailable | Trouble::ExpireSyncTokens | Trouble::ExpireAccess => {
            ("events.*", error(503, "backendError"))
        }
    }
}

const WRITES: [&str; 3] = ["events.insert", "events.patch", "events.delete"];
