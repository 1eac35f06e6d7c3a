//! Events: writes, conditions, series and their instances, roles and scopes.

use google_emulator::Resource;
use serde_json::{Value, json};

use super::support::{ALICE, Client, answer, daily, hour, ids, reason, start};

const EVENTS: &str = "calendars/primary/events";

#[tokio::test]
async fn an_event_lives_through_insert_patch_update_and_delete() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let mut body = hour("Review", 1);
    body["id"] = json!("checkin1");
    body["eventLabelId"] = json!("a field this emulator has never heard of");
    let (status, event) = alice.post(EVENTS, body.clone()).await;
    assert_eq!(status, 200, "{event}");
    assert_eq!(
        event["start"],
        json!({"dateTime": "2026-12-01T09:00:00+01:00", "timeZone": "Europe/Zurich"})
    );
    assert_eq!(event["organizer"], json!({"email": ALICE, "self": true}));
    assert_eq!(event["eventLabelId"], body["eventLabelId"]);
    assert_eq!(
        (&event["eventType"], &event["sequence"]),
        (&json!("default"), &json!(0))
    );

    let (_, moved) = alice
        .patch(
            "calendars/primary/events/checkin1",
            json!({
                "start": {"dateTime": null, "timeZone": null, "date": "2026-12-02"},
                "end": {"dateTime": null, "timeZone": null, "date": "2026-12-03"},
            }),
        )
        .await;
    assert_eq!(
        (&moved["start"], &moved["summary"]),
        (&json!({"date": "2026-12-02"}), &json!("Review"))
    );
    assert_ne!(moved["etag"], event["etag"]);
    let (status, both) = alice
        .patch(
            "calendars/primary/events/checkin1",
            json!({"start": {"dateTime": "2026-12-02T09:00:00Z"}}),
        )
        .await;
    assert_eq!((status.as_u16(), reason(&both)), (400, "invalid"));

    let (_, replaced) = alice
        .put("calendars/primary/events/checkin1", hour("Second", 3))
        .await;
    assert_eq!(
        replaced["eventLabelId"],
        Value::Null,
        "PUT replaces the whole resource"
    );
    assert_eq!(replaced["created"], event["created"]);

    assert_eq!(alice.delete("calendars/primary/events/checkin1").await.0, 204);
    let (status, gone) = alice.delete("calendars/primary/events/checkin1").await;
    assert_eq!((status.as_u16(), reason(&gone)), (410, "deleted"));
    assert_eq!(
        alice.get("calendars/primary/events/checkin1").await.1["status"],
        "cancelled"
    );
    let (status, again) = alice.post(EVENTS, body).await;
    assert_eq!(
        (status.as_u16(), reason(&again)),
        (409, "duplicate"),
        "an id is used once"
    );
    let (_, revived) = alice
        .patch(
            "calendars/primary/events/checkin1",
            json!({"status": "confirmed"}),
        )
        .await;
    assert_eq!(
        (&revived["status"], &revived["summary"]),
        (&json!("confirmed"), &json!("Second"))
    );
}

/// `updated` orders two versions of an event, however fast they were written.
#[tokio::test]
async fn a_later_version_was_updated_later() {
    let google = start().await;
    let event = google.insert(ALICE, "primary", hour("Lunch", 1)).unwrap();
    let id = event["id"].as_str().unwrap();
    let mut updated = event["updated"].as_str().unwrap().to_owned();
    for n in 0..5 {
        let patch = json!({"summary": format!("Lunch {n}")});
        let patched = google.patch(ALICE, "primary", id, patch).unwrap();
        let next = patched["updated"].as_str().unwrap().to_owned();
        assert!(next > updated, "{next} after {updated}");
        updated = next;
    }
}

#[tokio::test]
async fn a_stale_etag_is_refused() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let event = google.insert(ALICE, "primary", hour("Lunch", 1)).unwrap();
    let path = format!("{EVENTS}/{}", event["id"].as_str().unwrap());
    let patch = |etag: &Value, body: Value| {
        answer(
            alice
                .request(reqwest::Method::PATCH, &path)
                .header("If-Match", etag.as_str().unwrap())
                .json(&body),
        )
    };
    google.advance(chrono::TimeDelta::seconds(5));
    let (_, reminded) = patch(&event["etag"], json!({"reminders": {"useDefault": false}})).await;
    assert_ne!(reminded["etag"], event["etag"]);
    assert_eq!(reminded["updated"], event["updated"]);
    let (status, stale) = patch(&event["etag"], json!({"summary": "Late"})).await;
    assert_eq!(status, 412);
    insta::assert_json_snapshot!(stale, @r#"
    {
      "error": {
        "errors": [
          {
            "domain": "global",
            "reason": "conditionNotMet",
            "message": "Precondition Failed",
            "locationType": "header",
            "location": "If-Match"
          }
        ],
        "code": 412,
        "message": "Precondition Failed"
      }
    }
    "#);
    assert_eq!(
        patch(&reminded["etag"], json!({"summary": "In time"})).await.0,
        200
    );
    let unchanged = google.event(ALICE, event["id"].as_str().unwrap()).unwrap();
    google
        .patch(
            ALICE,
            "primary",
            event["id"].as_str().unwrap(),
            json!({"summary": "In time"}),
        )
        .unwrap();
    assert_eq!(
        google.event(ALICE, event["id"].as_str().unwrap()).unwrap(),
        unchanged,
        "nothing changed, no new version"
    );
}

