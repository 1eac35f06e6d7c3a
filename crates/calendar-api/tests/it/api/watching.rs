//! Procedures for channels, calendars and accounts.

use super::*;

/// A live channel of a calendar, valid for a day.
pub async fn live(pool: &PgPool, connection: ConnectionId, calendar: CalendarId, channel: &str) {
    sqlx::query(
        "insert into watches (channel_id, resource_id, connection_id, token_sha256, google_resource_id, expires_at,
                              renew_at, state, address, created_at)
         values ($1, $2, $3, '', 'resource', $4::timestamptz + interval '1 day', $4::timestamptz + interval '19 h',
                 'live', 'https://calendar.example/api/calendar/webhook', $4)",
    )
    .bind(channel)
    .bind(calendar.as_uuid())
    .bind(connection.as_uuid())
    .bind(noon())
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_live_channel_is_returned_and_can_be_stopped(pool: PgPool) {
    let (connection, calendar) = connected(&pool, "alice").await;
    live(&pool, connection, calendar, "channel").await;
    let api = Api::start(pool.clone()).await;
    let answer = api
        .mutate("alice", "calendar.google.watchCalendar", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        answer,
        json!({"channelId": "channel", "resourceId": "resource", "expiration": "1795435200000"})
    );
    let status = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    assert_eq!(status["mode"], "push");

    let wrong = json!({"channelId": "channel", "resourceId": "another"});
    let refused = api
        .mutate("alice", "calendar.google.stopWatchCalendar", wrong)
        .await
        .unwrap_err();
    assert_eq!(refused["reason"], "CHANNEL_NOT_FOUND");
    let right = json!({"channelId": "channel", "resourceId": "resource"});
    for _ in 0..2 {
        let answer = api
            .mutate("alice", "calendar.google.stopWatchCalendar", right.clone())
            .await
            .unwrap();
        assert_eq!(answer, json!({"success": true}));
    }
    let state: String = sqlx::query_scalar("select state from watches")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(state, "replaced");
    let refused = api
        .mutate("alice", "calendar.google.watchCalendar", Value::Null)
        .await
        .unwrap_err();
    assert_eq!(
        (&refused["code"], &refused["reason"]),
        (&json!("PRECONDITION_FAILED"), &json!("PUSH_UNAVAILABLE"))
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_missing_channel_is_created(pool: PgPool) {
    connected(&pool, "alice").await;
    let api = Api::start_with(pool, &[("PUBLIC_URL", "https://calendar.example")]).await;
    let expiration = (noon() + TimeDelta::days(7)).timestamp_millis().to_string();
    let channel = json!({"kind": "api#channel", "id": "any", "resourceId": "opaque", "resourceUri": "x", "expiration": expiration});
    Mock::given(method("POST"))
        .and(path("/calendar/v3/calendars/alice%40example%2Ecom/events/watch"))
        .respond_with(ResponseTemplate::new(200).set_body_json(channel))
        .expect(1)
        .mount(&api.google)
        .await;
    let answer = api
        .mutate("alice", "calendar.google.watchCalendar", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        (&answer["resourceId"], &answer["expiration"]),
        (&json!("opaque"), &json!(expiration))
    );
    let again = api
        .mutate("alice", "calendar.google.watchCalendar", Value::Null)
        .await
        .unwrap();
    assert_eq!(again, answer);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_calendar_without_push_support_is_rejected(pool: PgPool) {
    connected(&pool, "alice").await;
    let api = Api::start_with(pool, &[("PUBLIC_URL", "https://calendar.example")]).await;
    let error = json!({"error": {"code": 400, "message": "Push notifications are not supported by this resource.",
        "errors": [{"domain": "calendar", "reason": "pushNotSupportedForRequestedResource", "message": "no"}]}});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(400).set_body_json(error))
        .mount(&api.google)
        .await;
    for _ in 0..2 {
        let refused = api
            .mutate("alice", "calendar.google.watchCalendar", Value::Null)
            .await
            .unwrap_err();
        assert_eq!(refused["reason"], "PUSH_NOT_SUPPORTED", "{refused}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn calendars_are_listed_selected_and_pulled(pool: PgPool) {
    let (connection, calendar) = connected(&pool, "alice").await;
    let api = Api::start(pool.clone()).await;
    let list = api
        .query("alice", "calendar.google.listCalendars", Value::Null)
        .await
        .unwrap();
    let expected = json!({"connected": true, "hasCalendarAccess": true, "calendars": [{
        "id": calendar, "connectionId": connection, "googleId": "alice@example.com", "summary": "Mine",
        "description": null, "timeZone": "Europe/Berlin", "colorId": null, "backgroundColor": null,
        "foregroundColor": null, "accessRole": "owner", "primary": true, "selected": true, "accessLost": false,
        "pushSupported": true,
        "freshness": {"calendarId": calendar, "asOf": "2026-11-22T12:00:00Z", "mode": "polling"}}]});
    assert_eq!(list, expected);
    let answer = api
        .mutate("alice", "calendar.google.syncNow", Value::Null)
        .await
        .unwrap();
    assert_eq!(answer, json!({"success": true, "queued": 2}));
    let answer = api
        .mutate(
            "alice",
            "calendar.google.syncNow",
            json!({"calendarIds": [calendar]}),
        )
        .await
        .unwrap();
    assert_eq!(answer, json!({"success": true, "queued": 0}));
    let off = json!({"calendarIds": [calendar], "selected": false});
    let list = api
        .mutate("alice", "calendar.google.selectCalendars", off)
        .await
        .unwrap();
    assert_eq!(list["calendars"][0]["selected"], false);
    let answer = api
        .query("alice", "calendar.google.getUpcomingEvents", Value::Null)
        .await
        .unwrap();
    assert_eq!(answer["calendars"], json!([]));
    let refused = api
        .mutate("alice", "calendar.google.watchCalendar", Value::Null)
        .await
        .unwrap_err();
    assert_eq!(refused["reason"], "CALENDAR_NOT_SELECTED");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_disconnected_account_disappears_at_once(pool: PgPool) {
    let (connection, calendar) = connected(&pool, "alice").await;
    live(&pool, connection, calendar, "channel").await;
    let api = Api::start(pool.clone()).await;
    for (at, status) in [("/calendar/v3/channels/stop", 204), ("/revoke", 200)] {
        Mock::given(method("POST"))
            .and(path(at))
            .respond_with(ResponseTemplate::new(status))
            .expect(1)
            .mount(&api.google)
            .await;
    }
    let status = api
        .query("alice", "calendar.google.status", Value::Null)
        .await
        .unwrap();
    let account = &status["connections"][0];
    assert_eq!(
        (&account["state"], &account["canWrite"]),
        (&json!("healthy"), &json!(true))
    );
    let answer = api
        .mutate("alice", "calendar.google.disconnect", Value::Null)
        .await
        .unwrap();
    let receipt = json!({
        "connectionId": connection,
        "email": "alice@example.com",
        "channels": {"stopped": 1, "left": 0},
        "grant": "revoked",
        "data": {"calendars": 1, "events": 0, "deleted": true, "deletedBy": "2026-11-22T12:01:00Z"},
    });
    assert_eq!(
        answer,
        json!({"success": true, "connectionIds": [connection], "receipts": [receipt]})
    );
    let again = api
        .mutate("alice", "calendar.google.disconnect", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        again,
        json!({"success": true, "connectionIds": [], "receipts": []})
    );
    let answer = api
        .query("alice", "calendar.google.getUpcomingEvents", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        (&answer["connected"], &answer["events"]),
        (&json!(false), &json!([]))
    );
    let left: (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from connections), (select count(*) from watches), (select count(*) from outbox)",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(left, (0, 0, 1), "rows of the account are left");
}
