//! Sync tokens and pages: the results for a client that follows the rules, and the errors for one that does not.

use google_emulator::{Fault, Rule};
use serde_json::{Value, json};

use super::support::{ALICE, Client, daily, hour, ids, reason, start};

const EVENTS: &str = "calendars/primary/events?";

#[tokio::test]
async fn an_incremental_list_has_changes_and_tombstones() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    for (id, day) in [("event1", 1), ("event2", 2), ("event3", 3)] {
        let mut event = hour(id, day);
        event["id"] = json!(id);
        google.insert(ALICE, "primary", event).unwrap();
    }
    let (all, token) = alice.list(EVENTS).await;
    assert_eq!(ids(&all), ["event1", "event2", "event3"]);
    google.delete(ALICE, "primary", "event1").unwrap();
    google
        .patch(ALICE, "primary", "event2", json!({"summary": "New"}))
        .unwrap();
    let path = format!("{EVENTS}syncToken={token}");
    let (changes, next) = alice.list(&path).await;
    assert_eq!(ids(&changes), ["event1", "event2"]);
    let mut tombstone: Vec<_> = changes[0].as_object().unwrap().keys().collect();
    tombstone.sort();
    assert_eq!(
        tombstone,
        ["etag", "id", "kind", "status"],
        "only the id is certain"
    );
    assert_eq!(changes[1]["summary"], "New");
    assert_eq!(
        alice.list(&format!("{EVENTS}syncToken={next}")).await.0,
        [Value::Null; 0]
    );
    assert_eq!(
        ids(&alice.list(EVENTS).await.0),
        ["event3", "event2"],
        "a full list has no tombstones"
    );
    let (deleted, _) = alice.list(&format!("{EVENTS}showDeleted=true")).await;
    assert_eq!(
        deleted[1]["summary"], "event1",
        "a client that requests deleted events gets their details"
    );
}

#[tokio::test]
async fn paging_is_a_snapshot_and_its_token_continues_from_it() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    for day in 1..=5 {
        google.insert(ALICE, "primary", hour("Event", day)).unwrap();
    }
    let path = format!("{EVENTS}maxResults=2");
    let (_, first) = alice.get(&path).await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert_eq!(first["nextSyncToken"], Value::Null);
    google.insert(ALICE, "primary", hour("While paging", 9)).unwrap();
    let (_, second) = alice
        .get(&format!(
            "{path}&pageToken={}",
            first["nextPageToken"].as_str().unwrap()
        ))
        .await;
    let (_, third) = alice
        .get(&format!(
            "{path}&pageToken={}",
            second["nextPageToken"].as_str().unwrap()
        ))
        .await;
    assert_eq!(third["items"].as_array().unwrap().len(), 1);
    let token = third["nextSyncToken"].as_str().unwrap();
    let at_token: Vec<_> = google.events_at(ALICE, token).unwrap();
    assert_eq!((at_token.len(), google.events(ALICE).len()), (5, 6));
    let (changes, _) = alice.list(&format!("{EVENTS}syncToken={token}")).await;
    assert_eq!(changes[0]["summary"], "While paging");
}

#[tokio::test]
async fn broken_rules_are_refused_with_their_reason() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    for day in 1..=3 {
        google.insert(ALICE, "primary", hour("Event", day)).unwrap();
    }
    let (_, token) = alice.list(EVENTS).await;
    let with = |more: &str| format!("{EVENTS}syncToken={token}&{more}");
    for more in [
        "timeMin=2026-12-01T00:00:00Z",
        "orderBy=updated",
        "q=x",
        "iCalUID=x",
        "updatedMin=2026-12-01T00:00:00Z",
        "showDeleted=false",
    ] {
        let (status, error) = alice.get(&with(more)).await;
        assert_eq!((status.as_u16(), reason(&error)), (400, "invalid"), "{more}");
    }
    let (status, error) = alice.get(&with("singleEvents=true")).await;
    assert_eq!(
        (status.as_u16(), reason(&error)),
        (400, "invalid"),
        "other parameters than the token was given for"
    );
    let elsewhere = format!("calendars/team@group.calendar.google.com/events?syncToken={token}");
    assert_eq!(
        alice.get(&elsewhere).await.0,
        400,
        "a token belongs to its calendar"
    );
    assert_eq!(alice.get(&format!("{EVENTS}syncToken=garbage")).await.0, 400);
    assert_eq!(
        alice.get(&format!("{EVENTS}sort=up")).await.0,
        400,
        "no such parameter"
    );
    assert_eq!(
        alice.get(&format!("{EVENTS}orderBy=startTime")).await.0,
        400,
        "only with singleEvents"
    );

    google
        .patch(
            ALICE,
            "primary",
            google.events(ALICE)[0]["id"].as_str().unwrap(),
            json!({"summary": "x"}),
        )
        .unwrap();
    google.insert(ALICE, "primary", hour("Another", 4)).unwrap();
    let (_, page) = alice.get(&with("maxResults=1")).await;
    let next = page["nextPageToken"].as_str().unwrap();
    let (status, error) = alice.get(&format!("{EVENTS}maxResults=1&pageToken={next}")).await;
    assert_eq!(
        (status.as_u16(), reason(&error)),
        (400, "invalid"),
        "the sync token is missing on page two"
    );
    assert_eq!(
        alice
            .get(&with(&format!("maxResults=1&pageToken={next}")))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn a_token_is_gone_when_it_expired_or_rights_changed() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let (_, token) = alice.list(EVENTS).await;
    google.expire_sync_tokens(Some(ALICE));
    let (status, gone) = alice.get(&format!("{EVENTS}syncToken={token}")).await;
    assert_eq!(status, 410);
    insta::assert_json_snapshot!(gone["error"]["errors"][0], @r#"
    {
      "domain": "calendar",
      "reason": "fullSyncRequired",
      "message": "Sync token is no longer valid, a full sync is required.",
      "locationType": "parameter",
      "location": "syncToken"
    }
    "#);
    let (_, token) = alice.list(EVENTS).await;
    google
        .patch_calendar(ALICE, ALICE, json!({"accessRole": "reader"}))
        .unwrap();
    assert_eq!(alice.get(&format!("{EVENTS}syncToken={token}")).await.0, 410);
    let (status, long_ago) = alice
        .get(&format!("{EVENTS}updatedMin=2020-01-01T00:00:00Z"))
        .await;
    assert_eq!(
        (status.as_u16(), reason(&long_ago)),
        (410, "updatedMinTooLongAgo")
    );
}

#[tokio::test]
async fn list_faults_strike_the_page_they_name() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    for day in 1..=4 {
        google.insert(ALICE, "primary", hour("Event", day)).unwrap();
    }
    let gone = google.fault(Rule::new("events.list", Fault::Gone { page: 2 }));
    google.fault(Rule::new("events.list", Fault::EmptyPage { page: 2 }));
    google.fault(Rule::new("events.list", Fault::PageSize { size: 3 }));
    let (_, first) = alice.get(EVENTS).await;
    let second = format!("{EVENTS}pageToken={}", first["nextPageToken"].as_str().unwrap());
    assert_eq!(alice.get(&second).await.0, 410);
    google.clear_fault(&gone);
    let (_, empty) = alice.get(&second).await;
    assert_eq!(empty["items"], json!([]));
    let (_, last) = alice
        .get(&format!(
            "{EVENTS}pageToken={}",
            empty["nextPageToken"].as_str().unwrap()
        ))
        .await;
    assert_eq!(last["items"].as_array().unwrap().len(), 1);
    assert!(last["nextSyncToken"].is_string());
}

