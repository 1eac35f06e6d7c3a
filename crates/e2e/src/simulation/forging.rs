//! Forbidden attempts, none of which may have an effect.

use anyhow::Result;
use google_emulator::Diverted;
use serde_json::json;
use store::connections;
use sync::write::{Command, Mail, Reason, Refused, Request};

use super::accounts::{name, user_id};
use super::api::{Token, is_passing, token};
use super::host::{Done, Ran};
use super::ledger::{holds, violated};
use super::plan::{Forgery, User, word};
use super::settings::KEYS;
use super::work::notification;
use super::world::{Purpose, World};
use super::writing::calendars_of;

pub async fn forge(world: &mut World, forgery: Forgery, user: User, dice: u32) -> Result<()> {
    world.ledger.count(format!("forged: {}", word(&forgery)));
    match forgery {
        Forgery::UnknownChannel | Forgery::WrongToken | Forgery::WrongResource => {
            false_push(world, forgery, dice).await
        }
        Forgery::SwappedToken => swapped_token(world).await,
        Forgery::JwtAlgorithm => bad_jwt(world, user, Token::OtherAlgorithm).await,
        Forgery::JwtExpired => bad_jwt(world, user, Token::Expired).await,
        Forgery::JwtAudience => bad_jwt(world, user, Token::OtherAudience).await,
        Forgery::JwtUnsigned => bad_jwt(world, user, Token::Unsigned).await,
        Forgery::OthersChannel => {
            let channel = json!({"channel": format!("calendar:{}", name(user.other()))});
            refused(
                world,
                user,
                "realtime.getSubscriptionToken",
                channel,
                "NOT_YOUR_CHANNEL",
            )
            .await
        }
        Forgery::OthersCalendar => others_calendar(world, user).await,
        Forgery::OthersEvent => others_event(world, user).await,
    }
}

/// Until Google's answer is stored, a channel is identified by its token alone.
async fn is_resource_known(world: &World, push: &Diverted) -> Result<bool> {
    let channel = push
        .headers
        .iter()
        .find(|(header, _)| *header == "X-Goog-Channel-ID")
        .map(|(_, id)| id);
    let known = sqlx::query_scalar(
        "select exists (select from watches where channel_id = $1 and google_resource_id is not null)",
    )
    .bind(channel)
    .fetch_one(&world.database.pool)
    .await?;
    Ok(known)
}

async fn false_push(world: &mut World, forgery: Forgery, dice: u32) -> Result<()> {
    let genuine: Vec<&Diverted> = world.delivered.iter().chain(&world.underway).collect();
    let Some(&push) = genuine.get(dice as usize % genuine.len().max(1)) else {
        return Ok(());
    };
    let mut push = push.clone();
    if forgery == Forgery::WrongResource && !is_resource_known(world, &push).await? {
        return Ok(());
    }
    for (header, value) in &mut push.headers {
        match (*header, forgery) {
            ("X-Goog-Channel-ID", Forgery::UnknownChannel)
            | ("X-Goog-Channel-Token", Forgery::WrongToken)
            | ("X-Goog-Resource-ID", Forgery::WrongResource) => *value = format!("forged{dice}"),
            _ => {}
        }
    }
    let before = dirtiness(world).await?;
    let work = world.hosts[0].push(notification(&push)?);
    let ran = world.hosts[0].run(work, None, Purpose::Job).await?;
    if let Ran::Done(Done::Pushed(Ok(()))) = ran {
        violated!(
            "forged_push_refused",
            "{forgery:?} was accepted: {:?}",
            push.headers
        );
    }
    if world.hosts.iter().all(|host| host.held() == 0) {
        holds!(
            before == dirtiness(world).await?,
            "forged_push_refused",
            "{forgery:?} made something due"
        );
    }
    Ok(())
}

async fn dirtiness(world: &World) -> Result<Option<i64>> {
    Ok(
        sqlx::query_scalar("select sum(dirty_seq)::bigint from sync_state")
            .fetch_one(&world.database.pool)
            .await?,
    )
}

/// A sealed token that is copied into another user's row does not open.
async fn swapped_token(world: &World) -> Result<()> {
    let mut tx = world.database.pool.begin().await?;
    let ids: Vec<uuid::Uuid> =
        sqlx::query_scalar("select id from connections where access_token is not null order by user_id")
            .fetch_all(&mut *tx)
            .await?;
    let [first, second] = ids[..] else {
        return Ok(());
    };
    sqlx::query(
        "update connections set access_token = (select access_token from connections where id = $1) where id = $2",
    )
    .bind(first)
    .bind(second)
    .execute(&mut *tx)
    .await?;
    let tokens = connections::tokens(&mut tx, &KEYS.parse()?, second.into()).await?;
    if let Some(Ok(_)) = tokens.and_then(|tokens| tokens.access).map(|(access, _)| access) {
        violated!(
            "sealed_in_its_place",
            "the access token of one user opens in the row of another"
        );
    }
    // The copy is undone.
    tx.rollback().await?;
    Ok(())
}

async fn bad_jwt(world: &World, user: User, kind: Token) -> Result<()> {
    let answer = world
        .api
        .query_with(
            &token(name(user), kind),
            "calendar.google.listCalendars",
            &json!(null),
        )
        .await;
    let is_refused = answer.as_ref().is_err_and(|error| error.contains("UNAUTHORIZED"));
    holds!(
        is_refused,
        "only_its_user",
        "a token ({kind:?}) was answered with {answer:?}"
    );
    Ok(())
}

async fn refused(
    world: &World,
    user: User,
    path: &str,
    input: serde_json::Value,
    reason: &str,
) -> Result<()> {
    let answer = world.api.query(name(user), path, &input).await;
    let is_refused = answer
        .as_ref()
        .is_err_and(|error| error.contains(reason) || is_passing(error));
    holds!(
        is_refused,
        "only_its_user",
        "{path} of {}: {answer:?}",
        name(user)
    );
    Ok(())
}

async fn others_calendar(world: &World, user: User) -> Result<()> {
    let Some(theirs) = calendars_of(world, user.other()).await?.pop() else {
        return Ok(());
    };
    let input =
        json!({"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z", "calendarIds": [theirs.id]});
    refused(
        world,
        user,
        "calendar.google.getEvents",
        input,
        "CALENDAR_NOT_FOUND",
    )
    .await
}

async fn others_event(world: &mut World, user: User) -> Result<()> {
    let theirs = &world.browsers[user.other().index()];
    let Some(event) = theirs.events().first().map(|event| (*event).clone()) else {
        return Ok(());
    };
    let calendar = event["calendarId"].as_str().unwrap_or_default().parse()?;
    let request = Request {
        calendar,
        mail: Some(Mail::None),
        command: Command::Delete {
            event_id: super::browser::text(&event["id"]),
            base_etag: None,
            scope: None,
        },
    };
    let (ctx, who) = (world.hosts[0].ctx.clone(), user_id(user));
    world.ledger.keys += 1;
    let key = format!("forged-{}", world.ledger.keys);
    let work = async move { Done::Written(sync::write::submit(&ctx, &who, &key, request).await) };
    match world.hosts[0].run(work, None, Purpose::Job).await? {
        Ran::Done(Done::Written(Err(Refused::Reason(Reason::CalendarNotFound) | Refused::Database(_))))
        | Ran::Blocked => Ok(()),
        ran => violated!(
            "only_its_user",
            "{} deletes {}'s event: {ran:?}",
            name(user),
            name(user.other())
        ),
    }
}
