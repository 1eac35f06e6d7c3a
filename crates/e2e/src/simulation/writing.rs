//! What people do by way of Calwire.

use anyhow::Result;
use chrono::TimeDelta;
use common::ids::CalendarId;
use google_emulator::MailKind;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use store::calendars::Calendar;
use sync::write::{Command, Mail, Reason, Refused, Request, Scope, Submitted, WriteResult};

use super::browser::text;
use super::host::{Done, Ran};
use super::ledger::holds;
use super::plan::{Snare, User, Write};
use super::world::{Purpose, World, start_of_day_in, user_id};

/// A request, as it was made.
#[derive(Debug, Clone)]
pub struct Asked {
    pub user: User,
    pub key: String,
    pub request: Request,
    /// In Google.
    pub calendar: String,
    /// What the event is called afterwards.
    pub title: Option<String>,
    pub guest: Option<String>,
}

pub async fn calendars_of(world: &World, user: User) -> Result<Vec<Calendar>> {
    let mut conn = world.database.pool.acquire().await?;
    Ok(store::calendars::of_user(&mut conn, &user_id(user)).await?)
}

/// Asks for a change, and judges the answer if there is one at once.
pub async fn write(
    world: &mut World,
    (user, host): (User, usize),
    write: Write,
    dice: u32,
    twice: bool,
    snare: Option<&Snare>,
) -> Result<()> {
    let Some(asked) = choose(world, user, write, dice).await? else {
        return Ok(());
    };
    world.ledger.writes.push(asked.clone());
    let ran = submit(world, host, &asked, snare).await?;
    let Some(Done::Written(answer)) = super::act::settle(world, host, ran, Purpose::Write).await? else {
        return Ok(());
    };
    judge(world, &asked, &answer)?;
    if twice && let Ok(first) = answer {
        let again = submit(world, host, &asked, None).await?;
        let again = super::act::settle(world, host, again, Purpose::Write).await?;
        if let Some(Done::Written(Ok(second))) = again {
            holds!(
                first.intent_id == second.intent_id,
                "one_request",
                "the key {} became two requests",
                asked.key
            );
            if let (Some(first), Some(second)) = (&first.result, &second.result) {
                holds!(
                    first == second,
                    "one_request",
                    "{}: {first:?}, then {second:?}",
                    asked.key
                );
            }
        }
    }
    Ok(())
}

async fn submit(world: &mut World, host: usize, asked: &Asked, snare: Option<&Snare>) -> Result<Ran> {
    let ctx = world.hosts[host].ctx.clone();
    let (user, key, request) = (user_id(asked.user), asked.key.clone(), asked.request.clone());
    let work = async move { Done::Written(sync::write::submit(&ctx, &user, &key, request).await) };
    world.hosts[host].run(work, snare, Purpose::Write).await
}

