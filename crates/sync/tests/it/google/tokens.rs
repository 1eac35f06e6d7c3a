//! Promise 12: refreshes are single-flight, and only a confirmed `invalid_grant` ends a grant.

use super::stage::{ALICE, Stage, user_id};
use chrono::TimeDelta;
use futures_util::future::join_all;
use google::{Error, Grant, ListCursor, scopes};
use google_emulator::{Fault, Rule, Settings};
use serde_json::json;
use sqlx::PgPool;
use store::connections::{self, Connected};
use sync::Context;
use sync::calls::{CallError, Purpose, call};

use common::ids::ConnectionId;
use common::worker::Pass;

async fn list(ctx: &Context, connection: ConnectionId) -> Result<usize, CallError> {
    let page = call(ctx, connection, Purpose::Sync, |access| async move {
        ctx.google.calendar_list(&access, &ListCursor::default()).await
    })
    .await?;
    Ok(page.items.len())
}

fn token_error(status: u16, code: &str) -> Rule {
    Rule::new(
        "oauth.token",
        Fault::Error {
            status,
            reason: Some(code.into()),
            message: None,
            retry_after: None,
        },
    )
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_processes_refresh_an_expired_token_once(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    stage.pass(TimeDelta::minutes(58));
    // Slow enough that all tasks wait for it.
    stage.google.fault(Rule::new(
        "oauth.token",
        Fault::Delay {
            ms: 300,
            jitter_ms: 0,
        },
    ));
    let other = stage.another();
    let calls = (0..8).map(|n| list(if n % 2 == 0 { &stage.ctx } else { &other }, id));
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), 2);
    }
    assert_eq!(stage.requests_to("oauth.token"), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn refresh_of_a_dead_process_is_taken_over_within_seconds(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    stage.pass(TimeDelta::minutes(58));
    let slow = Fault::Delay {
        ms: 4_000,
        jitter_ms: 0,
    };
    stage.google.fault(Rule::new("oauth.token", slow));
    let remaining = async || -> Option<f64> {
        let remaining = "select extract(epoch from max(refresh_leased_until) - clock_timestamp())::float8 from connections";
        sqlx::query_scalar(remaining)
            .fetch_one(&stage.ctx.pool)
            .await
            .unwrap()
    };
    let watched = async {
        let mut extended = false;
        let mut last = f64::MAX;
        while stage.requests_to("oauth.token") == 0 || remaining().await.is_some() {
            let now = remaining().await.unwrap_or_default();
            assert!(now < 10.0, "others would wait {now} s for a process that died");
            extended |= now > last;
            last = now;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        extended
    };
    let (listed, extended) = tokio::join!(list(&stage.ctx, id), watched);
    assert_eq!(listed.unwrap(), 2);
    assert!(extended, "the lease is extended while Google is slow");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn rejected_token_is_refreshed_once_and_the_call_retried(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    stage.google.expire_access_tokens(ALICE);
    let other = stage.another();
    let calls = (0..6).map(|n| list(if n % 2 == 0 { &stage.ctx } else { &other }, id));
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), 2);
    }
    assert_eq!(stage.requests_to("oauth.token"), 1);

    // Every token is rejected: one refresh, one retry, then the error is returned.
    let fault = Fault::Error {
        status: 401,
        reason: None,
        message: None,
        retry_after: None,
    };
    stage.google.fault(Rule::new("calendarList.list", fault));
    stage.google.clear_log();
    let error = list(&stage.ctx, id).await.unwrap_err();
    assert!(matches!(error, CallError::Google(Error::Unauthorized)), "{error}");
    assert_eq!(
        (
            stage.requests_to("oauth.token"),
            stage.requests_to("calendarList.list")
        ),
        (1, 2)
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn revoked_grant_ends_once_confirmed_with_one_message(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    stage.pull_all().await;
    let before = stage.messages("alice").await.len();
    stage.google.revoke(ALICE);
    stage.google.clear_log();

    let error = list(&stage.ctx, id).await.unwrap_err();
    assert!(matches!(error, CallError::GrantSuspect { .. }), "{error}");
    // A second attempt at once would confirm nothing, so there is none.
    let error = list(&stage.ctx, id).await.unwrap_err();
    assert!(matches!(error, CallError::GrantSuspect { .. }), "{error}");
    assert_eq!(stage.requests_to("oauth.token"), 1);
    assert_eq!(stage.messages("alice").await.len(), before);

    stage.age_suspicions().await;
    for _ in 0..3 {
        let error = list(&stage.ctx, id).await.unwrap_err();
        assert!(matches!(error, CallError::GrantEnded), "{error}");
    }
    assert_eq!(stage.requests_to("oauth.token"), 2);
    let messages = stage.messages("alice").await;
    assert_eq!(messages.len(), before + 1);
    assert_eq!(messages[before]["type"], "connection.changed");
    assert_eq!(messages[before]["state"], "reauth_required");
    let sealed: i64 = stage
        .one("select count(*) from connections where num_nonnulls(refresh_token, access_token) > 0")
        .await;
    assert_eq!(sealed, 0);
    // The mirror stays.
    assert_eq!(stage.one::<i64>("select count(*) from calendars").await, 2);

    // The user connects again: the same row, and it works.
    assert_eq!(stage.connect("alice", ALICE).await, id);
    assert_eq!(list(&stage.ctx, id).await.unwrap(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn only_a_second_invalid_grant_ends_a_grant(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    let refresh = || stage.google.expire_access_tokens(ALICE);
    for fault in [
        Fault::BadGateway,
        Fault::Garbage,
        Fault::Truncate,
        Fault::Reset { after: false },
        Fault::Error {
            status: 503,
            reason: None,
            message: None,
            retry_after: None,
        },
    ] {
        refresh();
        let rule = stage.google.fault(Rule::new("oauth.token", fault.clone()));
        let error = list(&stage.ctx, id).await.unwrap_err();
        assert!(
            matches!(error, CallError::Token(Error::Transient { .. })),
            "{fault:?}: {error}"
        );
        stage.google.clear_fault(&rule);
        assert_eq!(list(&stage.ctx, id).await.unwrap(), 2, "{fault:?}");
    }
    // Once, as in a race. The next refresh clears the suspicion, so a later rejection counts as the first one again.
    for _ in 0..3 {
        refresh();
        let rule = stage.google.fault(token_error(400, "invalid_grant").times(1));
        let error = list(&stage.ctx, id).await.unwrap_err();
        assert!(matches!(error, CallError::GrantSuspect { .. }), "{error}");
        stage.google.clear_fault(&rule);
        stage.age_suspicions().await;
        stage.pass(TimeDelta::hours(1));
        assert_eq!(list(&stage.ctx, id).await.unwrap(), 2);
    }
    // Nor does an error of our own configuration.
    refresh();
    stage.google.fault(token_error(401, "invalid_client"));
    let error = list(&stage.ctx, id).await.unwrap_err();
    assert!(
        matches!(error, CallError::Token(Error::ClientMisconfigured { .. })),
        "{error}"
    );
    let ended: i64 = stage
        .one("select count(*) from connections where grant_ended_at is not null")
        .await;
    assert_eq!(ended, 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn wrong_clock_confirms_nothing(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    stage.google.expire_access_tokens(ALICE);
    let rule = stage.google.fault(token_error(400, "invalid_grant"));
    let (slow, fast) = (
        stage.another_off_by(TimeDelta::seconds(-40)),
        stage.another_off_by(TimeDelta::seconds(40)),
    );
    // Both rejections of one race, received by two processes.
    for ctx in [&slow, &stage.ctx, &fast] {
        let error = list(ctx, id).await.unwrap_err();
        assert!(matches!(error, CallError::GrantSuspect { .. }), "{error}");
    }
    assert_eq!(stage.requests_to("oauth.token"), 1);
    stage.google.clear_fault(&rule);
    stage.age_suspicions().await;
    assert_eq!(list(&slow, id).await.unwrap(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn rejection_of_a_replaced_token_is_ignored(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    let mut conn = stage.ctx.pool.acquire().await.unwrap();
    let lease = std::time::Duration::from_secs(40);
    let refresh = connections::acquire_refresh(&mut conn, &stage.ctx.keyring, id, lease)
        .await
        .unwrap()
        .unwrap();
    stage.connect("alice", ALICE).await;
    for _ in 0..2 {
        let verdict =
            connections::reject_grant(&mut conn, stage.now(), &refresh, None, std::time::Duration::ZERO)
                .await;
        assert_eq!(verdict.unwrap(), connections::Verdict::Outdated);
    }
    assert_eq!(list(&stage.ctx, id).await.unwrap(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn dead_refresh_is_taken_over_and_its_late_response_ignored(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    stage.google.expire_access_tokens(ALICE);
    let mut conn = stage.ctx.pool.acquire().await.unwrap();
    let lease = std::time::Duration::from_secs(1);
    let dead = connections::acquire_refresh(&mut conn, &stage.ctx.keyring, id, lease)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(list(&stage.ctx, id).await.unwrap(), 2);
    assert_eq!(stage.requests_to("oauth.token"), 1);
    let late = connections::Refreshed {
        access_token: &"ya29.late".into(),
        expires_at: stage.now() + TimeDelta::hours(1),
        refresh_token: None,
        scopes: None,
    };
    let kept = connections::settle_refresh(&mut conn, stage.now(), &stage.ctx.keyring, &dead, &late).await;
    assert!(!kept.unwrap());
    assert_eq!(list(&stage.ctx, id).await.unwrap(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn lost_response_costs_only_another_refresh(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    stage.google.expire_access_tokens(ALICE);
    stage
        .google
        .fault(Rule::new("oauth.token", Fault::Reset { after: true }).times(1));
    let error = list(&stage.ctx, id).await.unwrap_err();
    assert!(
        matches!(error, CallError::Token(Error::Transient { .. })),
        "{error}"
    );
    assert_eq!(list(&stage.ctx, id).await.unwrap(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn short_lived_token_is_used_for_most_of_its_life(pool: PgPool) {
    let settings = Settings {
        access_token_seconds: 60,
        ..Settings::default()
    };
    let stage = Stage::with(pool, settings).await;
    let id = stage.connect("alice", ALICE).await;
    for _ in 0..10 {
        assert_eq!(list(&stage.ctx, id).await.unwrap(), 2);
        stage.pass(TimeDelta::seconds(4));
    }
    assert_eq!(stage.requests_to("oauth.token"), 0);
    stage.pass(TimeDelta::seconds(10));
    assert_eq!(list(&stage.ctx, id).await.unwrap(), 2);
    assert_eq!(stage.requests_to("oauth.token"), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn second_consent_without_refresh_token_keeps_the_first(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let tokens = stage.google.mint(ALICE, &scopes::REQUESTED).unwrap();
    let grant = Grant {
        access_token: tokens.access_token.into(),
        expires_in: std::time::Duration::from_secs(3_599),
        refresh_token: None,
        scopes: scopes::REQUESTED.map(str::to_owned).to_vec(),
    };
    let account = stage.ctx.google.userinfo(&grant.access_token).await.unwrap();
    assert_eq!(
        stage.reconnect("alice", &grant, &account).await,
        Connected::RefreshTokenMissing
    );
    assert_eq!(stage.one::<i64>("select count(*) from connections").await, 0);

    let id = stage.connect("alice", ALICE).await;
    let again = stage.reconnect("alice", &grant, &account).await;
    assert_eq!(again, Connected::Done { id, created: false });
    stage.google.expire_access_tokens(ALICE);
    assert_eq!(list(&stage.ctx, id).await.unwrap(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn rate_limit_pauses_all_processes(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let id = stage.connect("alice", ALICE).await;
    let fault = Fault::Error {
        status: 403,
        reason: Some("userRateLimitExceeded".into()),
        message: None,
        retry_after: Some(90),
    };
    stage.google.fault(Rule::new("calendarList.list", fault).times(1));
    let error = list(&stage.ctx, id).await.unwrap_err();
    assert!(
        matches!(error, CallError::Google(Error::RateLimited { .. })),
        "{error}"
    );
    let other = stage.another();
    for _ in 0..3 {
        let error = list(&other, id).await.unwrap_err();
        assert!(matches!(error, CallError::OverBudget { .. }), "{error}");
    }
    assert_eq!(stage.requests_to("calendarList.list"), 1);
    stage.pass(TimeDelta::minutes(4));
    let error = list(&other, id).await.unwrap_err();
    assert!(
        matches!(error, CallError::OverBudget { .. }),
        "a clock that is ahead does not end a pause: {error}"
    );
    stage.execute("update quota_pauses set until = now()").await;
    assert_eq!(list(&other, id).await.unwrap(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn tokens_are_sealed_to_their_row(pool: PgPool) {
    let stage = Stage::new(pool).await;
    stage.connect("alice", ALICE).await;
    let bob = stage.connect("bob", ALICE).await;
    let dump: Vec<u8> = stage
        .one("select refresh_token || access_token from connections limit 1")
        .await;
    assert!(!dump.windows(3).any(|bytes| bytes == b"1//"), "{dump:?}");
    // Alice's record in Bob's row.
    stage
        .execute("update connections b set access_token = a.access_token from connections a where b.user_id = 'bob' and a.user_id = 'alice'")
        .await;
    let error = list(&stage.ctx, bob).await.unwrap_err();
    assert!(matches!(error, CallError::Sealed(_)), "{error}");
    let of_bob = {
        let mut conn = stage.ctx.pool.acquire().await.unwrap();
        connections::of_user(&mut conn, &user_id("bob")).await.unwrap()
    };
    assert_eq!(
        json!(sync::connections::state(&of_bob[0], stage.now())),
        json!("importing")
    );

    // A missing key is logged at start; the accounts stay unchanged.
    let other = "2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=".parse().unwrap();
    let mut conn = stage.ctx.pool.acquire().await.unwrap();
    let missing = store::seal::check_keys(&mut conn, stage.now(), &other)
        .await
        .unwrap();
    assert_eq!(missing, [1]);
}

/// A policy's refusal is the grant's: the state shows it with its reason, and calendars, sync tokens and the refresh token
/// stay as they are. <https://github.com/dust-tt/dust/pull/31975>
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn policy_ends_the_grant_and_touches_nothing_else(pool: PgPool) {
    for reason in ["admin_policy_enforced", "access_denied", "policy_enforced"] {
        let stage = Stage::new(pool.clone()).await;
        let id = stage.connect("alice", ALICE).await;
        stage.pull_all().await;
        let kept: &str = "select string_agg(concat(sync_token, c.access_lost_at, n.refresh_token), ' ' order by resource_id)
             from connections n join sync_state s on s.connection_id = n.id left join calendars c on c.id = resource_id";
        let before: String = stage.one(kept).await;
        stage.google.expire_access_tokens(ALICE);
        let rule = stage.google.fault(token_error(400, reason).of_user(ALICE));
        let calls = async || list(&stage.ctx, id).await.unwrap_err();
        assert!(
            matches!(calls().await, CallError::GrantSuspect { .. }),
            "{reason}"
        );
        // Another kind of refusal does not confirm this one.
        stage.age_suspicions().await;
        stage.google.clear_fault(&rule);
        let other = stage
            .google
            .fault(token_error(400, "invalid_grant").of_user(ALICE));
        assert!(
            matches!(calls().await, CallError::GrantSuspect { .. }),
            "{reason}"
        );
        stage.google.clear_fault(&other);
        let rule = stage.google.fault(token_error(400, reason).of_user(ALICE));
        stage.age_suspicions().await;
        assert!(
            matches!(calls().await, CallError::GrantSuspect { .. }),
            "{reason}"
        );
        stage.age_suspicions().await;
        stage
            .execute("update sync_state set dirty_seq = dirty_seq + 1")
            .await;
        stage.pull_all().await;
        assert!(matches!(calls().await, CallError::GrantEnded), "{reason}");
        let connection = async || {
            let mut conn = stage.ctx.pool.acquire().await.unwrap();
            connections::of_user(&mut conn, &user_id("alice"))
                .await
                .unwrap()
                .remove(0)
        };
        let ended = connection().await;
        assert_eq!(ended.grant_ended_reason.as_deref(), Some(reason));
        assert_eq!(
            json!(sync::connections::state(&ended, stage.now())),
            json!("reauth_required")
        );
        assert_eq!(stage.one::<String>(kept).await, before, "{reason}");

        // Tried again while the policy lasts, then when it has changed.
        for hours in [0, 7] {
            stage.pass(TimeDelta::hours(hours));
            assert_eq!(
                sync::connections::recheck_refused_once(&stage.ctx).await.unwrap(),
                Pass::Worked
            );
            assert_eq!(
                sync::connections::recheck_refused_once(&stage.ctx).await.unwrap(),
                Pass::Idle
            );
            assert!(connection().await.grant_ended_at.is_some());
        }
        stage.google.clear_fault(&rule);
        stage.pass(TimeDelta::hours(7));
        assert_eq!(
            sync::connections::recheck_refused_once(&stage.ctx).await.unwrap(),
            Pass::Worked
        );
        stage.pull_all().await;
        assert_eq!(
            json!(sync::connections::state(&connection().await, stage.now())),
            json!("healthy")
        );
        let states: Vec<_> = stage
            .messages("alice")
            .await
            .into_iter()
            .map(|m| m["state"].clone())
            .collect();
        assert!(
            states.ends_with(&[json!("reauth_required"), json!("healthy")]),
            "{states:?}"
        );
        stage.execute("delete from connections").await;
        stage.execute("delete from outbox").await;
    }
}

/// No answer of the token endpoint is about a calendar, even one with a name that Calendar v3 gives a meaning.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn errors_of_the_token_endpoint_are_no_calendars(pool: PgPool) {
    let stage = Stage::new(pool).await;
    stage.connect("alice", ALICE).await;
    stage.pull_all().await;
    let kept: &str =
        "select string_agg(concat(sync_token, generation, c.access_lost_at), ' ' order by resource_id)
         from sync_state left join calendars c on c.id = resource_id";
    let before: String = stage.one(kept).await;
    for (status, code) in [
        (400, "invalid_request"),
        (403, "forbidden"),
        (404, "notFound"),
        (410, "gone"),
    ] {
        stage.google.expire_access_tokens(ALICE);
        let rule = stage.google.fault(token_error(status, code).of_user(ALICE));
        stage
            .execute("update sync_state set dirty_seq = dirty_seq + 1, not_before = now()")
            .await;
        stage.pull_all().await;
        let failed: String = stage
            .one("select string_agg(distinct last_error, ' ') from sync_state")
            .await;
        assert_eq!(failed, "token_endpoint", "{code}");
        assert_eq!(stage.one::<String>(kept).await, before, "{code}");
        stage.google.clear_fault(&rule);
    }
}
