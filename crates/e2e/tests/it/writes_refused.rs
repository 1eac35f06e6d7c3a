//! Promise 8 when Google refuses, delays or does not answer: each case has its code, its reason and its result.

use anyhow::{Context, Result, ensure};
use e2e::oracle::mirror_equals_google;
use e2e::person::{GUEST, Person, Tab, hour, with_guest};
use e2e::{Stack, wait};
use google_emulator::{Fault, MailKind, Rule};
use serde_json::{Value, json};

fn error(status: u16, reason: &str, retry_after: Option<u64>) -> Fault {
    Fault::Error {
        status,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        message: None,
        retry_after,
    }
}

struct Test {
    stack: Stack,
}

impl Test {
    async fn start() -> Result<Self> {
        Ok(Self {
            stack: Stack::start().await?,
        })
    }

    async fn person(&self, user: &str) -> Result<Person> {
        Person::new(&self.stack, user, &json!([with_guest("Review", 26)])).await
    }

    /// Sets Google's answer to this person's next calls.
    fn fault(&self, person: &Person, endpoint: &str, fault: Fault, times: Option<u64>) -> String {
        let mut rule = Rule::new(endpoint, fault).of_user(&person.account);
        rule.times = times;
        self.stack.google.fault(rule)
    }

    fn calls(&self, person: &Person, endpoint: &str) -> usize {
        let calls = self.stack.google.requests_to(endpoint);
        calls
            .iter()
            .filter(|call| call.user.as_ref() == Some(&person.account))
            .count()
    }