#[tokio::test]
async fn the_first_lists_window_filters_later_lists() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    google.insert(ALICE, "primary", hour("Inside", 2)).unwrap();
    let (_, token) = alice
        .list(&format!(
            "{EVENTS}timeMin=2026-12-01T00:00:00Z&timeMax=2026-12-05T00:00:00Z"
        ))
        .await;
    google.insert(ALICE, "primary", hour("Also inside", 3)).unwrap();
    google.insert(ALICE, "primary", hour("Outside", 20)).unwrap();
    let (changes, _) = alice.list(&format!("{EVENTS}syncToken={token}")).await;
    assert_eq!(
        changes.iter().map(|event| &event["summary"]).collect::<Vec<_>>(),
        ["Also inside"]
    );
}

#[tokio::test]
async fn with_single_events_a_changed_series_comes_whole() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let mut series = daily("Standup", 3);
    series["id"] = json!("standup");
    google.insert(ALICE, "primary", series).unwrap();
    google.insert(ALICE, "primary", hour("Other", 9)).unwrap();
    let path = format!("{EVENTS}singleEvents=true");
    let (all, token) = alice.list(&path).await;
    assert_eq!(all.len(), 4);
    google
        .patch(
            ALICE,
            "primary",
            "standup",
            json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=2"]}),
        )
        .unwrap();
    let (changes, token) = alice.list(&format!("{path}&syncToken={token}")).await;
    let state = |event: &Value| {
        (
            event["id"].as_str().unwrap()[8..16].to_owned(),
            event["status"].as_str().unwrap().to_owned(),
        )
    };
    let expected = [
        ("20261201", "confirmed"),
        ("20261202", "confirmed"),
        ("20261203", "cancelled"),
    ];
    assert_eq!(
        changes.iter().map(state).collect::<Vec<_>>(),
        expected.map(|(day, status)| (day.into(), status.into()))
    );
    google
        .delete(ALICE, "primary", "standup_20261202T080000Z")
        .unwrap();
    let (changes, _) = alice.list(&format!("{path}&syncToken={token}")).await;
    assert_eq!(ids(&changes), ["standup_20261202T080000Z"]);
    assert_eq!(
        changes[0]["originalStartTime"]["dateTime"],
        "2026-12-02T09:00:00+01:00"
    );
}

#[tokio::test]
async fn the_calendar_list_syncs_by_the_same_rules() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let path = "users/me/calendarList?";
    let (all, token) = alice.list(path).await;
    assert_eq!(all.len(), 2);
    google
        .remove_calendar(ALICE, "team@group.calendar.google.com")
        .unwrap();
    google
        .patch_calendar(ALICE, ALICE, json!({"summaryOverride": "Me"}))
        .unwrap();
    let (changes, token) = alice.list(&format!("{path}syncToken={token}")).await;
    assert_eq!(
        (&changes[0]["deleted"], &changes[1]["summaryOverride"]),
        (&json!(true), &json!("Me"))
    );
    assert_eq!(
        alice
            .get("calendars/team@group.calendar.google.com/events")
            .await
            .0,
        404
    );
    assert_eq!(
        alice
            .get(&format!("{path}syncToken={token}&minAccessRole=owner"))
            .await
            .0,
        400
    );
    google.expire_sync_tokens(None);
    assert_eq!(alice.get(&format!("{path}syncToken={token}")).await.0, 410);
}
