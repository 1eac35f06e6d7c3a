//! Nothing is written that the user did not change.

use google_emulator::{Fault, MailKind, Rule};
use serde_json::{Value, json};
use sqlx::PgPool;
use sync::write::{Command, Mail, Request, Response, Scope, WriteResult, submit, whole_event};

use super::user::*;
use crate::world::{ALICE, BOB, World, alice};

/// Adds an event as it is, with its people and its conference.
async fn seed(world: &World, event: &Value) {
    world.google.with(|state| {
        let calendar = json!({"id": ALICE, "summary": "Mine", "timeZone": "Europe/Berlin", "primary": true,
            "events": [event]});
        let seed = json!({"users": [{"email": ALICE, "calendars": [calendar]}]});
        let seed = google_emulator::Seed::from_json("seed", &seed.to_string()).unwrap();
        state.load(&seed).unwrap();
    });
    world.push_and_settle(&alice()).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_edit_of_a_cut_text_keeps_all_of_it(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let words: Vec<String> = (0..2_000).map(|word| format!("word{word:05} ")).collect();
    let description = words.concat();
    let mut event = world.event("Review", 2, 9);
    event["description"] = json!(description);
    event["location"] = json!("x".repeat(2_000));
    world.add(ALICE, event);
    world.push_and_settle(&alice()).await;
    let seen = instance(&world, 2).await;
    assert_eq!(seen.view.cut_fields, ["description", "location"]);
    let mut conn = world.pool.acquire().await.unwrap();
    let calendar = world.calendar(&alice(), ALICE).await;
    let whole = whole_event(&mut conn, &calendar, &seen.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(whole.view.description.as_deref(), Some(description.as_str()));
    assert_eq!(
        (whole.view.etag, whole.view.cut_fields),
        (seen.view.etag.clone(), vec![])
    );

    let edit = |text: &str| text.replacen("word00007 ", "Wort7 ", 1);
    let shown = seen.view.description.clone().unwrap();
    assert!(shown.chars().count() < description.chars().count());
    let edited = json!({"description": edit(&shown), "location": seen.view.location});
    done(&world, update(&seen, None, edited)).await;
    let there = google(&world, &seen.id);
    assert_eq!(there["description"], json!(edit(&description)));
    assert_eq!(there["location"], json!("x".repeat(2_000)));
    assert_silent(&world).await;
}

/// A weekly series of Alice's with guests who have answered, and properties of another application.
fn series_with_guests(world: &World) -> String {
    let mut event = world.event("Weekly", 1, 9);
    event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=10"]);
    event["extendedProperties"] = json!({"private": {"crmId": "42"}, "shared": {"room": "blue"}});
    event["attendees"] = json!([
        {"email": ALICE, "responseStatus": "accepted", "comment": "Mine"},
        {"email": BOB, "responseStatus": "accepted", "comment": "Gladly", "additionalGuests": 1},
        {"email": "carol@elsewhere.example", "responseStatus": "declined", "optional": true}]);
    world.add(ALICE, event)
}

async fn split_in_two(world: &World, mail: Option<Mail>) -> Value {
    world.push_and_settle(&alice()).await;
    let at = instance(world, 15).await;
    let request = Request {
        mail,
        ..request(
            world,
            update(&at, Some(Scope::Following), json!({"title": "Later"})),
        )
        .await
    };
    let submitted = submit(&world.ctx, &alice(), &key(), request).await.unwrap();
    let Some(WriteResult::Done {
        event: Some(event), ..
    }) = submitted.result
    else {
        panic!("{submitted:?}");
    };
    google(world, event.recurring_event_id.as_deref().unwrap()).into()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_split_keeps_properties_and_invites_guests_again(pool: PgPool) {
    let world = World::of_alice(pool).await;
    series_with_guests(&world);
    let new = split_in_two(&world, None).await;
    assert_eq!(new["extendedProperties"]["private"]["crmId"], "42");
    assert_eq!(new["extendedProperties"]["shared"], json!({"room": "blue"}));
    assert_eq!(
        new["attendees"],
        json!([
            {"email": ALICE, "responseStatus": "accepted", "organizer": true},
            {"email": BOB, "responseStatus": "needsAction"},
            {"email": "carol@elsewhere.example", "responseStatus": "needsAction", "optional": true}])
    );
    let invited = mails(&world);
    let invited = invited.iter().filter(|(_, kind)| *kind == MailKind::Invitation);
    assert_eq!(invited.count(), 2);
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_split_mails_no_guest_on_request(pool: PgPool) {
    let world = World::of_alice(pool).await;
    series_with_guests(&world);
    split_in_two(&world, Some(Mail::None)).await;
    assert_eq!(mails(&world), []);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_shortened_guest_list_is_not_copied_or_written(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let id = series_with_guests(&world);
    world.push_and_settle(&alice()).await;
    let seen = instance(&world, 15).await;
    let shortened = json!({"attendeesOmitted": true, "attendees": [{"email": ALICE}]});
    sqlx::query("update events set raw = raw || $1")
        .bind(&shortened)
        .execute(&world.pool)
        .await
        .unwrap();
    for (scope, edit) in [
        (Scope::Following, json!({"title": "Later"})),
        (
            Scope::All,
            json!({"attendees": [{"email": ALICE}, {"email": "dan@example.com"}]}),
        ),
    ] {
        let refused = send(&world, update(&seen, Some(scope), edit)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "ATTENDEES_OMITTED does not allow changing attendees"
        );
    }
    assert_eq!(google(&world, &id)["attendees"].as_array().unwrap().len(), 3);
}

/// A guest who does not see the others must not write the list as seen, not even to add a comment or a guest.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_hidden_guest_list_is_not_written(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = world.event("Invitation", 2, 9);
    event["id"] = json!("hidden1");
    event["organizer"] = json!({"email": BOB});
    event["guestsCanSeeOtherGuests"] = json!(false);
    event["guestsCanModify"] = json!(true);
    event["attendees"] =
        json!([{"email": BOB, "organizer": true}, {"email": ALICE}, {"email": "carol@elsewhere.example"}]);
    seed(&world, &event).await;
    let seen = instance(&world, 2).await;
    assert_eq!(seen.view.attendees.len(), 2, "{:?}", seen.view.attendees);
    assert!(!seen.view.can_edit.contains(&"attendees".to_owned()));
    let respond = Command::Respond {
        event_id: seen.id.clone(),
        response: Response::Accepted,
        comment: Some("With pleasure".into()),
        scope: None,
    };
    done(&world, respond).await;
    let seen = instance(&world, 2).await;
    done(&world, update(&seen, None, json!({"title": "Renamed"}))).await;
    let seen = instance(&world, 2).await;
    let more = json!({"attendees": [{"email": ALICE}, {"email": BOB}, {"email": "dan@example.com"}]});
    let refused = send(&world, update(&seen, None, more)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "ATTENDEES_OMITTED does not allow changing attendees"
    );
    let theirs = google(&world, "hidden1");
    assert_eq!(theirs["summary"], "Renamed");
    let guests = theirs["attendees"].as_array().unwrap().iter();
    let answers: Vec<_> = guests
        .map(|guest| {
            (
                guest["email"].as_str().unwrap(),
                guest["responseStatus"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        answers,
        [
            (BOB, "needsAction"),
            (ALICE, "accepted"),
            ("carol@elsewhere.example", "needsAction")
        ]
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn guests_are_mailed_unless_the_caller_says_otherwise(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for (mail, mailed) in [(None, 1), (Some(Mail::None), 1), (Some(Mail::All), 2)] {
        let mut event = hour(&world, "Review", 2, 9);
        event["attendees"] = json!([{"email": BOB}]);
        let request = Request {
            mail,
            ..request(&world, create(event)).await
        };
        submit(&world.ctx, &alice(), &key(), request).await.unwrap();
        assert_eq!(mails(&world).len(), mailed, "{mail:?}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_comment_reaches_the_organizer(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = world.event("Invitation", 2, 9);
    event["id"] = json!("invitation1");
    event["organizer"] = json!({"email": BOB});
    event["attendees"] =
        json!([{"email": BOB, "responseStatus": "accepted", "organizer": true}, {"email": ALICE}]);
    seed(&world, &event).await;
    let respond = |comment: Option<&str>| Command::Respond {
        event_id: "invitation1".into(),
        response: Response::Tentative,
        comment: comment.map(str::to_owned),
        scope: None,
    };
    done(&world, respond(Some("Late"))).await;
    let answered = google(&world, "invitation1");
    assert_eq!(answered["attendees"][1]["comment"], "Late");
    assert_eq!(answered["attendees"][1]["responseStatus"], "tentative");
    assert_eq!(answered["attendees"][0]["responseStatus"], "accepted");
    assert_eq!(
        answered.get("extendedProperties"),
        None,
        "a guest's copy takes no mark"
    );
    // Without a comment, the one that is there stays.
    done(&world, respond(None)).await;
    assert_eq!(google(&world, "invitation1")["attendees"][1]["comment"], "Late");
    assert_silent(&world).await;
}

/// A guest changes a copy's own fields, which takes no mark. A crash does not make it twice.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_guest_colours_a_copy_that_takes_no_mark(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = world.event("Invitation", 2, 9);
    event["id"] = json!("invitation1");
    event["organizer"] = json!({"email": BOB});
    event["attendees"] = json!([{"email": ALICE}]);
    seed(&world, &event).await;
    let seen = instance(&world, 2).await;
    world.fault(Rule::new("events.patch", Fault::Reset { after: true }).times(1));
    let edit = update(&seen, None, json!({"colorId": "5", "visibility": "private"}));
    let edited = done(&world, edit).await.0.unwrap();
    assert_eq!(
        (edited.view.color_id.as_deref(), edited.view.visibility.as_str()),
        (Some("5"), "private")
    );
    assert_eq!(world.google.requests_to("events.patch").len(), 1);
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_412_without_a_condition_is_tried_again(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let conflict = || Fault::Error {
        status: 412,
        reason: Some("conditionNotMet".into()),
        message: None,
        retry_after: None,
    };
    world.fault(Rule::new("events.insert", conflict()).times(1));
    let made = done(&world, create(hour(&world, "Review", 2, 9)))
        .await
        .0
        .unwrap();
    assert_eq!(world.day(&alice(), 2).await.len(), 1);
    world.fault(Rule::new("events.move", conflict()).times(1));
    let command = Command::Move {
        event_id: made.id,
        destination: world.id(&alice(), crate::world::TEAM).await,
    };
    done(&world, command).await;

    let made = done(&world, create(hour(&world, "Lunch", 3, 9))).await.0;
    world.fault(Rule::new("events.delete", conflict()).times(1));
    let command = Command::Delete {
        event_id: made.unwrap().id,
        base_etag: None,
        scope: None,
    };
    assert_eq!(done(&world, command).await.0, None);
    let statuses: Vec<_> = (world.google.requests_to("events.delete").iter())
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [Some(412), Some(204)]);
    assert!(world.day(&alice(), 3).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_birthday_is_edited_without_a_mark(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let day = world.today() + chrono::Days::new(2);
    let birthday = |id: &str, day: chrono::NaiveDate, properties: Value| {
        json!({"id": id, "summary": "Ann", "eventType": "birthday", "birthdayProperties": properties,
            "transparency": "transparent", "visibility": "private", "recurrence": ["RRULE:FREQ=YEARLY"],
            "start": {"date": day}, "end": {"date": day + chrono::Days::new(1)}})
    };
    seed(&world, &birthday("birthday1", day, json!({"type": "birthday"}))).await;
    let seen = instance(&world, 2).await;
    assert!(seen.view.can_delete);
    world.fault(Rule::new("events.patch", Fault::Reset { after: true }).times(1));
    let edit = json!({"title": "Ann Lee", "colorId": "3", "reminders": {"overrides": [{"method": "popup", "minutes": 60}]}});
    let edited = done(&world, update(&seen, Some(Scope::All), edit))
        .await
        .0
        .unwrap();
    assert_eq!(
        (edited.view.title.as_str(), edited.view.color_id.as_deref()),
        ("Ann Lee", Some("3"))
    );
    let next = day + chrono::Days::new(1);
    let moved = json!({"start": next, "end": next + chrono::Days::new(1)});
    done(&world, update(&edited, Some(Scope::All), moved)).await;
    assert_eq!(google(&world, "birthday1")["start"], json!({"date": next}));
    assert_silent(&world).await;

    let of_contact = json!({"type": "birthday", "contact": "people/c1"});
    let far = day + chrono::Days::new(7);
    seed(&world, &birthday("birthday2", far, of_contact)).await;
    let linked = instance(&world, 9).await;
    assert!(!linked.view.can_delete);
    let next_day = json!({"start": next, "end": next + chrono::Days::new(1)});
    for command in [
        delete(&linked, Some(Scope::All)),
        update(&linked, Some(Scope::All), next_day),
        update(&linked, Some(Scope::All), json!({"description": "x"})),
    ] {
        let refused = send(&world, command).await.unwrap_err();
        assert!(refused.to_string().starts_with("EVENT_TYPE"), "{refused}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_status_event_stays_as_its_type_demands(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut focus = world.event("Focus", 2, 9);
    focus["eventType"] = json!("focusTime");
    world.add(ALICE, focus);
    let day = world.today() + chrono::Days::new(6);
    world.add(
        ALICE,
        json!({"summary": "Home", "eventType": "workingLocation", "transparency": "transparent",
            "visibility": "public", "start": {"date": day}, "end": {"date": day + chrono::Days::new(1)}}),
    );
    world.push_and_settle(&alice()).await;
    let (focus, home) = (instance(&world, 2).await, instance(&world, 6).await);
    let all_day = json!({"start": day, "end": day + chrono::Days::new(1)});
    let free = json!({"transparency": "transparent"});
    let two_days = json!({"end": day + chrono::Days::new(2)});
    for (event, edit, field) in [
        (&focus, all_day, "allDay"),
        (&focus, free, "transparency"),
        (&home, two_days, "end"),
        (&home, json!({"visibility": "private"}), "visibility"),
    ] {
        let refused = send(&world, update(event, None, edit)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("EVENT_TYPE does not allow changing {field}")
        );
    }
    let later = json!({"start": world.at(2, 11), "visibility": "private"});
    done(&world, update(&focus, None, later)).await;
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_dragged_flight_still_lands_in_its_zone(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(
        ALICE,
        json!({"summary": "Flight",
            "start": {"dateTime": world.at(2, 18), "timeZone": "America/Los_Angeles"},
            "end": {"dateTime": world.at(2, 23), "timeZone": "America/New_York"}}),
    );
    world.push_and_settle(&alice()).await;
    let seen = instance(&world, 2).await;
    assert_eq!(
        (seen.view.time_zone.as_deref(), seen.view.end_time_zone.as_deref()),
        (Some("America/Los_Angeles"), Some("America/New_York"))
    );
    let later = json!({"start": world.at(2, 17), "end": world.at(2, 22), "timeZone": seen.view.time_zone});
    done(&world, update(&seen, None, later)).await;
    let there = google(&world, &seen.id);
    assert_eq!(there["start"]["timeZone"], "America/Los_Angeles");
    assert_eq!(there["end"]["timeZone"], "America/New_York");
    assert_silent(&world).await;
}
