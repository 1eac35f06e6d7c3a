//! Sync tokens and pages: the results for a client that follows the rules, and the errors for one that does not.

use google_emulator::{Fault, Rule};
use serde_json::{Value, json};

use super::support::{ALICE, Client, daily, hour, ids, start};

const EVENTS: &str = "calendars/primary/events?";

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
