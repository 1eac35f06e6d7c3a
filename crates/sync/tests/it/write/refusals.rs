//! Writes that fail, each with its reason.

use event_model::wire::Change;
use google_emulator::{Fault, Rule};
use serde_json::json;
use sqlx::PgPool;
use sync::write::{Command, Reason, Refused, Scope, WriteResult, submit};

use super::user::*;
use crate::world::{ALICE, TEAM, World, alice, bob};

fn refusal(status: u16, reason: &str) -> Fault {
    Fault::Error {
        status,
        reason: Some(reason.into()),
        message: None,
        retry_after: None,
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_refusal_by_google_maps_to_a_reason(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let made = done(&world, create(hour(&world, "Review", 2, 9)))
        .await
        .0
        .unwrap();
    for (status, reason, expected) in [
        (403, "forbiddenForNonOrganizer", "FORBIDDEN_BY_GOOGLE"),
        (403, "requiredAccessLevel", "FORBIDDEN_BY_GOOGLE"),
        (403, "insufficientPermissions", "WRITE_SCOPE_MISSING"),
        (400, "timeRangeEmpty", "REFUSED_BY_GOOGLE"),
        (403, "quotaExceeded", "QUOTA_EXCEEDED"),
    ] {
        world.fault(Rule::new("events.patch", refusal(status, reason)).times(1));
        let (found, google) = failure(&world, update(&made, None, json!({"title": reason}))).await;
        assert_eq!(found.name(), expected, "{reason}");
        if expected.ends_with("GOOGLE") {
            assert_eq!(google.as_deref(), Some(reason));
        }
        world.google.clear_faults();
        sqlx::query("delete from quota_pauses")
            .execute(&world.pool)
            .await
            .unwrap();
    }
    assert_eq!(google(&world, &made.id)["summary"], "Review");
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rate_limit_delays_the_write(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let limit = Fault::Error {
        status: 403,
        reason: Some("rateLimitExceeded".into()),
        message: None,
        retry_after: Some(1),
    };
    world.fault(Rule::new("events.insert", limit).times(1));
    // The pause of the whole project ends by the manual clock.
    let clock = world.clock.clone();
    let ticking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            clock.advance(chrono::TimeDelta::milliseconds(50));
        }
    });
    let (made, _) = done(&world, create(hour(&world, "Review", 2, 9))).await;
    ticking.abort();
    assert_eq!(made.unwrap().view.title, "Review");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn invalid_requests_are_refused_before_google_is_called(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let made = done(&world, create(hour(&world, "Review", 2, 9)))
        .await
        .0
        .unwrap();
    let asked = world.google.requests().len();
    let reader = json!({"accessRole": "reader"});
    world.google.patch_calendar(ALICE, TEAM, reader).unwrap();
    world.push_and_settle(&alice()).await;
    let team = world.id(&alice(), TEAM).await;
    let command = create(hour(&world, "Review", 2, 9));
    let request = sync::write::Request {
        calendar: team,
        mail: Some(sync::write::Mail::None),
        command: command.clone(),
    };
    let refused = submit(&world.ctx, &alice(), &key(), request.clone())
        .await
        .unwrap_err();
    assert!(matches!(refused, Refused::Rule { rule, .. } if rule.name() == "CALENDAR_READ_ONLY"));
    // Another user's calendar does not exist for Bob.
    let refused = submit(&world.ctx, &bob(), &key(), request).await.unwrap_err();
    assert!(matches!(refused, Refused::Reason(Reason::CalendarNotFound)));

    let unknown = Command::Delete {
        event_id: "nothere".into(),
        base_etag: None,
        scope: None,
    };
    let refused = send(&world, unknown).await.unwrap_err();
    assert!(matches!(refused, Refused::Reason(Reason::EventNotFound)));
    let backwards = json!({"end": world.at(2, 7)});
    let refused = send(&world, update(&made, None, backwards)).await.unwrap_err();
    assert!(matches!(refused, Refused::Invalid(invalid) if invalid.field == "end"));
    let no_time = send(&world, create(json!({"title": "Some day"})))
        .await
        .unwrap_err();
    assert!(matches!(no_time, Refused::Invalid(invalid) if invalid.field == "start"));
    let writes = world
        .google
        .requests()
        .iter()
        .skip(asked)
        .filter(|request| request.method != "GET")
        .count();
    assert_eq!(writes, 0);
}

/// Google's 404 is about the calendar, not about its events. They are there when access returns, and so is the
/// old sync token, which does not report events that were there all along.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn losing_access_to_a_calendar_deletes_no_events(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    world.push_and_settle(&alice()).await;
    let event = instance(&world, 1).await;
    let calendar = world.id(&alice(), TEAM).await;
    world.google.remove_calendar(ALICE, TEAM).unwrap();
    let moved = Command::Move {
        event_id: event.id.clone(),
        destination: own(&world).await,
    };
    let edit = update(&event, None, json!({"title": "Mine"}));
    for command in [edit, delete(&event, None), moved] {
        let request = sync::write::Request {
            calendar,
            mail: Some(sync::write::Mail::None),
            command,
        };
        let submitted = submit(&world.ctx, &alice(), &key(), request).await.unwrap();
        let Some(WriteResult::Failed(failure)) = submitted.result else {
            panic!("{submitted:?}");
        };
        assert_eq!(failure.reason, Reason::AccessLost);
    }
    let team = json!({"id": TEAM, "summary": "Team", "timeZone": "Europe/Berlin"});
    let team = serde_json::from_value(team).unwrap();
    world.google.add_calendar(ALICE, &team).unwrap();
    world.push_and_settle(&alice()).await;
    assert_eq!(instance(&world, 1).await.view.etag, event.view.etag);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn moving_a_series_whose_rules_name_days_needs_new_rules(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = hour(&world, "Monthly", 1, 9);
    event["recurrence"] = json!(["RRULE:FREQ=MONTHLY;BYDAY=2TU"]);
    let made = done(&world, create(event)).await.0.unwrap();
    let edit = json!({"start": world.at(2, 9)});
    let refused = send(&world, update(&made, Some(Scope::All), edit.clone()))
        .await
        .unwrap_err();
    assert!(matches!(refused, Refused::Reason(Reason::RecurrenceRequired)));
    let mut with_rules = edit;
    with_rules["recurrence"] = json!(["RRULE:FREQ=MONTHLY;BYDAY=2WE"]);
    done(&world, update(&made, Some(Scope::All), with_rules)).await;
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn one_key_is_one_request(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let key = key();
    let one = request(&world, create(hour(&world, "One", 2, 9))).await;
    let other = request(&world, create(hour(&world, "Other", 2, 9))).await;
    let first = submit(&world.ctx, &alice(), &key, one.clone()).await.unwrap();
    let second = submit(&world.ctx, &alice(), &key, one).await.unwrap();
    assert_eq!(first.intent_id, second.intent_id);
    let event = |result| match result {
        Some(WriteResult::Done { event, .. }) => event.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(event(first.result), event(second.result));
    let refused = submit(&world.ctx, &alice(), &key, other).await.unwrap_err();
    assert!(matches!(refused, Refused::KeyReused));
    assert_eq!(world.day(&alice(), 2).await.len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_outage_and_an_ended_grant_give_different_results(pool: PgPool) {
    let mut world = World::of_alice(pool).await;
    world.ctx.settings = std::sync::Arc::new(sync::Settings {
        write_deadline: std::time::Duration::from_millis(700),
        ..sync::Settings::default()
    });
    // Google is down: the answer is pending, and the outcome is published.
    world.fault(Rule::new("events.insert", Fault::BadGateway));
    let result = send(&world, create(hour(&world, "Review", 2, 9))).await.unwrap();
    assert!(result.is_none());
    world.google.clear_faults();
    settle_writes(&world).await;
    let told = world.messages(&alice()).await;
    assert!(
        matches!(
            &told[..],
            [
                Change::EventsChanged { .. },
                Change::WriteResolved {
                    state: event_model::wire::WriteState::Done,
                    ..
                }
            ]
        ),
        "{told:?}"
    );
    assert_eq!(world.day(&alice(), 2).await.len(), 1);

    // Google is down for too long: the write is given up, and may have been applied.
    world.fault(Rule::new("events.insert", Fault::Reset { after: false }));
    world.fault(Rule::new("events.get", Fault::BadGateway));
    let result = send(&world, create(hour(&world, "Never", 3, 9))).await.unwrap();
    assert!(result.is_none());
    world.clock.advance(sync::write::LIFE);
    settle_writes(&world).await;
    let told = world.messages(&alice()).await;
    assert!(
        matches!(&told[..], [Change::WriteResolved { reason: Some(reason), .. }] if reason == "OUTCOME_UNKNOWN"),
        "{told:?}"
    );
    world.google.clear_faults();

    world.google.revoke(ALICE);
    sqlx::query("update connections set grant_ended_at = now()")
        .execute(&world.pool)
        .await
        .unwrap();
    let refused = send(&world, create(hour(&world, "Review", 4, 9)))
        .await
        .unwrap_err();
    assert!(matches!(refused, Refused::Reason(Reason::ReauthRequired)));
}

/// Resumes all open requests until they finish.
async fn settle_writes(world: &World) {
    for _ in 0..10 {
        sqlx::query("update write_intents set not_before = now(), leased_until = null")
            .execute(&world.pool)
            .await
            .unwrap();
        sync::write::run_once(&world.ctx).await.unwrap();
    }
}

/// Google stops a user's edits for hours, and the calendars can still be read: <https://support.google.com/a/answer/2905486>.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn spent_quota_of_writes_leaves_reading_alone(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for reason in ["quotaExceeded", "rateLimitExceeded"] {
        let limit = Fault::Error {
            status: 403,
            reason: Some(reason.into()),
            message: None,
            retry_after: Some(3_600),
        };
        world.fault(Rule::new("writes", limit).times(1));
        for _ in 0..2 {
            let (found, _) = failure(&world, create(hour(&world, "Review", 2, 9))).await;
            assert_eq!(found.name(), "QUOTA_EXCEEDED", "{reason}");
        }
        let writes = world.google.requests_to("events.insert").len();
        world.add(ALICE, world.event("In Google", 1, 9));
        world.push_and_settle(&alice()).await;
        assert_eq!(world.last_error(&alice(), ALICE).await, None, "{reason}");
        world.assert_in_step(&alice(), ALICE).await;
        assert_eq!(world.google.requests_to("events.insert").len(), writes);
        sqlx::query("delete from quota_pauses")
            .execute(&world.pool)
            .await
            .unwrap();
    }
}