#[tokio::test]
async fn an_instance_becomes_an_exception_when_it_is_touched() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let mut series = daily("Standup", 5);
    series["id"] = json!("standup");
    google.insert(ALICE, "primary", series).unwrap();
    let (_, list) = alice.get(&format!("{EVENTS}/standup/instances")).await;
    let expected = [1, 2, 3, 4, 5].map(|day| format!("standup_202612{day:02}T080000Z"));
    assert_eq!(ids(list["items"].as_array().unwrap()), expected);

    let second = format!("{EVENTS}/standup_20261202T080000Z");
    let (_, moved) = alice
        .patch(&second, json!({"start": {"dateTime": "2026-12-02T15:00:00+01:00"}, "end": {"dateTime": "2026-12-02T16:00:00+01:00"}}))
        .await;
    assert_eq!(moved["recurringEventId"], "standup");
    assert_eq!(
        moved["originalStartTime"]["dateTime"],
        "2026-12-02T09:00:00+01:00"
    );
    assert_eq!(moved["recurrence"], Value::Null);
    assert_eq!(
        alice
            .delete(&format!("{EVENTS}/standup_20261203T080000Z"))
            .await
            .0,
        204
    );
    assert_eq!(
        alice.get(&format!("{EVENTS}/standup_20261209T080000Z")).await.0,
        404,
        "the series has no such instance"
    );

    let window = format!(
        "{EVENTS}?singleEvents=true&orderBy=startTime&timeMin=2026-12-02T12:00:00Z&timeMax=2026-12-04T12:00:00Z"
    );
    let (_, page) = alice.get(&window).await;
    assert_eq!(
        ids(page["items"].as_array().unwrap()),
        ["standup_20261202T080000Z", "standup_20261204T080000Z"]
    );

    let stored = |google: &google_emulator::Emulator| {
        let state = |event: &Resource| {
            format!(
                "{} {}",
                event["id"].as_str().unwrap(),
                event["status"].as_str().unwrap()
            )
        };
        google.events(ALICE).iter().map(state).collect::<Vec<_>>()
    };
    assert_eq!(
        stored(&google),
        [
            "standup confirmed",
            "standup_20261202T080000Z confirmed",
            "standup_20261203T080000Z cancelled"
        ]
    );
    // Another time of day leaves no instance of the old times: their exceptions go.
    google
        .patch(ALICE, "primary", "standup", json!({"start": {"dateTime": "2026-12-01T08:00:00+01:00"}, "end": {"dateTime": "2026-12-01T09:00:00+01:00"}}))
        .unwrap();
    assert_eq!(stored(&google)[1], "standup_20261202T080000Z cancelled");
    google.delete(ALICE, "primary", "standup").unwrap();
    assert_eq!(stored(&google), [""; 0]);
}

#[tokio::test]
async fn the_calendar_list_calendars_colors_and_free_busy_answer() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let (_, list) = alice.get("users/me/calendarList").await;
    assert_eq!(
        ids(list["items"].as_array().unwrap()),
        [ALICE, "team@group.calendar.google.com"]
    );
    assert_eq!(list["items"][0]["primary"], true);
    let team = "users/me/calendarList/team@group.calendar.google.com";
    let (_, patched) = alice
        .patch(team, json!({"selected": false, "accessRole": "reader"}))
        .await;
    assert_eq!(
        (&patched["selected"], &patched["accessRole"]),
        (&json!(false), &json!("owner"))
    );
    assert_eq!(
        alice.get("calendars/primary").await.1["timeZone"],
        "Europe/Zurich"
    );
    assert_eq!(
        alice.get("colors").await.1["event"]["11"]["background"],
        "#dc2127"
    );

    google.insert(ALICE, "primary", daily("Standup", 3)).unwrap();
    google.insert(ALICE, "primary", hour("Overlapping", 2)).unwrap();
    let asked = json!({"timeMin": "2026-12-01T12:00:00Z", "timeMax": "2026-12-03T08:30:00Z", "items": [{"id": ALICE}, {"id": "nobody@example.com"}]});
    let (_, busy) = alice.post("freeBusy", asked).await;
    assert_eq!(
        busy["calendars"][ALICE]["busy"],
        json!([
            {"start": "2026-12-02T08:00:00Z", "end": "2026-12-02T09:00:00Z"},
            {"start": "2026-12-03T08:00:00Z", "end": "2026-12-03T08:30:00Z"},
        ])
    );
    assert_eq!(
        busy["calendars"]["nobody@example.com"]["errors"][0]["reason"],
        "notFound"
    );
}
