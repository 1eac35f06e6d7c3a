//! Changes that users make through Calwire.

use anyhow::Result;
use chrono::TimeDelta;
use common::ids::CalendarId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use store::calendars::Calendar;
use sync::write::{Command, Mail, Refused, Request, Response, Scope, Submitted, WriteResult};

use super::accounts::{email, user_id};
use super::browser::text;
use super::host::{Done, Ran};
use super::ledger::{WriteRequest, holds};
use super::mirror::field;
use super::plan::{Snare, User, Write};
use super::work::settle;
use super::world::{Purpose, World, start_of_day_in};
use crate::bodies::WORD;

pub const GUEST: &str = "guest@elsewhere.example";

pub async fn calendars_of(world: &World, user: User) -> Result<Vec<Calendar>> {
    let mut conn = world.database.pool.acquire().await?;
    Ok(store::calendars::of_user(&mut conn, &user_id(user)).await?)
}

/// Submits a change, and judges the answer if it is there at once.
pub async fn write(
    world: &mut World,
    (user, host): (User, usize),
    write: Write,
    dice: u32,
    twice: bool,
    snare: Option<&Snare>,
) -> Result<()> {
    let Some(request) = choose(world, user, write, dice).await? else {
        return Ok(());
    };
    world.ledger.writes.push(request.clone());
    let ran = submit(world, host, &request, snare).await?;
    let Some(Done::Written(answer)) = settle(world, host, ran, Purpose::Write).await? else {
        return Ok(());
    };
    judge(world, &request, &answer)?;
    if twice && let Ok(first) = answer {
        let again = submit(world, host, &request, None).await?;
        let again = settle(world, host, again, Purpose::Write).await?;
        if let Some(Done::Written(Ok(second))) = again {
            holds!(
                first.intent_id == second.intent_id,
                "one_request",
                "the key {} became two requests",
                request.key
            );
            if let (Some(first), Some(second)) = (&first.result, &second.result) {
                holds!(
                    first == second,
                    "one_request",
                    "{}: {first:?}, then {second:?}",
                    request.key
                );
            }
        }
    }
    Ok(())
}

async fn submit(
    world: &mut World,
    host: usize,
    request: &WriteRequest,
    snare: Option<&Snare>,
) -> Result<Ran> {
    let ctx = world.hosts[host].ctx.clone();
    let (user, key, request) = (
        user_id(request.user),
        request.key.clone(),
        request.request.clone(),
    );
    let work = async move { Done::Written(sync::write::submit(&ctx, &user, &key, request).await) };
    world.hosts[host].run(work, snare, Purpose::Write).await
}

async fn choose(world: &mut World, user: User, write: Write, dice: u32) -> Result<Option<WriteRequest>> {
    let mut dice = StdRng::seed_from_u64(dice.into());
    let calendars = calendars_of(world, user).await?;
    let mut writable: Vec<_> = calendars
        .iter()
        .filter(|calendar| calendar.selected && calendar.access_role == "owner")
        .collect();
    writable.sort_by(|a, b| a.google_id.cmp(&b.google_id));
    if writable.is_empty() {
        return Ok(None);
    }
    let calendar = writable[dice.random_range(0..writable.len())];
    let title = format!("C{}", dice.random_range(0..100_000));
    let guest = match write {
        Write::Invite | Write::AddGuest => Some(GUEST.to_owned()),
        Write::InviteUser => Some(email(user.other()).to_owned()),
        _ => None,
    };
    let (calendar, command) = if write.is_new() {
        let event = new_event(world, write, guest.as_deref(), &title, &mut dice)?;
        let event = serde_json::from_value(event)?;
        (calendar, Command::Create { event })
    } else {
        let Some(event) = an_event(world, user, write, &mut dice) else {
            return Ok(None);
        };
        let of_event = event["calendarId"].as_str().unwrap_or_default();
        let Some(calendar) = calendars
            .iter()
            .find(|calendar| calendar.id.to_string() == of_event)
        else {
            return Ok(None);
        };
        let others = writable.iter().filter(|other| other.id != calendar.id);
        let destination = others.map(|other| other.id).next();
        let Some(command) = change(world, write, &event, &title, destination, &mut dice)? else {
            return Ok(None);
        };
        (calendar, command)
    };
    world.ledger.keys += 1;
    let renames = write.is_new() || write == Write::Retitle;
    Ok(Some(WriteRequest {
        user,
        key: format!("key-{}", world.ledger.keys),
        calendar: calendar.google_id.clone(),
        request: Request {
            calendar: calendar.id,
            mail: Some(Mail::All),
            command,
        },
        title: renames.then(|| title.clone()),
        guest,
        text: title,
    }))
}

