//! Reads, and the tokens and snapshots of sockets.

use super::*;

const UPCOMING: &str = "calendar.google.getUpcomingEvents";

fn titles(answer: &Value) -> Vec<&str> {
    answer["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["title"].as_str().unwrap())
        .collect()
}

/// The titles of a snapshot.
fn snapshot_titles(state: &Value) -> Vec<&str> {
    let calendars = state["snapshot"]["series"].as_object().unwrap();
    let series = calendars.values().flat_map(|series| series.as_array().unwrap());
    let events = series.flat_map(|series| series["events"].as_array().unwrap());
    let mut titles: Vec<_> = events.map(|event| event["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    titles
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_user_without_an_account_gets_empty_answers(pool: PgPool) {
    let api = Api::start(pool).await;
    let answer = api.query("alice", UPCOMING, Value::Null).await.unwrap();
    let expected = json!({"connected": false, "hasCalendarAccess": false, "events": [], "truncated": false,
        "timeZone": "UTC", "asOf": null, "mode": "paused", "calendars": []});
    assert_eq!(answer, expected);
    let answer = api
        .query("alice", "calendar.google.listCalendars", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        answer,
        json!({"connected": false, "hasCalendarAccess": false, "calendars": []})
    );
    let answer = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        (&answer["connected"], &answer["connections"]),
        (&json!(false), &json!([]))
    );
    let answer = api
        .query("alice", "realtime.getState", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        (&answer["connected"], &answer["offset"], &answer["seq"]),
        (&json!(false), &json!(7), &json!(0))
    );
    let refused = api
        .mutate("alice", "calendar.google.watchCalendar", Value::Null)
        .await
        .unwrap_err();
    assert_eq!(
        (&refused["code"], &refused["reason"]),
        (&json!("UNAUTHORIZED"), &json!("CALENDAR_NOT_CONNECTED"))
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn upcoming_events_end_with_a_local_day(pool: PgPool) {
    let (_, calendar) = connected(&pool, "alice").await;
    let api = Api::start(pool.clone()).await;
    for (id, start, end) in [
        ("over", "2026-11-22T11:00:00Z", "2026-11-22T12:00:00Z"),
        ("running", "2026-11-22T11:30:00Z", "2026-11-22T12:30:00Z"),
        ("tonight", "2026-11-22T22:30:00Z", "2026-11-22T22:45:00Z"),
        // 00:30 on the 23rd in Berlin, still the 22nd in London.
        ("after midnight", "2026-11-22T23:30:00Z", "2026-11-22T23:45:00Z"),
        ("next week", "2026-11-29T22:30:00Z", "2026-11-29T22:45:00Z"),
    ] {
        occurrence(&pool, "alice", calendar, id, start, end).await;
    }
    let upcoming = async |input: Value| api.query("alice", UPCOMING, input).await.unwrap();
    assert_eq!(
        titles(&upcoming(json!({"days": 0})).await),
        ["running", "tonight"]
    );
    assert_eq!(
        titles(&upcoming(json!({"days": 0, "timeZone": "Europe/London"})).await),
        ["running", "tonight", "after midnight"]
    );
    assert_eq!(
        titles(&upcoming(json!({})).await),
        ["running", "tonight", "after midnight"]
    );
    assert_eq!(titles(&upcoming(json!({"days": 7})).await).len(), 4);
    let two = upcoming(json!({"days": 7, "maxResults": 2})).await;
    assert_eq!(
        (titles(&two), &two["truncated"]),
        (vec!["running", "tonight"], &json!(true))
    );

    // The contract of the system that Calwire replaces.
    let event = &two["events"][0];
    for field in ["id", "title", "start", "end"] {
        assert!(event[field].is_string(), "{field}");
    }
    for field in ["description", "location", "htmlLink"] {
        assert_eq!(event.get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(
        (&two["connected"], &two["hasCalendarAccess"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&two["asOf"], &two["mode"]),
        (&json!("2026-11-22T12:00:00Z"), &json!("polling"))
    );
    assert_eq!(
        two["calendars"],
        json!([{"calendarId": calendar, "asOf": "2026-11-22T12:00:00Z", "mode": "polling"}])
    );

    let range = json!({"from": "2026-11-22T10:00:00Z", "to": "2026-11-22T12:15:00+00:00"});
    let answer = api
        .query("alice", "calendar.google.getEvents", range)
        .await
        .unwrap();
    assert_eq!(titles(&answer), ["over", "running"]);
    let state = api
        .query("alice", "realtime.getState", Value::Null)
        .await
        .unwrap();
    assert_eq!(snapshot_titles(&state).len(), 5);
    assert_eq!((&state["epoch"], &state["offset"]), (&json!("e1"), &json!(7)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_shortened_range_is_marked_truncated(pool: PgPool) {
    let (_, calendar) = connected(&pool, "alice").await;
    let api = Api::start(pool.clone()).await;
    let between = async |from: &str, to: &str| {
        let range = json!({"from": format!("{from}T00:00:00Z"), "to": format!("{to}T00:00:00Z")});
        let answer = api.query("alice", "calendar.google.getEvents", range).await;
        let answer = answer.unwrap();
        (titles(&answer).len(), answer["truncated"].as_bool().unwrap())
    };
    // One more than a response has.
    let first: DateTime<Utc> = "2026-11-01T00:00:00Z".parse().unwrap();
    let hours: Vec<_> = (0..=5_000).map(|n| first + TimeDelta::hours(n)).collect();
    let hourly = json!({"title": "Hourly", "timeZone": "UTC"});
    let place = ("alice", calendar);
    instances(&pool, place, ("m", &hourly), &hours, TimeDelta::hours(1)).await;
    assert_eq!(between("2026-11-01", "2027-10-01").await, (5_000, true));
    assert_eq!(between("2026-11-01", "2026-11-03").await, (48, false));

    // A series of which no more instances are kept.
    sqlx::query("update instances set cut_at = '2027-05-28T08:00:00Z'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(between("2027-05-27", "2027-05-28").await, (24, false));
    assert_eq!(between("2027-05-28", "2027-05-29").await, (9, true));
    assert_eq!(between("2027-07-01", "2027-07-02").await, (0, true));
    // After the horizon, series are expanded while reading.
    assert_eq!(between("2029-07-01", "2029-07-02").await, (0, false));
    let state = api.query("alice", "realtime.getState", Value::Null).await;
    assert_eq!(state.unwrap()["snapshot"]["truncated"], false);
    sqlx::query("update instances set cut_at = '2026-11-23T00:00:00Z'")
        .execute(&pool)
        .await
        .unwrap();
    let state = api.query("alice", "realtime.getState", Value::Null).await;
    assert_eq!(state.unwrap()["snapshot"]["truncated"], true);
    let upcoming = api
        .query("alice", UPCOMING, json!({"days": 7, "maxResults": 250}))
        .await;
    assert_eq!(upcoming.unwrap()["truncated"], true);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn out_of_bounds_inputs_are_rejected_by_field(pool: PgPool) {
    let api = Api::start(pool).await;
    for (input, path, message) in [
        (json!({"days": 366}), "days", "a whole number from 0 to 365"),
        (json!({"days": -1}), "days", "a whole number from 0 to 365"),
        (json!({"days": 1.5}), "days", "a whole number from 0 to 365"),
        (json!({"days": "7"}), "days", "a whole number from 0 to 365"),
        (
            json!({"maxResults": 0}),
            "maxResults",
            "a whole number from 1 to 250",
        ),
        (
            json!({"maxResults": 251}),
            "maxResults",
            "a whole number from 1 to 250",
        ),
        (json!({"timeZone": 1}), "timeZone", "string"),
        (json!({"calendarIds": ["x"]}), "calendarIds[0]", "UUID"),
        (json!({"calendarIds": "x"}), "calendarIds", "sequence"),
    ] {
        let refused = api.query("alice", UPCOMING, input.clone()).await.unwrap_err();
        let issue = &refused["issues"][0];
        assert_eq!(
            (&refused["code"], &issue["path"]),
            (&json!("BAD_REQUEST"), &json!(path)),
            "{input}: {refused}"
        );
        assert!(
            issue["message"].as_str().unwrap().contains(message),
            "{input}: {issue}"
        );
    }
    let backwards = json!({"from": "2026-11-23T00:00:00Z", "to": "2026-11-22T00:00:00Z"});
    let refused = api
        .query("alice", "calendar.google.getEvents", backwards)
        .await
        .unwrap_err();
    assert_eq!(refused["issues"][0]["path"], "to");
}

/// Browsers have zones that we do not know, and some have `Etc/Unknown`.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn unknown_zones_are_answered_in_the_calendars_zone(pool: PgPool) {
    connected(&pool, "alice").await;
    let api = Api::start(pool).await;
    let range = json!({"from": "2026-11-22T10:00:00Z", "to": "2026-11-22T12:15:00Z"});
    for (given, used) in [
        (json!(null), "Europe/Berlin"),
        (json!("Etc/Unknown"), "Europe/Berlin"),
        (json!("Mars/Olympus"), "Europe/Berlin"),
        (json!("Asia/Tokyo"), "Asia/Tokyo"),
        (json!("GMT+05:00"), "GMT+05:00"),
    ] {
        let answer = api
            .query("alice", UPCOMING, json!({"timeZone": given}))
            .await
            .unwrap();
        assert_eq!(answer["timeZone"], used, "{given}");
        let mut range = range.clone();
        range["timeZone"] = given.clone();
        let answer = api
            .query("alice", "calendar.google.getEvents", range)
            .await
            .unwrap();
        assert_eq!(answer["timeZone"], used, "{given}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn tokens_are_for_the_callers_channel_only(pool: PgPool) {
    let api = Api::start(pool).await;
    let answer = api
        .query("alice", "realtime.getConnectionToken", Value::Null)
        .await
        .unwrap();
    assert!(
        answer["token"].is_string() && answer["expiresIn"] == 900,
        "{answer}"
    );
    let own = json!({"channel": "calendar:alice"});
    let answer = api
        .query("alice", "realtime.getSubscriptionToken", own)
        .await
        .unwrap();
    assert!(
        answer["token"].is_string() && answer["expiresIn"] == 300,
        "{answer}"
    );
    for channel in [
        "calendar:bob",
        "calendar:",
        "calendar:alice,bob",
        "calendar:alice ",
        "alice",
        "$calendar:alice",
        "calendar:ALICE",
        "",
    ] {
        let refused = api
            .query(
                "alice",
                "realtime.getSubscriptionToken",
                json!({"channel": channel}),
            )
            .await
            .unwrap_err();
        assert_eq!(
            (&refused["code"], &refused["reason"]),
            (&json!("FORBIDDEN"), &json!("NOT_YOUR_CHANNEL")),
            "{channel}"
        );
    }
    // A socket's token is not a session token.
    let token = api
        .query("alice", "realtime.getConnectionToken", Value::Null)
        .await
        .unwrap();
    let url = format!("{}/trpc/calendar.google.status", api.base);
    let response = api
        .http
        .get(url)
        .bearer_auth(token["token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn reads_work_without_the_broker(pool: PgPool) {
    let (_, calendar) = connected(&pool, "alice").await;
    let (start, end) = ("2026-11-22T13:00:00Z", "2026-11-22T14:00:00Z");
    occurrence(&pool, "alice", calendar, "soon", start, end).await;
    let api = Api::start(pool).await;
    api.broker.reset().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(500))
        .mount(&api.broker)
        .await;
    let refused = api
        .query("alice", "realtime.getState", Value::Null)
        .await
        .unwrap_err();
    assert_eq!(
        (&refused["code"], &refused["reason"]),
        (&json!("SERVICE_UNAVAILABLE"), &json!("BROKER_UNAVAILABLE"))
    );
    api.query("alice", UPCOMING, Value::Null).await.unwrap();

    let asked = api.broker.received_requests().await.unwrap().len();
    let state = api
        .query("alice", "realtime.getState", json!({"live": false}))
        .await
        .unwrap();
    assert_eq!(
        (
            snapshot_titles(&state),
            &state["epoch"],
            &state["offset"],
            &state["seq"]
        ),
        (vec!["soon"], &Value::Null, &Value::Null, &json!(0))
    );
    assert_eq!(
        api.broker.received_requests().await.unwrap().len(),
        asked,
        "the broker is not asked"
    );
}

/// Sets the broker's history of a user's channel.
async fn with_history(api: &Api, messages: &[Value]) {
    let newest_first: Vec<_> = messages.iter().rev().map(|data| json!({"data": data})).collect();
    api.broker.reset().await;
    Mock::given(method("POST"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"result": {"epoch": "e1", "offset": 7, "publications": newest_first}})),
        )
        .mount(&api.broker)
        .await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_page_that_returns_gets_what_it_lacks(pool: PgPool) {
    let (_, calendar) = connected(&pool, "alice").await;
    let (start, end) = ("2026-11-22T13:00:00Z", "2026-11-22T14:00:00Z");
    occurrence(&pool, "alice", calendar, "soon", start, end).await;
    sqlx::query("insert into user_stream (user_id, epoch, seq) values ('alice', gen_random_uuid(), 5)")
        .execute(&pool)
        .await
        .unwrap();
    let api = Api::start(pool).await;
    let first = api
        .query("alice", "realtime.getState", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        (&first["seq"], snapshot_titles(&first)),
        (&json!(5), vec!["soon"])
    );
    let held = |seq: i64| json!({"streamEpoch": first["streamEpoch"], "seq": seq, "window": first["window"]});
    let state = async |held: Value| {
        let answer = api
            .query("alice", "realtime.getState", json!({"held": held}))
            .await
            .unwrap();
        (answer["snapshot"].is_null(), answer["messages"].clone())
    };
    let (complete, snapshot) = (|messages: Value| (true, messages), (false, json!([])));
    assert_eq!(state(held(5)).await, complete(json!([])));
    let message = |seq: i64, kind: &str| json!({"v": 2, "seq": seq, "type": kind});
    let changes: Vec<Value> = (2..=5).map(|seq| message(seq, "events.changed")).collect();
    with_history(&api, &changes).await;
    assert_eq!(state(held(3)).await, complete(json!(changes[2..])));
    assert_eq!(state(held(1)).await, complete(json!(changes)));
    assert_eq!(state(held(0)).await, snapshot, "the history is shorter");
    assert_eq!(state(held(6)).await, snapshot, "from the future");
    let mut other = held(5);
    other["streamEpoch"] = json!(uuid::Uuid::nil());
    assert_eq!(state(other).await, snapshot, "another stream");
    let mut other = held(5);
    other["window"]["from"] = json!("2026-11-01T00:00:00Z");
    assert_eq!(state(other).await, snapshot, "another window");
    let resync = [message(4, "events.changed"), message(5, "resync")];
    with_history(&api, &resync).await;
    assert_eq!(state(held(3)).await, snapshot, "a message without the change");
    let older = [json!({"v": 1, "seq": 5, "type": "events.changed"})];
    with_history(&api, &older).await;
    assert_eq!(state(held(4)).await, snapshot, "a message of another version");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn viewing_a_polled_calendar_requests_a_pull_once_a_minute(pool: PgPool) {
    let (_, calendar) = connected(&pool, "alice").await;
    let api = Api::start(pool.clone()).await;
    let dirty = async || -> i64 {
        sqlx::query_scalar("select dirty_seq - synced_seq from sync_state where resource_id = $1")
            .bind(calendar.as_uuid())
            .fetch_one(&pool)
            .await
            .unwrap()
    };
    api.query("alice", UPCOMING, Value::Null).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(dirty().await, 0, "a calendar that was just pulled is dirty");

    // As another process, later: this one has requested a pull a moment ago.
    api.clock.advance(TimeDelta::seconds(61));
    let mut conn = pool.acquire().await.unwrap();
    let later = api.clock.now();
    assert_eq!(
        store::sync_state::mark_dirty_on_view(&mut conn, later, &user("bob"))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store::sync_state::mark_dirty_on_view(&mut conn, later, &user("alice"))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        store::sync_state::mark_dirty_on_view(&mut conn, later, &user("alice"))
            .await
            .unwrap(),
        0
    );
    assert_eq!(dirty().await, 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn meetings_are_found_behind_many_birthdays(pool: PgPool) {
    let (_, calendar) = connected(&pool, "alice").await;
    let api = Api::start(pool.clone()).await;
    for number in 0..60 {
        let id = format!("birthday {number}");
        occurrence(
            &pool,
            "alice",
            calendar,
            &id,
            "2026-11-23T00:00:00Z",
            "2026-11-24T00:00:00Z",
        )
        .await;
    }
    sqlx::query("update events set view = jsonb_set(view::jsonb, '{eventType}', '\"birthday\"')::text")
        .execute(&pool)
        .await
        .unwrap();
    occurrence(
        &pool,
        "alice",
        calendar,
        "meeting",
        "2026-11-25T09:00:00Z",
        "2026-11-25T10:00:00Z",
    )
    .await;
    let upcoming = async |input: Value| api.query("alice", UPCOMING, input).await.unwrap();
    let types = json!(["default", "focusTime"]);
    let answer = upcoming(json!({"days": 7, "maxResults": 50, "eventTypes": types})).await;
    assert_eq!(
        (titles(&answer), &answer["truncated"]),
        (vec!["meeting"], &json!(false))
    );
    let all = upcoming(json!({"days": 7, "maxResults": 250})).await;
    assert_eq!(titles(&all).len(), 61);
    let range = json!({"from": "2026-11-22T00:00:00Z", "to": "2026-11-29T00:00:00Z", "eventTypes": types});
    let answer = api
        .query("alice", "calendar.google.getEvents", range)
        .await
        .unwrap();
    assert_eq!(titles(&answer), ["meeting"]);
    let refused = api
        .query("alice", UPCOMING, json!({"eventTypes": ["party"]}))
        .await
        .unwrap_err();
    assert_eq!(refused["code"], "BAD_REQUEST");
}
