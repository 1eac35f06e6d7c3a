//! Promise 8 with concurrent changes: edits of the same event in Google and in other tabs, a broker that is down, and Google's
//! own push of a write.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::broker::API_KEY;
use e2e::oracle::mirror_equals_google;
use e2e::person::{GUEST, Person, Tab, hour, with_guest};
use e2e::rpc::Answer;
use e2e::{Stack, google, wait};
use google_emulator::{Fault, Rule};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_meets_an_unknown_change_in_google() -> Result<()> {
    let stack = Stack::start().await?;
    let person = Person::of(&stack, "alice").await?;
    let mut tabs = [person.tab(&stack).await?, person.tab(&stack).await?];
    person
        .call("createEvent", &person.create_input(&hour("Review", 26)))
        .await?;
    let seen = person.titled("Review").await?;
    let id = seen["id"].as_str().context("an event has an id")?;

    // Google's pushes are lost: only the 412 to our edit reveals their change.
    stack.settled("alice").await;
    let silence = stack.google.fault(Rule::new("push", Fault::Drop));
    stack
        .google
        .patch(google::ALICE, "primary", id, json!({"location": "Room 4"}))?;
    let answer = person
        .call(
            "updateEvent",
            &person.update_input(&seen, &json!({"title": "Design review"})),
        )
        .await?;
    assert_eq!(answer["merged"], true);
    assert_eq!(
        (&answer["event"]["title"], &answer["event"]["location"]),
        (&json!("Design review"), &json!("Room 4"))
    );
    let stored = stack.google.event(google::ALICE, id).context("it is there")?;
    assert_eq!(
        (&stored["summary"], &stored["location"]),
        (&json!("Design review"), &json!("Room 4"))
    );

    // The same field: nothing is written, the answer has both sides, and the mirror has theirs by then.
    let seen = person.titled("Design review").await?;
    let theirs = json!({"summary": "Theirs", "description": "Agenda"});
    let theirs = stack.google.patch(google::ALICE, "primary", id, theirs)?;
    let edit = json!({"title": "Ours", "colorId": "7"});
    let refusal = refused(&person, "updateEvent", &person.update_input(&seen, &edit)).await?;
    assert_eq!(words(&refusal), ("CONFLICT", "EDIT_CONFLICT"));
    assert_eq!(refusal["fields"], json!(["title"]));
    assert_eq!(refusal["base"]["title"], "Design review");
    assert_eq!(
        (&refusal["ours"]["title"], &refusal["ours"]["colorId"]),
        (&json!("Ours"), &json!("7"))
    );
    assert_eq!(
        (&refusal["theirs"]["title"], &refusal["theirs"]["description"]),
        (&json!("Theirs"), &json!("Agenda"))
    );
    assert_eq!(refusal["etag"], theirs["etag"]);
    let now = person.titled("Theirs").await?;
    assert_eq!((&now["etag"], &now["colorId"]), (&theirs["etag"], &Value::Null));
    assert_eq!(stack.google.event(google::ALICE, id), Some(theirs));

    // After a decision the edit continues from there.
    let decided = person
        .call("updateEvent", &person.update_input(&now, &edit))
        .await?;
    assert_eq!(
        (&decided["event"]["title"], &decided["merged"]),
        (&json!("Ours"), &json!(false))
    );

    // Deleting an event that has changed is a conflict too, without a version of ours.
    let seen = decided["event"].clone();
    stack.google.patch(
        google::ALICE,
        "primary",
        id,
        json!({"summary": "Important by now"}),
    )?;
    let refusal = refused(&person, "deleteEvent", &person.delete_input(&seen)).await?;
    assert_eq!(words(&refusal), ("CONFLICT", "EDIT_CONFLICT"));
    assert_eq!(
        (&refusal["ours"], &refusal["theirs"]["title"]),
        (&Value::Null, &json!("Important by now"))
    );

    stack.google.clear_fault(&silence);
    mirror_equals_google(&stack, "alice").await?;
    for tab in &mut tabs {
        tab.catch_up().await?;
    }
    drop(tabs);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_edit_at_the_same_time() -> Result<()> {
    let stack = Stack::start().await?;
    let person = Person::of(&stack, "alice").await?;
    let mut tabs = [person.tab(&stack).await?, person.tab(&stack).await?];
    for round in 0..5 {
        let made = person
            .call("createEvent", &person.create_input(&hour("Review", 26 + round)))
            .await?;
        let seen = made["event"].clone();

        // Different fields: both changes are in, in either order.
        let (one, other) = (
            person.update_input(&seen, &json!({"title": "By one tab"})),
            person.update_input(&seen, &json!({"location": "By the other"})),
        );
        let (one, other) = tokio::try_join!(
            person.call("updateEvent", &one),
            person.call("updateEvent", &other)
        )?;
        let merged = [&one, &other].map(|answer| answer["merged"] == true);
        assert_eq!(
            merged.iter().filter(|&&merged| merged).count(),
            1,
            "the second was merged"
        );
        let seen = person.titled("By one tab").await?;
        assert_eq!(seen["location"], "By the other");

        // The same field: one change is in, and the other gets the conflict.
        let (one, other) = (
            person.update_input(&seen, &json!({"title": "One"})),
            person.update_input(&seen, &json!({"title": "Other"})),
        );
        let (one, other) = tokio::try_join!(
            person.write("updateEvent", &one),
            person.write("updateEvent", &other)
        )?;
        let (winner, loser, lost) = match (one, other) {
            (Answer::Done(winner), Answer::Refused(loser)) => (winner, loser, "Other"),
            (Answer::Refused(loser), Answer::Done(winner)) => (winner, loser, "One"),
            both => anyhow::bail!("one of the two has to win: {both:?}"),
        };
        assert_eq!(words(&loser), ("CONFLICT", "EDIT_CONFLICT"));
        assert_eq!(
            (
                &loser["base"]["title"],
                &loser["ours"]["title"],
                &loser["theirs"]["title"]
            ),
            (&json!("By one tab"), &json!(lost), &winner["event"]["title"])
        );
        assert_eq!(loser["etag"], winner["event"]["etag"]);
        let seen = winner["event"].clone();
        assert_eq!(
            person.titled(seen["title"].as_str().unwrap_or_default()).await?["etag"],
            seen["etag"]
        );
        let id = seen["id"].as_str().unwrap_or_default();
        let stored = stack.google.event(google::ALICE, id).context("it is there")?;
        assert_eq!(stored["summary"], seen["title"]);

        // One deletes while the other edits: the event is deleted or edited, never a mixture.
        let (edit, delete) = (
            person.update_input(&seen, &json!({"title": "Kept"})),
            person.delete_input(&seen),
        );
        let (edited, deleted) = tokio::try_join!(
            person.write("updateEvent", &edit),
            person.write("deleteEvent", &delete)
        )?;
        let stored = stack
            .google
            .event(google::ALICE, id)
            .context("deleted ones stay too")?;
        match (edited, deleted) {
            (Answer::Done(_), Answer::Refused(refusal)) => {
                assert_eq!(words(&refusal), ("CONFLICT", "EDIT_CONFLICT"));
                assert_eq!(
                    (&stored["status"], &stored["summary"]),
                    (&json!("confirmed"), &json!("Kept"))
                );
            }
            (Answer::Refused(refusal), Answer::Done(_)) => {
                assert_eq!(words(&refusal).0, "NOT_FOUND");
                assert_eq!(stored["status"], "cancelled");
            }
            both => anyhow::bail!("one of the two has to win: {both:?}"),
        }
        mirror_equals_google(&stack, "alice").await?;
    }
    for tab in &mut tabs {
        tab.catch_up().await?;
    }
    drop(tabs);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_without_the_broker_are_published_later() -> Result<()> {
    let mut stack = Stack::start().await?;
    let person = Person::new(&stack, "dora", &json!([with_guest("Review", 26)])).await?;
    let before = person.tab(&stack).await?;
    let seq = before.view.seq;
    stack.broker.kill();
    let seen = person.titled("Review").await?;
    let edited = person
        .call(
            "updateEvent",
            &person.update_input(&seen, &json!({"title": "Design review"})),
        )
        .await?;
    assert_eq!(edited["pending"], false, "a write does not wait for the broker");
    person
        .call("createEvent", &person.create_input(&hour("Made without it", 27)))
        .await?;
    let gone = person
        .call(
            "createEvent",
            &person.create_input(&hour("Deleted without it", 28)),
        )
        .await?;
    person
        .call("deleteEvent", &person.delete_input(&gone["event"]))
        .await?;
    let titles = async || -> Result<Vec<Value>> {
        let shown = person.shown().await?;
        Ok(shown.iter().map(|event| event["title"].clone()).collect())
    };
    assert_eq!(titles().await?, ["Design review", "Made without it"]);

    stack.broker.start_again()?;
    stack.settled("dora").await;
    let mut tabs = [person.tab(&stack).await?, person.tab(&stack).await?];
    assert_eq!(
        history(&stack, "dora").await?,
        (seq + 1..=seq + 4).collect::<Vec<_>>(),
        "all were published, in order"
    );
    for tab in &mut tabs {
        tab.catch_up().await?;
    }
    let seen = person.titled("Design review").await?;
    person
        .call(
            "updateEvent",
            &person.update_input(&seen, &json!({"title": "Published at once"})),
        )
        .await?;
    for tab in &mut tabs {
        tab.socket.next_titled("Published at once").await?;
    }
    mirror_equals_google(&stack, "dora").await?;
    drop(tabs);
    stack.end().await
}

/// The `seq`s in the broker's history of a user.
async fn history(stack: &Stack, user: &str) -> Result<Vec<i64>> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let request = http.post(format!("{}/history", stack.broker.api_url()));
    let body = json!({"channel": format!("calendar:{user}"), "limit": 100});
    let answer: Value = request
        .header("X-API-Key", API_KEY)
        .json(&body)
        .send()
        .await?
        .json()
        .await?;
    let publications = answer["result"]["publications"]
        .as_array()
        .with_context(|| answer.to_string())?;
    Ok(publications
        .iter()
        .filter_map(|each| each["data"]["seq"].as_i64())
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_push_of_our_write_publishes_nothing() -> Result<()> {
    let stack = Stack::start().await?;
    let mut series = with_guest("Weekly", 24);
    series["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=5"]);
    let mut invitation = google::timed("Invited", chrono::TimeDelta::hours(30), "Europe/Zurich");
    invitation["organizer"] = json!({"email": GUEST});
    invitation["attendees"] = json!([{"email": GUEST}, {"email": google::account("erin")}]);
    let person = Person::new(&stack, "erin", &json!([series, invitation])).await?;
    let mut tabs = [person.tab(&stack).await?, person.tab(&stack).await?];

    let mut event = hour("Review", 26);
    event["attendees"] = json!([{"email": GUEST}]);
    person.call("createEvent", &person.create_input(&event)).await?;
    published_once(&stack, &mut tabs, "createEvent").await?;

    let seen = person.titled("Review").await?;
    let edit = json!({"title": "Design review", "location": "Room 3"});
    person
        .call("updateEvent", &person.update_input(&seen, &edit))
        .await?;
    published_once(&stack, &mut tabs, "updateEvent").await?;

    let seen = person.titled("Invited").await?;
    let mut answer = person.delete_input(&seen);
    answer["responseStatus"] = "accepted".into();
    answer
        .as_object_mut()
        .context("an input is an object")?
        .remove("baseEtag");
    person.call("respondToEvent", &answer).await?;
    published_once(&stack, &mut tabs, "respondToEvent").await?;

    let weekly = person
        .shown()
        .await?
        .into_iter()
        .filter(|event| event["title"] == "Weekly");
    let weekly: Vec<Value> = weekly.collect();
    for (scope, instance) in [("this", 1), ("following", 3), ("all", 0)] {
        let mut edit = person.update_input(&weekly[instance], &json!({"title": format!("Edited: {scope}")}));
        edit["scope"] = scope.into();
        person.call("updateEvent", &edit).await?;
        published_once(&stack, &mut tabs, scope).await?;
    }

    let seen = person.titled("Design review").await?;
    person.call("deleteEvent", &person.delete_input(&seen)).await?;
    published_once(&stack, &mut tabs, "deleteEvent").await?;
    mirror_equals_google(&stack, "erin").await?;
    drop(tabs);
    stack.end().await
}

/// Expects one message to each tab since the last call, and no more once Google's pushes are pulled. Splitting a series takes two
/// steps: the first may be published before the second is done.
async fn published_once(stack: &Stack, tabs: &mut [Tab; 2], what: &str) -> Result<()> {
    let revision = stack.google.revision();
    wait::until("Google has pushed the write", async || {
        let pushes = stack.google.pushes();
        let is_delivered =
            |push: &google_emulator::Sent| push.revision >= revision && push.status == Some(200);
        pushes.iter().any(is_delivered).then_some(())
    })
    .await;
    stack.settled("erin").await;
    for tab in tabs {
        let mut messages = vec![tab.socket.next().await?];
        while let Some(more) = tab.socket.next_within(Duration::from_millis(150)).await? {
            messages.push(more);
        }
        let steps = if what == "following" { 1..=2 } else { 1..=1 };
        ensure!(
            steps.contains(&messages.len()) && messages.iter().all(|each| each["type"] == "events.changed"),
            "{what} was published as {messages:#?}"
        );
        for message in &messages {
            tab.view.apply(message).await?;
        }
        tab.catch_up().await?;
    }
    Ok(())
}

/// The `data` of a refusal.
async fn refused(person: &Person, verb: &str, input: &Value) -> Result<Value> {
    let answer = person.write(verb, input).await?;
    answer.refused().context(verb.to_owned())
}

fn words(refusal: &Value) -> (&str, &str) {
    let text = |name: &str| refusal[name].as_str().unwrap_or_default();
    (text("code"), text("reason"))
}