fn new_event(
    world: &World,
    write: Write,
    guest: Option<&str>,
    title: &str,
    dice: &mut StdRng,
) -> Result<Value> {
    let start = start_of_day_in(world, dice.random_range(0..30), dice.random_range(6..20))?;
    let mut event = json!({
        "title": title, "start": start, "end": start + TimeDelta::hours(1), "timeZone": "Europe/Berlin",
    });
    if let Some(guest) = guest {
        event["attendees"] = json!([{ "email": guest }]);
    }
    if write == Write::CreateSeries {
        event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=5"]);
    }
    Ok(event)
}

/// An event as the user's browser shows it.
fn an_event(world: &World, user: User, write: Write, dice: &mut StdRng) -> Option<Value> {
    let browser = &world.browsers[user.index()];
    let is_of_series = |event: &Value| event["recurringEventId"].is_string();
    let fits = |event: &&&Value| match write {
        Write::Delete => true,
        Write::Describe => text(&event["description"]).contains(WORD),
        Write::Respond => {
            let guests = event["attendees"].as_array();
            guests.is_some_and(|guests| guests.iter().any(|guest| guest["self"] == true))
        }
        _ => is_of_series(event) == write.is_of_series(),
    };
    let events = browser.events();
    let fitting: Vec<_> = events.iter().filter(fits).collect();
    let chosen = fitting.get(dice.random_range(0..fitting.len().max(1)))?;
    Some((**chosen).clone())
}

fn change(
    world: &World,
    write: Write,
    event: &Value,
    title: &str,
    destination: Option<CalendarId>,
    dice: &mut StdRng,
) -> Result<Option<Command>> {
    let (event_id, base_etag) = (text(&event["id"]), text(&event["etag"]));
    let scope = event["recurringEventId"].is_string().then_some(match write {
        Write::RetitleSeries | Write::DeleteSeries => Scope::All,
        Write::Split | Write::DeleteFollowing => Scope::Following,
        _ => Scope::This,
    });
    Ok(Some(match write {
        Write::Delete | Write::DeleteSeries | Write::DeleteFollowing => Command::Delete {
            event_id,
            base_etag: dice.random_bool(0.7).then_some(base_etag),
            scope,
        },
        Write::Move => match destination {
            Some(destination) => Command::Move {
                event_id,
                destination,
            },
            None => return Ok(None),
        },
        Write::Respond => Command::Respond {
            event_id,
            response: Response::Accepted,
            comment: dice.random_bool(0.5).then(|| title.to_owned()),
            scope,
        },
        _ => Command::Update {
            event_id,
            base_etag,
            patch: serde_json::from_value(patch(world, write, event, title, dice)?)?,
            scope,
        },
    }))
}

fn patch(world: &World, write: Write, event: &Value, title: &str, dice: &mut StdRng) -> Result<Value> {
    Ok(match write {
        Write::Reschedule => {
            let start = start_of_day_in(world, dice.random_range(0..30), dice.random_range(6..20))?;
            json!({"start": start, "end": start + TimeDelta::hours(1)})
        }
        // The text as the browser has it: cut, if it is long.
        Write::Describe => json!({"description": text(&event["description"]).replacen(WORD, title, 1)}),
        Write::Recolor => json!({"colorId": dice.random_range(1..12).to_string()}),
        Write::AddGuest => {
            let mut guests = event["attendees"].as_array().cloned().unwrap_or_default();
            guests.push(json!({ "email": GUEST }));
            json!({ "attendees": guests })
        }
        _ => json!({"title": title}),
    })
}

/// Google has what was answered: nothing has changed it since.
fn judge(
    world: &World,
    request: &WriteRequest,
    answer: &std::result::Result<Submitted, Refused>,
) -> Result<()> {
    let (
        Ok(Submitted {
            result: Some(WriteResult::Done {
                event: Some(event), ..
            }),
            ..
        }),
        Some(title),
    ) = (answer, &request.title)
    else {
        return Ok(());
    };
    let in_google = world.google.event(&request.calendar, &event.event_id);
    let summary = in_google.as_ref().map(|event| field(event, "summary"));
    holds!(
        summary.as_deref() == Some(title.as_str()) && event.view.title == *title,
        "written_is_written",
        "{}: answered {:?}, requested {title}, Google has {summary:?}",
        request.key,
        event.view.title
    );
    Ok(())
}
