//! `getSyncActivity`: the pulls of each calendar.

use super::*;

const ACTIVITY: &str = "calendar.google.getSyncActivity";

/// A pull with this number that published a change.
pub async fn round(pool: &PgPool, name: &str, calendar: CalendarId, number: i64) {
    sqlx::query(
        "insert into sync_rounds (calendar_id, number, user_id, cause, asked_at, started_at, committed_at, outcome,
                                  pages, changed, deleted, seq, published_at, last_at)
         values ($1, $2, $3, 'push', $4, $4::timestamptz + interval '100 ms', $4::timestamptz + interval '300 ms', 'ok',
                 1, 2, 1, $2, $4::timestamptz + interval '320 ms', $4::timestamptz + interval '300 ms')",
    )
    .bind(calendar.as_uuid())
    .bind(number)
    .bind(name)
    .bind(noon())
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn sync_activity_lists_each_step_of_a_pull(pool: PgPool) {
    let (connection, calendar) = connected(&pool, "alice").await;
    let (_, bobs) = connected(&pool, "bob").await;
    watching::live(&pool, connection, calendar, "channel").await;
    for number in 1..=25 {
        round(&pool, "alice", calendar, number).await;
    }
    round(&pool, "bob", bobs, 77).await;
    sqlx::query(
        "update sync_state set last_push_at = $2, dirty_seq = 1, dirty_at = $2, attempts = 3, last_error = 'transient',
                               last_error_at = $2
         where resource_id = $1",
    )
    .bind(calendar.as_uuid())
    .bind(noon())
    .execute(&pool)
    .await
    .unwrap();
    let api = Api::start(pool).await;

    let answer = api.query("alice", ACTIVITY, json!({"limit": 1})).await.unwrap();
    let expected = json!({
        "connected": true, "hasCalendarAccess": true, "asOf": "2026-11-22T12:00:00Z", "mode": "push",
        "now": "2026-11-22T12:00:00Z",
        "calendars": [{
            "calendarId": calendar, "mode": "push", "asOf": "2026-11-22T12:00:00Z",
            "watch": {
                "expiresAt": "2026-11-23T12:00:00Z", "renewAt": "2026-11-23T07:00:00Z", "lastMessageAt": null,
                "host": "calendar.example",
            },
            "lastPushAt": "2026-11-22T12:00:00Z", "nextPollAt": "2026-11-22T12:15:00Z",
            "dueSince": "2026-11-22T12:00:00Z", "attempts": 3,
            "lastError": {"word": "transient", "at": "2026-11-22T12:00:00Z"},
            "rounds": [{
                "number": 25, "cause": "push", "askedAt": "2026-11-22T12:00:00Z",
                "startedAt": "2026-11-22T12:00:00.100Z", "committedAt": "2026-11-22T12:00:00.300Z",
                "publishedAt": "2026-11-22T12:00:00.320Z", "pages": 1, "changed": 2, "deleted": 1, "seq": 25,
                "outcome": "ok", "times": 1, "lastAt": "2026-11-22T12:00:00.300Z",
            }],
        }],
    });
    assert_eq!(answer, expected);

    let numbers = |answer: &Value| -> Vec<i64> {
        let rounds = answer["calendars"][0]["rounds"].as_array().unwrap();
        rounds
            .iter()
            .map(|round| round["number"].as_i64().unwrap())
            .collect()
    };
    let answer = api.query("alice", ACTIVITY, Value::Null).await.unwrap();
    assert_eq!(
        numbers(&answer),
        (6..=25).rev().collect::<Vec<_>>(),
        "the last twenty"
    );
    let named = json!({"calendarIds": [bobs], "limit": 100});
    assert_eq!(
        numbers(&api.query("bob", ACTIVITY, named).await.unwrap()),
        [77],
        "of one's own"
    );
    for limit in [0, 101] {
        let refused = api
            .query("alice", ACTIVITY, json!({ "limit": limit }))
            .await
            .unwrap_err();
        assert_eq!(refused["issues"][0]["path"], "limit");
    }
    let unconnected = api.query("carol", ACTIVITY, Value::Null).await.unwrap();
    assert_eq!(
        (
            &unconnected["connected"],
            &unconnected["mode"],
            &unconnected["calendars"]
        ),
        (&json!(false), &json!("paused"), &json!([]))
    );
}
