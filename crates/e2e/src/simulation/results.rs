//! The results of writes at rest: Google has what was reported.

use anyhow::Result;
use google_emulator::MailKind;
use serde_json::Value;
use sync::write::Reason;

use super::accounts::{PROJECT, TEAM, email, name};
use super::ledger::{WriteRequest, holds};
use super::world::World;

struct Intent {
    state: String,
    operation: String,
    event_id: String,
    result: Option<Value>,
}

/// Every write has ended, and Google has the result that was reported.
pub async fn all_ended(world: &World) -> Result<()> {
    for request in &world.ledger.writes {
        let Some(intent) = intent_of(world, request).await? else {
            continue;
        };
        let key = &request.key;
        holds!(
            matches!(intent.state.as_str(), "done" | "failed" | "conflict"),
            "writes_end",
            "{key} ({}) is {} at rest",
            intent.operation,
            intent.state
        );
        if intent.operation == "create" {
            created(world, request, &intent)?;
        }
    }
    Ok(())
}

async fn intent_of(world: &World, request: &WriteRequest) -> Result<Option<Intent>> {
    let row: Option<(String, String, String, Option<Value>)> = sqlx::query_as(
        "select state, operation, event_id, result from write_intents where user_id = $1 and idempotency_key = $2",
    )
    .bind(name(request.user))
    .bind(&request.key)
    .fetch_optional(&world.database.pool)
    .await?;
    Ok(row.map(|(state, operation, event_id, result)| Intent {
        state,
        operation,
        event_id,
        result,
    }))
}

fn created(world: &World, request: &WriteRequest, intent: &Intent) -> Result<()> {
    let (key, id) = (&request.key, &intent.event_id);
    let is_there = world.google.event(&request.calendar, id).is_some();
    if intent.state == "done" {
        // The event may have been moved or deleted since; then its id is known in another calendar, or as a tombstone.
        let anywhere = [TEAM, PROJECT, email(request.user)];
        let known = anywhere
            .iter()
            .any(|calendar| world.google.event(calendar, id).is_some());
        holds!(known, "made_once", "{key} is done, but Google has never had {id}");
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
            "{key} was reported as not done ({reason:?}), but Google has {id}"
        );
    }
    if let Some(guest) = &request.guest {
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
