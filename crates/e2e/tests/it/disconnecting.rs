//! Disconnecting an account, and exporting and deleting a user's data.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use e2e::google::{ALICE, BOB, timed};
use e2e::socket::Socket;
use e2e::{Stack, wait};
use google_emulator::{Fault, Rule};
use serde_json::{Value, json};

use super::accounts::{events, next_of, status, titled, two_accounts};

async fn rows(stack: &Stack, user: &str) -> Result<Vec<(String, i64)>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.columns \
         where table_schema = 'public' and column_name = 'user_id' order by 1",
    )
    .fetch_all(&stack.database.pool)
    .await?;
    let mut found = Vec::new();
    for table in tables {
        let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table} where user_id = $1"));
        let rows: i64 = sqlx::query_scalar(sql)
            .bind(user)
            .fetch_one(&stack.database.pool)
            .await?;
        if rows > 0 {
            found.push((table, rows));
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnecting_keeps_a_grant_that_another_user_needs() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = two_accounts(&stack).await?;
    let bob = stack.connect_and_settle("bob").await?;
    let connections = status(&alice).await?["connections"].clone();
    let of_bob = connections
        .as_array()
        .and_then(|all| all.iter().find(|each| each["email"] == BOB))
        .context("bob's account is not connected")?["id"]
        .clone();
    stack.google.insert(
        BOB,
        "primary",
        timed("Of bob's account", TimeDelta::hours(3), "UTC"),
    )?;
    wait::until("it is there", async || {
        (titled(&alice, "Of bob's account").await.ok()?.len() == 1).then_some(())
    })
    .await;
    let (mut other_page, _) = stack.browser(&alice).await?;
    let channels = stack.google.channels().len();

    let answer = alice
        .mutate("calendar.google.disconnect", json!({"connectionId": of_bob}))
        .await?;
    let receipt = &answer["receipts"][0];
    assert_eq!(
        (&receipt["email"], &receipt["grant"], &receipt["channels"]["left"]),
        (&json!(BOB), &json!("keptForOthers"), &json!(0)),
        "{receipt}"
    );
    let stopped = usize::try_from(receipt["channels"]["stopped"].as_u64().unwrap_or_default())?;
    assert!(stopped >= 3, "{receipt}");
    assert_eq!(stack.google.channels().len(), channels - stopped);
    assert_eq!(receipt["data"]["deleted"], true, "{receipt}");
    assert!(receipt["data"]["events"].as_u64() > Some(0), "{receipt}");

    let told = next_of(&mut other_page, "connection.changed").await?;
    assert_eq!(
        (&told["connectionId"], &told["state"]),
        (&of_bob, &json!("disconnected"))
    );
    assert!(titled(&alice, "Of bob's account").await?.is_empty());
    assert!(
        !events(&alice).await?.is_empty(),
        "the other account's events are there"
    );
    assert!(stack.google.requests_to("oauth.revoke").is_empty());
    // The grant still serves the other user.
    let (mut bobs_page, _) = stack.browser(&bob).await?;
    stack.google.insert(
        BOB,
        "primary",
        timed("Still published", TimeDelta::hours(4), "UTC"),
    )?;
    bobs_page.next_titled("Still published").await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_completes_after_a_crash() -> Result<()> {
    let mut stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    // Google is slow to stop the channels, and calendar-api is killed before it answers.
    let slow = Fault::Delay {
        ms: 20_000,
        jitter_ms: 0,
    };
    stack.google.fault(Rule::new("channels.stop", slow));
    let asking = {
        let alice = alice.clone();
        tokio::spawn(async move { alice.mutate("calendar.google.disconnect", Value::Null).await })
    };
    wait::until("the request is committed", async || {
        let leaving: i64 =
            sqlx::query_scalar("select count(*) from connections where disconnected_at is not null")
                .fetch_one(&stack.database.pool)
                .await
                .ok()?;
        (leaving == 1).then_some(())
    })
    .await;
    stack.api.kill().await;
    ensure!(asking.await?.is_err(), "it was answered");
    stack.google.clear_faults();
    wait::until_within(Duration::from_mins(1), "the account is gone", async || {
        let left = rows(&stack, "alice").await.ok()?;
        // A used connect flow stays until it expires, and does not name the account.
        let kept = ["user_stream", "oauth_states"];
        let of_account = left.iter().filter(|(table, _)| !kept.contains(&table.as_str()));
        (of_account.count() == 0).then_some(())
    })
    .await;
    assert_eq!(stack.google.requests_to("oauth.revoke").len(), 1);
    stack.api.start_again().await?;
    assert_eq!(status(&alice).await?["connected"], false);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_data_is_exported_and_then_deleted() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    stack.connect_and_settle("bob").await?;
    let (mut page, begun) = stack.browser(&alice).await?;
    stack.google.insert(
        ALICE,
        "primary",
        timed("To be forgotten", TimeDelta::hours(2), "UTC"),
    )?;
    page.next_titled("To be forgotten").await?;

    let export = alice.query("calendar.google.exportData", Value::Null).await?;
    assert_eq!(export["userId"], "alice");
    assert_eq!(export["connections"][0]["email"], ALICE);
    let events = export["events"].as_array().context("no events")?;
    assert!(
        events
            .iter()
            .any(|row| row["event"]["summary"] == "To be forgotten")
    );
    assert!(!export.to_string().contains("bob's"), "bob's data is exported");

    // His calendars are pulled on, and each pull is on record.
    let bobs = async || -> Result<_> {
        let mut rows = rows(&stack, "bob").await?;
        rows.retain(|(table, _)| table != "sync_rounds");
        Ok(rows)
    };
    let before = bobs().await?;
    let answer = alice.mutate("calendar.google.deleteData", Value::Null).await?;
    assert_eq!(
        (
            &answer["deleted"],
            &answer["grantsLeft"],
            &answer["liveHistoryDeleted"]
        ),
        (&json!(true), &json!(0), &json!(true)),
        "{answer}"
    );
    assert_eq!(answer["receipts"][0]["grant"], "revoked");
    assert_eq!(
        next_of(&mut page, "connection.changed").await?["state"],
        "disconnected"
    );
    assert_eq!(rows(&stack, "alice").await?, []);
    assert_eq!(bobs().await?, before);
    // The broker's history for a returning page is deleted too.
    let token = alice.query("realtime.getConnectionToken", Value::Null).await?;
    let mut late = Socket::connect(
        &stack.broker.ws_url(),
        token["token"].as_str().context("no token")?,
    )
    .await?;
    let channel = json!({"channel": "calendar:alice"});
    let token = alice.query("realtime.getSubscriptionToken", channel).await?;
    let since = (begun.offset, begun.epoch.as_str());
    let token = token["token"].as_str().context("no token")?;
    let recovered = late.subscribe("calendar:alice", token, Some(since)).await?;
    assert!(recovered.publications.is_empty(), "{recovered:?}");
    // Reading stores nothing, and connecting again is possible.
    assert_eq!(
        alice.query("realtime.getState", Value::Null).await?["connected"],
        false
    );
    assert_eq!(rows(&stack, "alice").await?, []);
    stack.connect_and_settle("alice").await?;
    assert_eq!(titled(&alice, "To be forgotten").await?.len(), 1);
    stack.end().await
}
