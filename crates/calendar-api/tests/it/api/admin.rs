//! The admin commands: key rotation under load, records for support, the doctor's clock check.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use calendar_api::admin::{self, Record};
use calendar_api::doctor;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use store::connections::{self, Refreshed, rotate};

use super::*;

const OLD: &str = TOKEN_KEYS;
const NEW_FIRST: &str =
    "2:7nlf4AbHbXY6c0JqTmqvwHcq0d8wFzC4l2yS3mVn9sE=,1:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=";
const NEW_ALONE: &str = "2:7nlf4AbHbXY6c0JqTmqvwHcq0d8wFzC4l2yS3mVn9sE=";

/// The number of sealed accounts; `CALWIRE_SEALED_TOKENS` sets it.
fn accounts() -> usize {
    let wanted = std::env::var("CALWIRE_SEALED_TOKENS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(400)
}

fn keyring(keys: &str) -> Keyring {
    keys.parse().unwrap()
}

/// Accounts whose tokens contain their ids.
async fn seal_many(pool: &PgPool, keys: &Keyring) -> Vec<ConnectionId> {
    let mut conn = pool.acquire().await.unwrap();
    let mut ids = Vec::new();
    for n in 0..accounts() {
        let grant = NewGrant {
            user: &user(&format!("user-{n}")),
            google_sub: &n.to_string(),
            email: "x@example.com",
            scopes: &[],
            refresh_token: Some(&format!("refresh-{n}-0").into()),
            access_token: &format!("access-{n}").into(),
            access_expires_at: noon(),
        };
        let connected = connections::connect(&mut conn, noon(), keys, &grant)
            .await
            .unwrap();
        let Connected::Done { id, .. } = connected else {
            panic!("{connected:?}")
        };
        ids.push(id);
    }
    ids
}

/// A service that refreshes one account after the other, each time with a new refresh token. Returns how often each was
/// refreshed.
async fn refresh_again_and_again(
    pool: PgPool,
    ids: Vec<ConnectionId>,
    stop: Arc<AtomicBool>,
) -> BTreeMap<ConnectionId, usize> {
    let keys = keyring(NEW_FIRST);
    let mut refreshed = BTreeMap::new();
    for (n, id) in ids.iter().enumerate().cycle().step_by(7) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut conn = pool.acquire().await.unwrap();
        let lease = connections::acquire_refresh(&mut conn, &keys, *id, Duration::from_secs(30));
        let refresh = lease.await.unwrap().expect("no other worker refreshes");
        let times = refreshed.entry(*id).or_insert(0_usize);
        let token = refresh.refresh_token.as_ref().expect("it opens");
        assert_eq!(
            token.expose_secret(),
            format!("refresh-{n}-{times}"),
            "an older token was written over it"
        );
        *times += 1;
        let next = SecretString::from(format!("refresh-{n}-{times}"));
        let new = Refreshed {
            access_token: &"access".into(),
            expires_at: noon() + TimeDelta::hours(1),
            refresh_token: Some(&next),
            scopes: None,
        };
        assert!(
            connections::settle_refresh(&mut conn, noon(), &keys, &refresh, &new)
                .await
                .unwrap()
        );
    }
    refreshed
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn keys_rotate_under_load_and_resume_after_an_interruption(pool: PgPool) {
    let ids = seal_many(&pool, &keyring(OLD)).await;
    let stop = Arc::new(AtomicBool::new(false));
    // A refreshed token has the new key. However many are refreshed before the first batch of the rotation, it leaves some.
    let refreshing = ids[..ids.len() / 4].to_vec();
    let load = tokio::spawn(refresh_again_and_again(pool.clone(), refreshing, stop.clone()));
    let ring = keyring(NEW_FIRST);

    // Interrupted as by Ctrl-C, after the first progress.
    let reports = Arc::new(AtomicUsize::new(0));
    let mut progress = {
        let reports = reports.clone();
        move |_, _| {
            reports.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::select! {
        // Polled first, so that the rotation stops at the first progress.
        biased;
        () = async { while reports.load(Ordering::Relaxed) == 0 { tokio::task::yield_now().await } } => {}
        done = admin::rotate_keys(&pool, &ring, &mut progress) => panic!("finished before the interruption: {done:?}"),
    }
    let mut conn = pool.acquire().await.unwrap();
    let left = rotate::count_old(&mut conn, &ring).await.unwrap();
    assert!(left > 0, "the rotation was not interrupted");

    let mut progress_reports = Vec::new();
    let rotated = admin::rotate_keys(&pool, &ring, &mut |done, all| progress_reports.push((done, all)))
        .await
        .unwrap();
    stop.store(true, Ordering::Relaxed);
    let refreshed = load.await.unwrap();
    assert!(!refreshed.is_empty(), "there was no load");
    assert_eq!((rotated.unreadable.len(), rotated.left), (0, 0));
    assert!(
        progress_reports
            .iter()
            .all(|(done, all)| i64::try_from(*done).unwrap() <= *all),
        "{progress_reports:?}"
    );

    // Without the old key, every token is still the last one written.
    let alone = keyring(NEW_ALONE);
    assert_eq!(rotate::count_old(&mut conn, &alone).await.unwrap(), 0);
    for (n, id) in ids.iter().enumerate() {
        let lease = connections::acquire_refresh(&mut conn, &alone, *id, Duration::from_secs(30));
        let token = lease.await.unwrap().unwrap().refresh_token.expect("it opens");
        let times = refreshed.get(id).copied().unwrap_or_default();
        assert_eq!(token.expose_secret(), format!("refresh-{n}-{times}"));
        let tokens = connections::tokens(&mut conn, &alone, *id)
            .await
            .unwrap()
            .unwrap();
        assert!(tokens.access.unwrap().0.is_ok());
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_token_with_a_lost_key_is_reported_and_unchanged(pool: PgPool) {
    let (lost, _) = connected(&pool, "alice").await;
    let rotated = admin::rotate_keys(&pool, &keyring(NEW_ALONE), &mut |_, _| {})
        .await
        .unwrap();
    assert_eq!(rotated.unreadable, [lost]);
    assert_eq!((rotated.resealed, rotated.left), (0, 0));
    let mut conn = pool.acquire().await.unwrap();
    let tokens = connections::tokens(&mut conn, &keyring(OLD), lost)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(tokens.access.unwrap().0.unwrap().expose_secret(), "access");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn support_sees_states_and_no_contents(pool: PgPool) {
    let (connection, calendar) = connected(&pool, "alice").await;
    occurrence(
        &pool,
        "alice",
        calendar,
        "secret-plan",
        "2026-11-22T13:00:00Z",
        "2026-11-22T14:00:00Z",
    )
    .await;
    let mut conn = pool.acquire().await.unwrap();
    store::user_stream::next_seq(&mut conn, &user("alice"))
        .await
        .unwrap();
    drop(conn);

    let shown = admin::show(&pool, Record::User, "alice").await.unwrap();
    assert_eq!(shown["stream"]["seq"], 1);
    assert_eq!(shown["connections"][0]["id"], connection.to_string());
    assert_eq!(shown["connections"][0]["selected"], 1);
    let of_connection = admin::show(&pool, Record::Connection, &connection.to_string())
        .await
        .unwrap();
    assert_eq!(of_connection["has_refresh_token"], true);
    assert_eq!(of_connection["calendars"][0]["id"], calendar.to_string());
    let of_calendar = admin::show(&pool, Record::Calendar, &calendar.to_string())
        .await
        .unwrap();
    assert_eq!(of_calendar["instances"], 1);
    assert_eq!(of_calendar["sync"]["generation"], 1);
    assert_eq!(of_calendar["event_problems"], json!({}));
    assert_eq!(of_calendar["time_zone_known"], true);

    for shown in [shown, of_connection, of_calendar] {
        let text = admin::text(&shown) + &shown.to_string();
        for private in [
            "Mine",
            "example.com",
            "secret-plan",
            "\"refresh_token",
            "\"sync_token",
        ] {
            assert!(!text.contains(private), "{private}: {text}");
        }
    }
    for (what, id, message) in [
        (Record::User, "nobody", "there is no user nobody"),
        (Record::User, "a b", "not a user id"),
        (Record::Calendar, "primary", "not a calendar id (a UUID)"),
    ] {
        let error = format!("{:#}", admin::show(&pool, what, id).await.unwrap_err());
        assert!(error.starts_with(message), "{error}");
    }
}

/// Google may serve zones that no tz database has; such events are shown by another zone.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn support_sees_unknown_zones_of_calendars_and_events(pool: PgPool) {
    let (_, calendar) = connected(&pool, "alice").await;
    for sql in [
        "update calendars set time_zone = 'Mars/Olympus' where id = $1",
        "insert into events (calendar_id, generation, event_id, etag, status, raw, problem)
         select $1, 1, row_number() over (), 'e', 'confirmed', '{}', problem
         from unnest(array['unknown_zone', 'unknown_zone', 'unreadable', null]) problem",
    ] {
        let sql = sqlx::query(sql).bind(calendar.as_uuid());
        sql.execute(&pool).await.unwrap();
    }
    let shown = admin::show(&pool, Record::Calendar, &calendar.to_string()).await;
    let shown = shown.unwrap();
    assert_eq!(shown["time_zone_known"], false);
    assert_eq!(
        shown["event_problems"],
        json!({"unknown_zone": 2, "unreadable": 1})
    );
    assert_eq!(shown["unreadable_events"], 3);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn doctor_finds_clock_skew(pool: PgPool) {
    let api = Api::start(pool).await;
    let now = Clock::system().now();
    for (skew, found) in [
        (TimeDelta::minutes(5), "ahead of"),
        (TimeDelta::minutes(-5), "behind"),
    ] {
        let config: Config = common::config::from_vars(api.vars.clone()).unwrap();
        let report = doctor::examine(Ok(config), &Clock::manual(now + skew)).await;
        let clock = report
            .findings
            .iter()
            .find(|finding| finding.check == "clock")
            .unwrap();
        assert_eq!(clock.outcome, doctor::Outcome::Failed);
        assert!(clock.found.contains(found), "{clock:?}");
        assert!(clock.remedy.as_ref().unwrap().contains("NTP"), "{clock:?}");
    }
}

/// The doctor's `zone-rules`, with this version recorded by watch-renewer.
async fn zone_rules(api: &Api, recorded: &str) -> doctor::Finding {
    sqlx::query(
        "insert into zone_data (version) values ($1) on conflict (only_row) do update set version = $1",
    )
    .bind(recorded)
    .execute(&api.pool)
    .await
    .unwrap();
    let config: Config = common::config::from_vars(api.vars.clone()).unwrap();
    let report = doctor::examine(Ok(config), &Clock::system()).await;
    let mut findings = report.findings.into_iter();
    findings.find(|finding| finding.check == "zone-rules").unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn doctor_finds_a_service_with_older_zone_rules(pool: PgPool) {
    let api = Api::start(pool).await;
    for older in ["2020a", "unknown"] {
        let finding = zone_rules(&api, older).await;
        assert_eq!(finding.outcome, doctor::Outcome::Ok, "{finding:?}");
        assert!(finding.found.contains("tz database 20"), "{finding:?}");
    }
    let finding = zone_rules(&api, "2999a").await;
    assert_eq!(finding.outcome, doctor::Outcome::Failed);
    assert!(
        finding.found.ends_with("but watch-renewer has 2999a"),
        "{finding:?}"
    );
    assert!(finding.remedy.unwrap().contains("the same tzdata"));
}
