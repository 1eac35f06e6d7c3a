//! Changes that people make in Google itself, and Google's faults.

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use google_emulator::{Fault, Resource, Rule};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::accounts::{calendars, email};
use super::invitations;
use super::mirror::field;
use super::plan::{Edit, Trouble, User};
use super::world::{World, start_of_day_in};
use crate::bodies::{self, Form};

/// Makes a change in Google, which may refuse it; then nothing has happened.
pub fn edit(world: &World, user: User, edit: Edit, dice: u32) -> Result<()> {
    let mut dice = StdRng::seed_from_u64(dice.into());
    let calendar = calendars(user)[dice.random_range(0..3)];
    let who = email(user);
    let alive = alive(world, calendar);
    let chosen = (!alive.is_empty()).then(|| alive[dice.random_range(0..alive.len())].clone());
    let title = format!("G{}", dice.random_range(0..100_000));
    let start = start_of_day_in(world, dice.random_range(0..30), dice.random_range(6..20))?;
    let google = &world.google;
    let id = chosen
        .as_ref()
        .map(|event| field(event, "id"))
        .unwrap_or_default();
    match edit {
        Edit::Insert(form) => return insert(world, (who, calendar), form, (start, &title), &mut dice),
        Edit::Invite => return invitations::insert(world, user, (start, &title), &mut dice),
        Edit::Meeting(edit) => {
            invitations::edit(world, user, edit, &mut dice);
            return Ok(());
        }
        _ => {}
    }
    match (edit, chosen) {
        (Edit::Retitle, Some(_)) => drop(google.patch(who, calendar, &id, json!({"summary": title}))),
        (Edit::Reschedule, Some(_)) => {
            let when = bodies::hour(start, "Europe/Berlin", "Europe/Berlin");
            drop(google.patch(who, calendar, &id, when));
        }
        (Edit::Answer, Some(event)) => {
            if let Some(attendees) = answered(&event, &mut dice) {
                drop(google.patch(who, calendar, &id, json!({ "attendees": attendees })));
            }
        }
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
        _ => {}
    }
    Ok(())
}

fn insert(
    world: &World,
    (who, calendar): (&str, &str),
    form: Form,
    (start, title): (DateTime<Utc>, &str),
    dice: &mut StdRng,
) -> Result<()> {
    let mut body = new_event(form, (start, title), dice);
    // The owner of a calendar is a guest of their own events, and can answer.
    if let Some(Value::Array(guests)) = body.get_mut("attendees")
        && who == calendar
    {
        guests.push(json!({"email": who, "responseStatus": "needsAction"}));
    }
    let inserted = if form == Form::FromGmail {
        world.google.receive(who, calendar, body)
    } else {
        world.google.insert(who, calendar, body).map(drop)
    };
    // An account may not change each of its calendars, but this one.
    match inserted {
        Err(error) if who == calendar => bail!("Google refused a new event ({form:?}): {error:?}"),
        _ => Ok(()),
    }
}

pub fn new_event(form: Form, (start, title): (DateTime<Utc>, &str), dice: &mut StdRng) -> Value {
    let rule = (form == Form::Series).then(|| {
        let count = dice.random_range(2..9);
        let rule = if dice.random() { "DAILY" } else { "WEEKLY" };
        format!("RRULE:FREQ={rule};COUNT={count}")
    });
    let mut body = bodies::body(form, start, title, dice);
    if let Some(rule) = rule {
        body["recurrence"] = json!([rule]);
    }
    body
}

pub fn an_instance(world: &World, calendar: &str, event: &Resource, dice: &mut StdRng) -> Option<String> {
    if !event.contains_key("recurrence") {
        return None;
    }
    let instances = world.google.instances(calendar, &field(event, "id"));
    let chosen = instances.get(dice.random_range(0..instances.len().max(1)))?;
    Some(field(chosen, "id"))
}

pub fn alive(world: &World, calendar: &str) -> Vec<Resource> {
    let mut events = world.google.events(calendar);
    events.retain(|event| event.get("status").is_none_or(|status| status != "cancelled"));
    events
}

/// The guests of an event after one has answered.
fn answered(event: &Resource, dice: &mut StdRng) -> Option<Value> {
    let mut guests = event.get("attendees")?.clone();
    let list = guests.as_array_mut()?;
    let chosen = dice.random_range(0..list.len().max(1));
    let guest = list.get_mut(chosen)?;
    guest["responseStatus"] = json!("declined");
    guest["comment"] = json!(format!("Sorry {}", dice.random_range(0..1_000)));
    Some(guests)
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
        // Of one calendar, and often enough that its pages become smaller.
        Trouble::SlowPages => {
            let (endpoint, fault) = fault(trouble, &mut dice);
            let rule = Rule::new(endpoint, fault).of_calendar(email(user));
            world.google.fault(rule.of_user(email(user)).times(4));
        }
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

pub fn fault(trouble: Trouble, dice: &mut StdRng) -> (&'static str, Fault) {
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
        Trouble::SlowPages => ("events.list", Fault::SlowPage { ms_per_event: 2 }),
        Trouble::Limited => ("events.*", error(403, "userRateLimitExceeded")),
        Trouble::LimitedUnnamed => (
            "events.*",
            Fault::Error {
                status: 403,
                reason: Some("rateLimitExceeded".to_owned()),
                message: None,
                retry_after: Some(600),
            },
        ),
        Trouble::WritesSpent => ("writes", error(403, "quotaExceeded")),
        Trouble::ProjectLimited => ("events.*", error(429, "rateLimitExceeded")),
        Trouble::QuotaSpent => ("events.*", error(403, "quotaExceeded")),
        Trouble::LostRequest => ("events.*", Fault::Reset { after: false }),
        Trouble::LostAnswer => ("events.*", Fault::Reset { after: true }),
        Trouble::Truncated => ("events.list", Fault::Truncate),
        Trouble::Garbage => ("events.list", Fault::Garbage),
        Trouble::Unauthorized => ("*", error(401, "authError")),
        Trouble::TokenUnavailable => ("oauth.token", error(503, "backendError")),
        Trouble::TokenRefused => ("oauth.token", error(400, "invalid_grant")),
        Trouble::PolicyRefuses => ("oauth.token", error(400, POLICIES[dice.random_range(0..3)])),
        Trouble::ClientRefused => ("oauth.token", error(401, "unauthorized_client")),
        Trouble::WatchUnavailable => ("events.watch", error(503, "backendError")),
        Trouble::ShortWatch => ("events.watch", Fault::ShortExpiry { seconds: 3_600 }),
        Trouble::StopUnavailable => ("channels.stop", error(500, "backendError")),
        Trouble::WriteUnavailable => (WRITES[dice.random_range(0..3)], error(503, "backendError")),
        Trouble::WriteAnswerLost => (WRITES[dice.random_range(0..3)], Fault::Reset { after: true }),
        Trouble::Forbidden => ("events.list", error(403, "forbidden")),
        Trouble::Missing => ("events.list", error(404, "notFound")),
        Trouble::CalendarOff => (LISTS[dice.random_range(0..2)], error(403, "notACalendarUser")),
        // The last two are not faults of calls, and are handled by the caller.
        Trouble::Unavailable | Trouble::ExpireSyncTokens | Trouble::ExpireAccess => {
            ("events.*", error(503, "backendError"))
        }
    }
}

const LISTS: [&str; 2] = ["calendarList.list", "events.list"];
const POLICIES: [&str; 3] = ["admin_policy_enforced", "access_denied", "policy_enforced"];
const WRITES: [&str; 3] = ["events.insert", "events.patch", "events.delete"];
