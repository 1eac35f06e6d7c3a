//! Push channels: opening, stopping, sending and retrying.

use chrono::{DateTime, TimeDelta, Utc};
use google_emulator::{Config, Emulator, Fault, Rule};
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::support::{ALICE, BOB, Client, accounts, hour, reason, start};

const WATCH: &str = "calendars/primary/events/watch";

fn channel(id: &str, receiver: &Receiver) -> Value {
    json!({"id": id, "type": "web_hook", "address": receiver.url, "token": "s3cret"})
}

/// A watched primary calendar, its `sync` message received.
async fn watched() -> (Emulator, Receiver, Client) {
    let (google, mut receiver) = (start().await, Receiver::start());
    let alice = Client::of(&google, ALICE);
    let (status, answer) = alice.post(WATCH, channel("one", &receiver)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(receiver.next().await.state(), "sync");
    google.with(|state| state.settings.push_retry_ms = 20);
    (google, receiver, alice)
}

/// Waits until this many attempts are in the log; each is logged after the receiver has answered.
async fn logged(google: &Emulator, tries: usize) {
    for _ in 0..500 {
        if google.pushes().len() >= tries {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{} tries in the log instead of {tries}", google.pushes().len());
}

fn insert(google: &Emulator, day: u32) {
    google.insert(ALICE, "primary", hour("Event", day)).unwrap();
}

#[tokio::test]
async fn a_channel_gets_sync_and_then_every_change() {
    let (google, mut receiver) = (start().await, Receiver::start());
    let alice = Client::of(&google, ALICE);
    let (_, answer) = alice
        .post(
            "calendars/alice%40example.com/events/watch",
            channel("one", &receiver),
        )
        .await;
    let expires: i64 = answer["expiration"]
        .as_str()
        .expect("a string, as int64 is in JSON")
        .parse()
        .unwrap();
    let expires = DateTime::<Utc>::from_timestamp_millis(expires).unwrap();
    assert!((expires - google.now() - TimeDelta::days(7)).abs() < TimeDelta::minutes(1));
    assert_eq!(
        (&answer["kind"], &answer["token"]),
        (&json!("api#channel"), &json!("s3cret"))
    );

    let sync = receiver.next().await;
    assert_eq!((sync.state(), sync.number()), ("sync", 1));
    insert(&google, 1);
    alice.post("calendars/primary/events", hour("Over HTTP", 2)).await;
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert!(first.body.is_empty());
    assert_eq!(first.header("content-length"), "0");
    assert_eq!(first.header("content-type"), "application/json; utf-8");
    assert!(first.header("user-agent").starts_with("APIs-Google"));
    assert_eq!(first.header("x-goog-channel-id"), "one");
    assert_eq!(first.header("x-goog-channel-token"), "s3cret");
    assert_eq!(first.header("x-goog-resource-id"), answer["resourceId"]);
    assert_eq!(first.header("x-goog-resource-uri"), answer["resourceUri"]);
    assert!(
        answer["resourceUri"]
            .as_str()
            .unwrap()
            .ends_with("/calendars/alice%40example%2Ecom/events?alt=json")
    );
    assert_eq!(
        first.header("x-goog-channel-expiration"),
        expires.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    );
    assert_eq!(first.state(), "exists");
    assert!(
        first.number() > 2 && second.number() > first.number() + 1,
        "they rise, but not one by one"
    );
    google
        .insert(ALICE, "team@group.calendar.google.com", hour("Elsewhere", 1))
        .unwrap();
    receiver.nothing().await;
}

#[tokio::test]
async fn only_5xx_that_google_names_are_tried_again() {
    let (google, mut receiver, _) = watched().await;
    receiver.answer(&[503, 500, 502, 504, 204]);
    insert(&google, 1);
    let numbers = [
        receiver.next().await,
        receiver.next().await,
        receiver.next().await,
        receiver.next().await,
        receiver.next().await,
    ]
    .map(|push| push.number());
    assert!(
        numbers.iter().all(|number| *number == numbers[0]),
        "the same message each time"
    );
    logged(&google, 6).await;
    for status in [400, 403, 404, 429, 501, 301] {
        receiver.answer(&[status]);
        insert(&google, 2);
        receiver.next().await;
    }
    receiver.nothing().await;
    logged(&google, 12).await;
    let pushes = google.pushes();
    let tries = |push: &google_emulator::Sent| (push.attempt, push.status.unwrap());
    let after_sync: Vec<_> = pushes[1..].iter().map(tries).collect();
    assert_eq!(
        after_sync[..5],
        [(1, 503), (2, 500), (3, 502), (4, 504), (5, 204)]
    );
    assert_eq!(
        after_sync[5..],
        [400, 403, 404, 429, 501, 301].map(|status| (1, status))
    );
    assert!(pushes.windows(2).all(|pair| pair[0].revision <= pair[1].revision));
}

#[tokio::test]
async fn an_expired_or_stopped_channel_is_silent() {
    let (google, mut receiver, alice) = watched().await;
    let mut short = channel("two", &receiver);
    short["params"] = json!({"ttl": "3600"});
    alice.post(WATCH, short).await;
    assert_eq!(receiver.next().await.state(), "sync");
    google.advance(TimeDelta::hours(2));
    let again = Client::of(&google, ALICE);
    insert(&google, 1);
    assert_eq!(receiver.next().await.header("x-goog-channel-id"), "one");
    receiver.nothing().await;

    let resource = google.channels()[0]["resourceId"].clone();
    let stop = |client: Client, body: Value| async move { client.post("channels/stop", body).await };
    let (status, error) = stop(
        Client::of(&google, ALICE),
        json!({"id": "one", "resourceId": "other"}),
    )
    .await;
    assert_eq!((status.as_u16(), reason(&error)), (404, "notFound"));
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Channel 'one' not found for project '")
    );
    let body = json!({"id": "one", "resourceId": resource});
    assert_eq!(
        stop(Client::of(&google, BOB), body.clone()).await.0,
        404,
        "only its own user stops a channel"
    );
    assert_eq!(stop(Client::of(&google, ALICE), body.clone()).await.0, 204);
    assert_eq!(stop(Client::of(&google, ALICE), body).await.0, 404);
    insert(&google, 2);
    receiver.nothing().await;
    let (_, error) = again.post(WATCH, channel("one", &receiver)).await;
    assert_eq!(reason(&error), "channelIdNotUnique", "an id is never used again");
}

#[tokio::test]
async fn watch_requests_are_refused_with_googles_reasons() {
    let google = Emulator::start(Config {
        seed: accounts(),
        ..Config::default()
    })
    .await
    .unwrap();
    let alice = Client::of(&google, ALICE);
    let with = |key: &str, value: Value| {
        let mut body = json!({"id": "c1", "type": "web_hook", "address": "https://example.com/hook"});
        body[key] = value;
        body
    };
    let refused = |body: Value| {
        let alice = &alice;
        async move {
            let (status, error) = alice.post(WATCH, body).await;
            assert_eq!(status, 400, "{error}");
            (
                reason(&error).to_owned(),
                error["error"]["message"].as_str().unwrap().to_owned(),
            )
        }
    };
    assert_eq!(
        refused(with("address", json!("http://example.com/hook"))).await,
        (
            "push.webhookUrlNotHttps".into(),
            "WebHook callback must be HTTPS: http://example.com/hook".into()
        )
    );
    assert_eq!(refused(with("id", Value::Null)).await.0, "required");
    assert_eq!(refused(with("id", json!("with space"))).await.0, "invalid");
    assert_eq!(refused(with("id", json!("x".repeat(65)))).await.0, "invalid");
    assert_eq!(
        refused(with("type", json!("carrier_pigeon"))).await.0,
        "push.channelTypeNotSupported"
    );
    google.with(|state| state.calendars.get_mut(ALICE).unwrap().push_supported = false);
    assert_eq!(
        refused(with("token", json!("t"))).await,
        (
            "pushNotSupportedForRequestedResource".into(),
            "Push notifications are not supported by this resource.".into()
        )
    );
    let month = json!({"id": "c2", "type": "web_hook", "address": "https://example.com/hook", "params": {"ttl": "99999999"}});
    let (_, answer) = alice.post("users/me/calendarList/watch", month).await;
    let expires: i64 = answer["expiration"].as_str().unwrap().parse().unwrap();
    let life = DateTime::<Utc>::from_timestamp_millis(expires).unwrap() - google.now();
    assert_eq!(life.num_hours(), 30 * 24 - 1, "cut to thirty days");
}

#[tokio::test]
async fn sync_may_come_before_the_watch_call_is_answered() {
    let (google, mut receiver) = (start().await, Receiver::start());
    google.fault(Rule::new("events.watch", Fault::SyncFirst));
    google.fault(Rule::new("events.watch", Fault::ShortExpiry { seconds: 60 }));
    google.fault(Rule::new(
        "push.sync",
        Fault::Delay {
            ms: 150,
            jitter_ms: 0,
        },
    ));
    let (_, answer) = Client::of(&google, ALICE)
        .post(WATCH, channel("one", &receiver))
        .await;
    assert_eq!(receiver.arrived().len(), 1, "the answer waited for it");
    let expires: i64 = answer["expiration"].as_str().unwrap().parse().unwrap();
    assert!(expires - google.now().timestamp_millis() <= 60_000);
}

#[tokio::test]
async fn a_channel_may_filter_event_types() {
    let (google, mut receiver) = (start().await, Receiver::start());
    let alice = Client::of(&google, ALICE);
    alice
        .post(
            &format!("{WATCH}?eventTypes=focusTime&eventTypes=outOfOffice"),
            channel("one", &receiver),
        )
        .await;
    assert_eq!(receiver.next().await.state(), "sync");
    insert(&google, 1);
    receiver.nothing().await;
    let mut focus = hour("Focus", 2);
    focus["eventType"] = json!("focusTime");
    google.insert(ALICE, "primary", focus).unwrap();
    assert_eq!(receiver.next().await.state(), "exists");
    let (_, list) = alice.get("calendars/primary/events?eventTypes=focusTime").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    google.fault(Rule::new("events.watch", Fault::Unwatchable).of_calendar(ALICE));
    let (_, refused) = alice.post(WATCH, channel("two", &receiver)).await;
    assert_eq!(reason(&refused), "pushNotSupportedForRequestedResource");
    let team = "calendars/team@group.calendar.google.com/events/watch";
    assert_eq!(alice.post(team, channel("three", &receiver)).await.0, 200);
}

#[tokio::test]
async fn the_calendar_list_has_channels_too() {
    let (google, mut receiver) = (start().await, Receiver::start());
    let alice = Client::of(&google, ALICE);
    let (_, answer) = alice
        .post("users/me/calendarList/watch", channel("list", &receiver))
        .await;
    assert_eq!(receiver.next().await.state(), "sync");
    insert(&google, 1);
    receiver.nothing().await;
    google
        .remove_calendar(ALICE, "team@group.calendar.google.com")
        .unwrap();
    assert_eq!(
        receiver.next().await.header("x-goog-resource-id"),
        answer["resourceId"]
    );
}

#[tokio::test]
async fn pushes_are_dropped_duplicated_delayed_and_reordered_on_request() {
    let (google, mut receiver, _) = watched().await;
    let numbers = |pushes: &[super::receiver::Delivery]| {
        pushes
            .iter()
            .map(super::receiver::Delivery::number)
            .collect::<Vec<_>>()
    };
    google.fault(Rule::new("push", Fault::Drop).times(1));
    insert(&google, 1);
    receiver.nothing().await;
    assert_eq!(
        google.pushes().last().unwrap().error.as_deref(),
        Some("dropped by a fault")
    );

    google.fault(Rule::new("push", Fault::Duplicate { copies: 2 }).times(1));
    insert(&google, 2);
    let copies = [
        receiver.next().await,
        receiver.next().await,
        receiver.next().await,
    ];
    assert!(numbers(&copies).windows(2).all(|pair| pair[0] == pair[1]));

    google.fault(Rule::new("push", Fault::Reorder).times(1));
    insert(&google, 3);
    insert(&google, 4);
    let swapped = numbers(&[receiver.next().await, receiver.next().await]);
    assert!(swapped[0] > swapped[1], "{swapped:?}");

    google.fault(
        Rule::new(
            "push",
            Fault::Delay {
                ms: 200,
                jitter_ms: 0,
            },
        )
        .times(1),
    );
    insert(&google, 5);
    insert(&google, 6);
    let late = numbers(&[receiver.next().await, receiver.next().await]);
    assert!(late[0] > late[1], "{late:?}");
}
