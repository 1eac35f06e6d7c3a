//! Nobody reaches what is another user's: every procedure that takes an id, with somebody else's.

use super::*;

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn another_users_ids_do_not_exist(pool: PgPool) {
    let (connection, calendar) = connected(&pool, "alice").await;
    connected(&pool, "bob").await;
    occurrence(
        &pool,
        "alice",
        calendar,
        "secret",
        "2026-11-22T13:00:00Z",
        "2026-11-22T14:00:00Z",
    )
    .await;
    watching::live(&pool, connection, calendar, "channel").await;
    activity::round(&pool, "alice", calendar, 1).await;
    let api = Api::start(pool.clone()).await;
    let range =
        json!({"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z", "calendarIds": [calendar]});
    for (path, input) in [
        (
            "calendar.google.getUpcomingEvents",
            json!({"calendarIds": [calendar]}),
        ),
        ("calendar.google.getEvents", range),
        (
            "calendar.google.selectCalendars",
            json!({"calendarIds": [calendar], "selected": false}),
        ),
        (
            "calendar.google.getSyncActivity",
            json!({"calendarIds": [calendar]}),
        ),
        ("calendar.google.syncNow", json!({"calendarIds": [calendar]})),
        ("calendar.google.watchCalendar", json!({"calendarId": calendar})),
        (
            "calendar.google.stopWatchCalendar",
            json!({"channelId": "channel", "resourceId": "resource"}),
        ),
        ("calendar.google.disconnect", json!({"connectionId": connection})),
    ] {
        let refused = api.mutate("bob", path, input).await.unwrap_err();
        assert_eq!(refused["code"], "NOT_FOUND", "{path}: {refused}");
    }
    for procedure in calendar_api::procedures::router().procedures() {
        let answer = api.mutate("bob", procedure.path, Value::Null).await;
        let text = format!("{answer:?}");
        let leaks = ["alice", "secret", &calendar.to_string(), &connection.to_string()];
        assert!(
            !leaks.iter().any(|leak| text.contains(leak)),
            "{}: {text}",
            procedure.path
        );
    }
    // And nothing of it was changed.
    let untouched: bool = sqlx::query_scalar(
        "select c.selected and n.disconnected_at is null and w.state = 'live' and s.dirty_seq = 0
         from calendars c join connections n on n.id = c.connection_id join sync_state s on s.resource_id = c.id
         join watches w on w.resource_id = c.id where c.id = $1",
    )
    .bind(calendar.as_uuid())
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(untouched);
}