    async fn sql(&self, statement: &'static str) -> Result<()> {
        sqlx::raw_sql(statement)
            .execute(&self.stack.database.pool)
            .await?;
        Ok(())
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_google_has_its_answer() -> Result<()> {
    let test = Test::start().await?;
    let person = test.person("frank").await?;
    let seen = person.titled("Review").await?;
    for (status, reason, code, expected) in [
        (403, "forbidden", "FORBIDDEN", "FORBIDDEN_BY_GOOGLE"),
        (
            403,
            "forbiddenForNonOrganizer",
            "FORBIDDEN",
            "FORBIDDEN_BY_GOOGLE",
        ),
        (403, "requiredAccessLevel", "FORBIDDEN", "FORBIDDEN_BY_GOOGLE"),
        (
            403,
            "calendarUsageLimitsExceeded",
            "FORBIDDEN",
            "FORBIDDEN_BY_GOOGLE",
        ),
        (403, "insufficientPermissions", "FORBIDDEN", "WRITE_SCOPE_MISSING"),
        (
            403,
            "accessNotConfigured",
            "INTERNAL_SERVER_ERROR",
            "MISCONFIGURED",
        ),
        (400, "invalid", "BAD_REQUEST", "REFUSED_BY_GOOGLE"),
        (400, "timeRangeEmpty", "BAD_REQUEST", "REFUSED_BY_GOOGLE"),
    ] {
        let calls = [
            (
                "events.patch",
                "updateEvent",
                person.update_input(&seen, &json!({"title": reason})),
            ),
            (
                "events.insert",
                "createEvent",
                person.create_input(&hour(reason, 30)),
            ),
            ("events.delete", "deleteEvent", person.delete_input(&seen)),
        ];
        for (endpoint, verb, input) in calls {
            test.fault(&person, endpoint, error(status, reason, None), Some(1));
            let refusal = refused(&person, verb, &input).await?;
            assert_eq!(words(&refusal), (code, expected), "{verb}: {status} {reason}");
            if expected.ends_with("BY_GOOGLE") {
                assert_eq!(refusal["googleReason"], reason);
            }
            // The same request gets the same answer, even if Google would answer differently by now.
            assert_eq!(
                refused(&person, verb, &input).await?,
                refusal,
                "{verb}: {status} {reason}"
            );
        }
    }
    let titles = person.in_google(&test.stack);
    ensure!(
        titles.len() == 1 && titles[0]["summary"] == "Review",
        "{titles:?}"
    );
    ensure!(person.mailed(&test.stack).is_empty(), "no guest was mailed");
    mirror_equals_google(&test.stack, "frank").await?;
    test.stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_errors_are_retried_and_done_once() -> Result<()> {
    let test = Test::start().await?;
    let person = test.person("gina").await?;
    let passing = [
        error(403, "rateLimitExceeded", Some(1)),
        error(403, "userRateLimitExceeded", Some(1)),
        error(429, "rateLimitExceeded", Some(1)),
        error(401, "", None),
        error(412, "", None),
        error(404, "", None),
        error(500, "", None),
        error(503, "", None),
        Fault::BadGateway,
        Fault::Reset { after: false },
        Fault::Reset { after: true },
        Fault::Garbage,
        Fault::Truncate,
    ];
    for (n, fault) in passing.iter().enumerate() {
        let seen = &person.shown().await?[0];
        let title = format!("Review {n}");
        test.fault(&person, "events.patch", fault.clone(), Some(1));
        let answer = person
            .call(
                "updateEvent",
                &person.update_input(seen, &json!({"title": title})),
            )
            .await?;
        assert_eq!(
            (&answer["event"]["title"], &answer["pending"]),
            (&json!(title), &json!(false)),
            "{fault:?}"
        );
        let events = person.in_google(&test.stack);
        ensure!(
            events.len() == 1 && events[0]["summary"] == title.as_str(),
            "{fault:?}: {events:?}"
        );
        assert_eq!(
            person.mailed(&test.stack),
            vec![MailKind::Update; n + 1],
            "{fault:?}"
        );
    }
    mirror_equals_google(&test.stack, "gina").await?;
    test.stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abuse_limit_pauses_the_account_at_once() -> Result<()> {
    let test = Test::start().await?;
    let (person, other) = (test.person("hugo").await?, test.person("ines").await?);
    let seen = person.titled("Review").await?;
    test.fault(&person, "events.*", error(403, "quotaExceeded", None), None);
    let refusal = refused(
        &person,
        "updateEvent",
        &person.update_input(&seen, &json!({"title": "Now"})),
    )
    .await?;
    assert_eq!(words(&refusal), ("TOO_MANY_REQUESTS", "QUOTA_EXCEEDED"));
    // For an hour no call is made for this account. A write is refused with the reason, without waiting.
    let asked = test.calls(&person, "events.patch");
    let refusal = refused(
        &person,
        "updateEvent",
        &person.update_input(&seen, &json!({"title": "Again"})),
    )
    .await?;
    assert_eq!(words(&refusal), ("TOO_MANY_REQUESTS", "QUOTA_EXCEEDED"));
    assert_eq!(test.calls(&person, "events.patch"), asked);
    // Other accounts are not affected.
    let seen = other.titled("Review").await?;
    other
        .call(
            "updateEvent",
            &other.update_input(&seen, &json!({"title": "Undisturbed"})),
        )
        .await?;
    test.stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_taken_by_another_event_is_refused() -> Result<()> {
    let test = Test::start().await?;
    let person = test.person("jack").await?;
    let hold = test.fault(&person, "events.insert", Fault::Hold { after: false }, Some(1));
    let input = person.create_input(&hour("Ours", 30));
    let writing = tokio::spawn({
        let (person, input) = (person.clone(), input.clone());
        async move { person.write("createEvent", &input).await }
    });
    let id: String = wait::until("the request is stored", async || {
        let id = sqlx::query_scalar("select event_id from write_intents where state = 'sent'");
        id.fetch_optional(&test.stack.database.pool).await.ok()?
    })
    .await;
    let mut theirs = with_guest("Theirs", 30);
    theirs["id"] = id.as_str().into();
    test.stack.google.insert(&person.account, "primary", theirs)?;
    test.stack.google.clear_fault(&hold);
    let refusal = writing.await??.refused().context("theirs is not ours")?;
    assert_eq!(words(&refusal), ("BAD_REQUEST", "REFUSED_BY_GOOGLE"));
    assert_eq!(refusal["googleReason"], "duplicate");
    let stored = test
        .stack
        .google
        .event(&person.account, &id)
        .context("it is there")?;
    assert_eq!(stored["summary"], "Theirs");
    mirror_equals_google(&test.stack, "jack").await?;
    test.stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_deleted_event_succeeds() -> Result<()> {
    let test = Test::start().await?;
    let person = test.person("kate").await?;
    let mut tab = person.tab(&test.stack).await?;
    test.stack.google.fault(Rule::new("push", Fault::Drop));
    // Deleted in Google without a push: 410.
    let seen = person.titled("Review").await?;
    let id = seen["id"].as_str().context("an event has an id")?;
    test.stack.google.delete(&person.account, "primary", id)?;
    let mut input = person.delete_input(&seen);
    input
        .as_object_mut()
        .context("an input is an object")?
        .remove("baseEtag");
    let answer = person.call("deleteEvent", &input).await?;
    assert_eq!(
        (&answer["deleted"], &answer["pending"]),
        (&json!(true), &json!(false))
    );
    let statuses: Vec<_> = test
        .stack
        .google
        .requests_to("events.delete")
        .iter()
        .map(|call| call.status)
        .collect();
    assert_eq!(statuses, [Some(410)]);
    assert_eq!(
        person.call("deleteEvent", &input).await?,
        answer,
        "the same request, the same answer"
    );
    ensure!(person.shown().await?.is_empty(), "gone from the mirror");
    // The deletion is known.
    let refusal = refused(&person, "deleteEvent", &person.delete_input(&seen)).await?;
    assert_eq!(words(&refusal), ("NOT_FOUND", "EVENT_NOT_FOUND"));
    let edit = person.update_input(&seen, &json!({"title": "Late"}));
    assert_eq!(
        words(&refused(&person, "updateEvent", &edit).await?),
        ("NOT_FOUND", "EVENT_NOT_FOUND")
    );

    // 404, as of an event that Google has forgotten.
    let made = person
        .call("createEvent", &person.create_input(&hour("Forgotten", 30)))
        .await?;
    let id = made["event"]["id"].as_str().context("an event has an id")?;
    test.stack.google.delete(&person.account, "primary", id)?;
    test.fault(&person, "events.delete", error(404, "", None), Some(1));
    let answer = person
        .call("deleteEvent", &person.delete_input(&made["event"]))
        .await?;
    assert_eq!(answer["deleted"], true);

    // 412: it is not the version that was seen, because it is deleted.
    let made = person
        .call("createEvent", &person.create_input(&hour("Changed first", 30)))
        .await?;
    let id = made["event"]["id"].as_str().context("an event has an id")?;
    test.stack.google.delete(&person.account, "primary", id)?;
    let answer = person
        .call("deleteEvent", &person.delete_input(&made["event"]))
        .await?;
    assert_eq!(answer["deleted"], true);

    // An edit of a deleted event.
    let made = person
        .call("createEvent", &person.create_input(&hour("Gone", 30)))
        .await?;
    let id = made["event"]["id"].as_str().context("an event has an id")?;
    test.stack.google.delete(&person.account, "primary", id)?;
    let edit = person.update_input(&made["event"], &json!({"title": "Late"}));
    assert_eq!(
        words(&refused(&person, "updateEvent", &edit).await?),
        ("NOT_FOUND", "EVENT_DELETED")
    );
    ensure!(person.shown().await?.is_empty(), "gone from the mirror");
    test.stack.google.clear_faults();
    mirror_equals_google(&test.stack, "kate").await?;
    tab.catch_up().await?;
    drop(tab);
    test.stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_in_an_outage_are_pending_until_resolved() -> Result<()> {
    let test = Test::start().await?;
    let people = [
        test.person("lena").await?,
        test.person("mike").await?,
        test.person("nora").await?,
    ];
    let mut tabs = Vec::new();
    for person in &people {
        tabs.push(person.tab(&test.stack).await?);
    }
    let [lena, mike, nora] = &people;
    test.stack.google.fault(Rule::new("events.*", Fault::BadGateway));
    let mut event = hour("Made in an outage", 30);
    event["attendees"] = json!([{"email": GUEST}]);
    let (create, edit, delete) = (
        lena.create_input(&event),
        mike.update_input(&mike.titled("Review").await?, &json!({"title": "Design review"})),
        nora.delete_input(&nora.titled("Review").await?),
    );
    let hopeless = nora.create_input(&hour("Never", 31));
    let (created, edited, deleted, never) = tokio::try_join!(
        lena.call("createEvent", &create),
        mike.call("updateEvent", &edit),
        nora.call("deleteEvent", &delete),
        nora.call("createEvent", &hopeless)
    )?;
    for answer in [&created, &edited, &deleted, &never] {
        assert_eq!(answer["pending"], true, "{answer}");
    }
    assert_eq!(
        (&created["event"], &deleted["deleted"]),
        (&Value::Null, &json!(false))
    );

    // One write reaches its age limit.
    test.sql("update write_intents set created_at = created_at - interval '10 minutes' where work->'act'->'insert'->'body'->>'summary' = 'Never'")
        .await?;
    let end = resolved(&mut tabs[2], &hopeless).await?;
    assert_eq!(
        (&end["state"], &end["reason"]),
        (&json!("failed"), &json!("OUTCOME_UNKNOWN"))
    );
    assert_eq!(
        words(&refused(nora, "createEvent", &hopeless).await?),
        ("BAD_GATEWAY", "OUTCOME_UNKNOWN")
    );

    test.stack.google.clear_faults();
    test.sql("update write_intents set not_before = now()").await?;
    for (nth, (input, intent)) in [(&create, &created), (&edit, &edited), (&delete, &deleted)]
        .iter()
        .enumerate()
    {
        let end = resolved(&mut tabs[nth], input).await?;
        assert_eq!(
            (&end["state"], &end["intentId"]),
            (&json!("done"), &intent["intentId"])
        );
        tabs[nth].catch_up().await?;
    }
    lena.titled("Made in an outage").await?;
    mike.titled("Design review").await?;
    ensure!(
        nora.shown().await?.is_empty(),
        "deleted, and the other was not made"
    );
    // A repeated request is answered as if there had been no outage.
    let again = lena.call("createEvent", &create).await?;
    assert_eq!(
        (&again["event"]["title"], &again["pending"]),
        (&json!("Made in an outage"), &json!(false))
    );
    let mails = people.each_ref().map(|person| person.mailed(&test.stack));
    assert_eq!(
        mails,
        [
            [MailKind::Invitation],
            [MailKind::Update],
            [MailKind::Cancellation]
        ]
    );
    for user in ["lena", "mike", "nora"] {
        mirror_equals_google(&test.stack, user).await?;
    }
    drop(tabs);
    test.stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_wait_for_a_spent_quota() -> Result<()> {
    let test = Test::start().await?;
    let (spent, limited, other) = (
        test.person("olga").await?,
        test.person("paul").await?,
        test.person("quin").await?,
    );
    let mut tabs = [spent.tab(&test.stack).await?, limited.tab(&test.stack).await?];
    // Our own budget of one account, in whichever minute it is then, and Google's budget of the other.
    test.sql(
        "update quota_usage set used = 1000000 from connections where user_id = 'olga' and bucket = 'user:' || google_sub",
    )
    .await?;
    let limit = error(403, "userRateLimitExceeded", None);
    let limit = test.fault(&limited, "events.patch", limit, None);
    let edit = async |person: &Person| -> Result<Value> {
        Ok(person.update_input(&person.titled("Review").await?, &json!({"title": "Later"})))
    };
    let inputs = [edit(&spent).await?, edit(&limited).await?];
    let third = edit(&other).await?;
    let (one, two, three) = tokio::try_join!(
        spent.call("updateEvent", &inputs[0]),
        limited.call("updateEvent", &inputs[1]),
        other.call("updateEvent", &third)
    )?;
    assert_eq!(
        [&one, &two, &three].map(|answer| answer["pending"] == true),
        [true, true, false]
    );
    assert_eq!(test.calls(&spent, "events.patch"), 0);
    assert_eq!(
        test.calls(&limited, "events.patch"),
        1,
        "Google is not called again early"
    );

    test.stack.google.clear_fault(&limit);
    test.sql(
        "delete from quota_usage; delete from quota_pauses; update write_intents set not_before = now()",
    )
    .await?;
    for (tab, input) in tabs.iter_mut().zip(&inputs) {
        assert_eq!(resolved(tab, input).await?["state"], "done");
        tab.catch_up().await?;
    }
    for (person, user) in [(&spent, "olga"), (&limited, "paul")] {
        assert_eq!(person.titled("Later").await?["title"], "Later");
        assert_eq!(person.mailed(&test.stack), [MailKind::Update]);
        mirror_equals_google(&test.stack, user).await?;
    }
    drop(tabs);
    test.stack.end().await
}

/// The result of a write, as a tab receives it.
async fn resolved(tab: &mut Tab, input: &Value) -> Result<Value> {
    loop {
        let message = tab.socket.next().await?;
        tab.view.apply(&message).await?;
        if message["type"] == "write.resolved" && message["idempotencyKey"] == input["idempotencyKey"] {
            return Ok(message);
        }
    }
}
