//! Answers that are kept, and statements that are shared.

use std::sync::Arc;

use calendar_api::reader::Reader;
use store::instances::ReadRange;
use store::reading::{Load, Request};

use super::*;

const UPCOMING: &str = "calendar.google.getUpcomingEvents";
const STATE: &str = "realtime.getState";

/// Commits a change with the user's next message, as a pull does.
async fn change(pool: &PgPool, sql: &str, id: uuid::Uuid) {
    let mut tx = pool.begin().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .bind(id)
        .execute(&mut *tx)
        .await
        .unwrap();
    store::user_stream::next_seq(&mut tx, &user("alice"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// As [`change`], where the change has no message.
async fn change_silently(pool: &PgPool, sql: &str, id: uuid::Uuid) {
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .bind(id)
        .execute(pool)
        .await
        .unwrap();
}

async fn second_calendar(pool: &PgPool, connection: ConnectionId) -> CalendarId {
    let calendar = CalendarId::generate();
    sqlx::query(
        "with state as (
             insert into sync_state (resource_id, kind, connection_id, user_id, generation, last_pull_at, horizon_until)
             values ($1, 'events', $2, 'alice', 1, $3, $3::timestamptz + interval '390 days')
         )
         insert into calendars (id, connection_id, user_id, google_id, summary, time_zone, access_role, selected,
                                created_at, updated_at)
         values ($1, $2, 'alice', 'team', 'Team', 'America/New_York', 'reader', true, $3, $3)",
    )
    .bind(calendar.as_uuid())
    .bind(connection.as_uuid())
    .bind(noon())
    .execute(pool)
    .await
    .unwrap();
    calendar
}

/// Times an hour apart or so, in several zones, of several types, some in both calendars, some on days, some repeated.
async fn generated(pool: &PgPool, calendars: [CalendarId; 2]) {
    let zones = ["UTC", "Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles"];
    let types = ["default", "focusTime", "outOfOffice"];
    for number in 0..90_usize {
        let calendar = calendars[number % 2];
        let is_shared = number % 5 == 0;
        let view = json!({
            "title": format!("event {number}"), "timeZone": zones[number % zones.len()],
            "eventType": types[number % types.len()], "copyRank": number % 3,
            "iCalUID": if is_shared { format!("meeting {}", number / 10) } else { format!("uid {number}") },
            "attendees": [{"email": "a@b.c", "displayName": null, "self": true, "optional": false, "responseStatus": "accepted"}],
        });
        let hours = i64::try_from(number * 7 % 400).unwrap() - 60;
        let start = noon() + TimeDelta::hours(hours);
        let repeats = if number % 9 == 0 { 20 } else { 1 };
        let starts: Vec<_> = (0..repeats)
            .map(|week| start + TimeDelta::days(7 * week))
            .collect();
        let length = TimeDelta::minutes(30 * i64::try_from(number % 4).unwrap());
        instances(
            pool,
            ("alice", calendar),
            (&format!("e{number}"), &view),
            &starts,
            length,
        )
        .await;
    }
    sqlx::query(
        "update instances set is_all_day = true, length = 86400, starts = array[date_trunc('day', starts_at, 'UTC')],
                starts_at = date_trunc('day', starts_at, 'UTC') - interval '1 hour',
                ends_at = date_trunc('day', starts_at, 'UTC') + interval '23 hours'
         where event_id like 'e_3' or event_id like 'e_7'",
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "update events set view = (view::jsonb || '{\"allDay\": true, \"timeZone\": null}')::text
                 where event_id like 'e_3' or event_id like 'e_7'",
    )
    .execute(pool)
    .await
    .unwrap();
}

/// Naming all calendars reads them in a transaction, and is never kept.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn shared_and_direct_reads_answer_the_same(pool: PgPool) {
    let (connection, mine) = connected(&pool, "alice").await;
    let team = second_calendar(&pool, connection).await;
    generated(&pool, [mine, team]).await;
    change(&pool, "select $1", mine.as_uuid()).await;
    let api = Api::start(pool).await;
    let mut inputs = Vec::new();
    for zone in [Value::Null, json!("Asia/Tokyo"), json!("America/Los_Angeles")] {
        for (days, max) in [(0, 1), (1, 10), (7, 20), (30, 250)] {
            inputs.push((
                UPCOMING,
                json!({"days": days, "maxResults": max, "timeZone": zone}),
            ));
        }
        let types = json!(["focusTime", "outOfOffice"]);
        inputs.push((
            UPCOMING,
            json!({"days": 9, "maxResults": 7, "timeZone": zone, "eventTypes": types}),
        ));
        let between = json!({"from": "2026-11-21T15:00:00Z", "to": "2026-12-20T03:00:00Z", "timeZone": zone});
        inputs.push(("calendar.google.getEvents", between));
    }
    // The second time, answers are kept; an hour later, some events have ended.
    for _ in 0..4 {
        for (path, input) in &inputs {
            let mut input = input.clone();
            input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            let shared = api.query("alice", path, input.clone()).await.unwrap();
            input["calendarIds"] = json!([mine, team]);
            let direct = api.query("alice", path, input.clone()).await.unwrap();
            assert_eq!(shared, direct, "{input}");
        }
        api.clock.advance(TimeDelta::minutes(47));
        let again = api.query("alice", UPCOMING, json!({"days": 7})).await.unwrap();
        assert!(!again["events"].as_array().unwrap().is_empty());
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_committed_change_is_in_the_next_read(pool: PgPool) {
    let (connection, mine) = connected(&pool, "alice").await;
    let team = second_calendar(&pool, connection).await;
    for (id, calendar) in [("mine", mine), ("team", team)] {
        occurrence(
            &pool,
            "alice",
            calendar,
            id,
            "2026-11-22T13:00:00Z",
            "2026-11-22T14:00:00Z",
        )
        .await;
    }
    occurrence(
        &pool,
        "alice",
        mine,
        "tomorrow",
        "2026-11-23T13:00:00Z",
        "2026-11-23T14:00:00Z",
    )
    .await;
    change(&pool, "select $1", mine.as_uuid()).await;
    let api = Api::start(pool.clone()).await;
    let shown = async || {
        // Twice: the second answer is kept.
        let mut titles = Vec::new();
        for _ in 0..2 {
            let upcoming = api.query("alice", UPCOMING, json!({"days": 0})).await.unwrap();
            let state = api.query("alice", STATE, Value::Null).await.unwrap();
            titles.push((
                texts(&upcoming["events"], "title"),
                texts(&state["snapshot"], "title"),
            ));
        }
        assert_eq!(titles[0], titles[1]);
        titles.remove(0)
    };
    let both = |today: &[&str], all: &[&str]| (owned(today), owned(all));
    assert_eq!(
        shown().await,
        both(&["mine", "team"], &["mine", "team", "tomorrow"])
    );
    let renamed = "update events set view = replace(view, 'mine', 'other') where calendar_id = $1";
    change(&pool, renamed, mine.as_uuid()).await;
    assert_eq!(
        shown().await,
        both(&["other", "team"], &["other", "team", "tomorrow"])
    );
    for (hide, show) in [
        ("selected = false", "selected = true"),
        ("access_lost_at = now()", "access_lost_at = null"),
    ] {
        let set = |what| format!("update calendars set {what} where id = $1");
        change_silently(&pool, &set(hide), team.as_uuid()).await;
        assert_eq!(shown().await, both(&["other"], &["other", "tomorrow"]), "{hide}");
        change_silently(&pool, &set(show), team.as_uuid()).await;
        assert_eq!(
            shown().await,
            both(&["other", "team"], &["other", "team", "tomorrow"])
        );
    }
    // A rebuild ends without a message if it finds no change.
    change_silently(
        &pool,
        "update sync_state set generation = 2 where resource_id = $1",
        team.as_uuid(),
    )
    .await;
    assert_eq!(shown().await, both(&["other"], &["other", "tomorrow"]));
    // The event ends, then the day.
    api.clock.advance(TimeDelta::hours(2));
    assert_eq!(shown().await, both(&[], &["other", "tomorrow"]));
    api.clock.advance(TimeDelta::hours(20));
    assert_eq!(shown().await, both(&["tomorrow"], &["other", "tomorrow"]));
    let ended = "update connections set disconnected_at = now() where id = $1";
    change_silently(&pool, ended, connection.as_uuid()).await;
    assert_eq!(shown().await, both(&[], &[]));
}

/// Freshness is never kept.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_kept_answer_has_the_freshness_of_its_read(pool: PgPool) {
    let (_, mine) = connected(&pool, "alice").await;
    occurrence(
        &pool,
        "alice",
        mine,
        "mine",
        "2026-11-22T13:00:00Z",
        "2026-11-22T14:00:00Z",
    )
    .await;
    change(&pool, "select $1", mine.as_uuid()).await;
    let api = Api::start(pool.clone()).await;
    let fresh = async || {
        let read = api.query("alice", UPCOMING, Value::Null).await.unwrap();
        (
            read["asOf"].clone(),
            read["mode"].clone(),
            texts(&read["events"], "title"),
        )
    };
    let mine_at = |at: &str, mode: &str| (json!(at), json!(mode), owned(&["mine"]));
    assert_eq!(fresh().await, mine_at("2026-11-22T12:00:00Z", "polling"));
    let pulled = "update sync_state set last_pull_at = '2026-11-22T12:00:30Z' where resource_id = $1";
    change_silently(&pool, pulled, mine.as_uuid()).await;
    assert_eq!(fresh().await, mine_at("2026-11-22T12:00:30Z", "polling"));
    let suspended = "update sync_state set not_before = 'infinity' where resource_id = $1";
    change_silently(&pool, suspended, mine.as_uuid()).await;
    assert_eq!(fresh().await, mine_at("2026-11-22T12:00:30Z", "paused"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_thousand_reads_at_once_are_few_statements(pool: PgPool) {
    let (_, mine) = connected(&pool, "alice").await;
    occurrence(
        &pool,
        "alice",
        mine,
        "mine",
        "2026-11-22T13:00:00Z",
        "2026-11-22T14:00:00Z",
    )
    .await;
    let reader = Arc::new(Reader::new(pool, Clock::manual(noon()), 1 << 20));
    let stop = CancellationToken::new();
    for is_cold in [false, true, true] {
        let (reader, stop) = (reader.clone(), stop.clone());
        tokio::spawn(async move { reader.run(is_cold, stop).await });
    }
    let request = Request {
        user: user("alice"),
        with_queue: false,
        load: Some(Load {
            unless: None,
            range: ReadRange {
                from: noon(),
                to: noon() + TimeDelta::days(7),
            },
            limit: 40,
        }),
    };
    let reads: Vec<_> = (0..1_000)
        .map(|_| {
            let (reader, request) = (reader.clone(), request.clone());
            tokio::spawn(async move { reader.read(request).await.unwrap() })
        })
        .collect();
    for read in reads {
        let events = read.await.unwrap().events.clone().unwrap();
        assert_eq!(events.len(), 1);
    }
    let statements = reader.statements();
    assert!((1..=20).contains(&statements), "{statements} statements");
    stop.cancel();
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// The values of all fields of this name, in order.
fn texts(value: &Value, name: &str) -> Vec<String> {
    fn collect(value: &Value, name: &str, found: &mut Vec<String>) {
        if let Some(text) = value.get(name).and_then(Value::as_str) {
            found.push(text.to_owned());
        }
        let members = value.as_object().into_iter().flat_map(|object| object.values());
        for member in members.chain(value.as_array().into_iter().flatten()) {
            collect(member, name, found);
        }
    }
    let mut found = Vec::new();
    collect(value, name, &mut found);
    found.sort();
    found
}