async fn choose(world: &mut World, user: User, write: Write, dice: u32) -> Result<Option<Asked>> {
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
    let guest = (write == Write::Invite).then(|| "guest@elsewhere.example".to_owned());
    let (calendar, command) = if matches!(write, Write::Create | Write::Invite | Write::CreateSeries) {
        let event = new_event(world, write, &title, &mut dice)?;
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
    let renames = matches!(
        write,
        Write::Create | Write::Invite | Write::CreateSeries | Write::Retitle
    );
    Ok(Some(Asked {
        user,
        key: format!("key-{}", world.ledger.keys),
        calendar: calendar.google_id.clone(),
        request: Request {
            calendar: calendar.id,
            mail: Mail::All,
            command,
        },
        title: renames.then_some(title),
        guest,
    }))
}

fn new_event(world: &World, write: Write, title: &str, dice: &mut StdRng) -> Result<Value> {
    let start = start_of_day_in(world, dice.random_range(0..30), dice.random_range(6..20))?;
    let mut event = json!({
        "title": title, "start": start, "end": start + TimeDelta::hours(1), "timeZone": "Europe/Berlin",
    });
    match write {
        Write::Invite => event["attendees"] = json!([{"email": "guest@elsewhere.example"}]),
        Write::CreateSeries => event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=5"]),
        _ => {}
    }
    Ok(event)
}

/// One that the user's browser shows, in the version that it shows.
fn an_event(world: &World, user: User, write: Write, dice: &mut StdRng) -> Option<Value> {
    let browser = &world.browsers[user.index()];
    let of_series = matches!(write, Write::RetitleSeries | Write::Split | Write::DeleteSeries);
    let fits = |event: &&&Value| event["recurringEventId"].is_string() == of_series || write == Write::Delete;
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
    let patch = if write == Write::Reschedule {
        let start = start_of_day_in(world, dice.random_range(0..30), dice.random_range(6..20))?;
        json!({"start": start, "end": start + TimeDelta::hours(1)})
    } else {
        json!({"title": title})
    };
    let scope = event["recurringEventId"].is_string().then_some(match write {
        Write::RetitleSeries | Write::DeleteSeries => Scope::All,
        Write::Split => Scope::Following,
        _ => Scope::This,
    });
    Ok(Some(match write {
        Write::Delete | Write::DeleteSeries => Command::Delete {
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
        _ => Command::Update {
            event_id,
            base_etag,
            patch: serde_json::from_value(patch)?,
            scope,
        },
    }))
}

/// What was answered is so in Google: nobody has done anything since.
fn judge(world: &World, asked: &Asked, answer: &std::result::Result<Submitted, Refused>) -> Result<()> {
    let (
        Ok(Submitted {
            result: Some(WriteResult::Done {
                event: Some(event), ..
            }),
            ..
        }),
        Some(title),
    ) = (answer, &asked.title)
    else {
        return Ok(());
    };
    let in_google = world.google.event(&asked.calendar, &event.event_id);
    let summary = in_google
        .as_ref()
        .map(|event| super::editing::text(event, "summary"));
    holds!(
        summary.as_deref() == Some(title.as_str()) && event.title == *title,
        "written_is_written",
        "{}: answered {:?}, asked for {title}, Google has {summary:?}",
        asked.key,
        event.title
    );
    Ok(())
}

struct Intent {
    state: String,
    operation: String,
    event_id: String,
    result: Option<Value>,
}

/// Every request has ended, and Google has of it what the end says.
pub async fn all_ended(world: &World) -> Result<()> {
    for asked in &world.ledger.writes {
        let Some(intent) = intent_of(world, asked).await? else {
            continue;
        };
        let key = &asked.key;
        holds!(
            matches!(intent.state.as_str(), "done" | "failed" | "conflict"),
            "writes_end",
            "{key} ({}) is {} at rest",
            intent.operation,
            intent.state
        );
        if intent.operation == "create" {
            created(world, asked, &intent)?;
        }
    }
    Ok(())
}

async fn intent_of(world: &World, asked: &Asked) -> Result<Option<Intent>> {
    let row: Option<(String, String, String, Option<Value>)> = sqlx::query_as(
        "select state, operation, event_id, result from write_intents where user_id = $1 and idempotency_key = $2",
    )
    .bind(super::world::name(asked.user))
    .bind(&asked.key)
    .fetch_optional(&world.database.pool)
    .await?;
    Ok(row.map(|(state, operation, event_id, result)| Intent {
        state,
        operation,
        event_id,
        result,
    }))
}

fn created(world: &World, asked: &Asked, intent: &Intent) -> Result<()> {
    let (key, id) = (&asked.key, &intent.event_id);
    let is_there = world.google.event(&asked.calendar, id).is_some();
    if intent.state == "done" {
        // Perhaps moved to another calendar since, or deleted: its id is known there then.
        let anywhere = [
            super::world::TEAM,
            super::world::PROJECT,
            super::world::email(asked.user),
        ];
        let known = anywhere
            .iter()
            .any(|calendar| world.google.event(calendar, id).is_some());
        holds!(known, "made_once", "{key} is done, and Google has never had {id}");
    }
    let reason = intent
        .result
        .as_ref()
        .and_then(|result| result["reason"].as_str());
    let surely_not = [Reason::GoogleUnavailable, Reason::QuotaExceeded].map(Reason::name);
    if reason.is_some_and(|reason| surely_not.contains(&reason)) {
        holds!(
            !is_there,
            "made_once",
            "{key} is said not to have happened ({reason:?}), and Google has {id}"
        );
    }
    if let Some(guest) = &asked.guest {
        let mails = world.google.mails();
        let invited = mails
            .iter()
            .filter(|mail| mail.event == *id && mail.to == *guest && mail.kind == MailKind::Invitation);
        let times = invited.count();
        let right = if intent.state == "done" {
            times == 1
        } else {
            times <= 1
        };
        holds!(
            right,
            "mailed_once",
            "{key}, {}: the guest was invited {times} times",
            intent.state
        );
    }
    Ok(())
}
