//! A sealed token opens only unchanged and in its own place: writing to the database gives no user another user's token.

#![expect(
    clippy::unwrap_used,
    reason = "clippy exempts tests, not the functions that they share"
)]

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{ConnectionId, UserId};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use store::connections::{self, Connected, NewGrant};
use store::seal::{Binding, Keyring, Unsealable};

const KEYS: &str =
    "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=,3:/v38+/r5+Pf29fTz8vHw7+7t7Ovq6ejn5uXk4+Lh4N8=";

fn keyring() -> Keyring {
    KEYS.parse().unwrap()
}

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Damage to a record.
#[derive(Debug, Clone)]
enum Harm {
    Flip {
        bit: usize,
    },
    Cut {
        to: usize,
    },
    CutHead {
        by: usize,
    },
    Insert {
        at: usize,
        byte: u8,
    },
    Overwrite {
        at: usize,
        bytes: Vec<u8>,
    },
    Swap {
        one: usize,
        other: usize,
    },
    /// The head of the record and the tail of another one from the same place.
    Splice {
        at: usize,
    },
}

fn harm() -> impl Strategy<Value = Harm> {
    let number = any::<usize>;
    prop_oneof![
        number().prop_map(|bit| Harm::Flip { bit }),
        number().prop_map(|to| Harm::Cut { to }),
        number().prop_map(|by| Harm::CutHead { by }),
        (number(), any::<u8>()).prop_map(|(at, byte)| Harm::Insert { at, byte }),
        (number(), proptest::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, bytes)| Harm::Overwrite { at, bytes }),
        (number(), number()).prop_map(|(one, other)| Harm::Swap { one, other }),
        number().prop_map(|at| Harm::Splice { at }),
    ]
}

impl Harm {
    fn apply(&self, record: &[u8], another: &[u8]) -> Vec<u8> {
        let len = record.len();
        let mut record = record.to_vec();
        match self {
            Self::Flip { bit } => record[bit / 8 % len] ^= 1 << (bit % 8),
            Self::Cut { to } => record.truncate(to % len),
            Self::CutHead { by } => drop(record.drain(..=by % len)),
            Self::Insert { at, byte } => record.insert(at % (len + 1), *byte),
            Self::Overwrite { at, bytes } => {
                let at = at % len;
                for (place, byte) in record[at..].iter_mut().zip(bytes) {
                    *place = *byte;
                }
            }
            Self::Swap { one, other } => record.swap(one % len, other % len),
            Self::Splice { at } => {
                let at = at % len;
                record.truncate(at);
                record.extend_from_slice(another.get(at..).unwrap_or_default());
            }
        }
        record
    }
}

fn place<'a>(table: &'static str, column: &'static str, row: &'a [&'a [u8]]) -> Binding<'a> {
    Binding { table, column, row }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_damaged_record_never_opens(
        secret in ".{0,200}",
        other in ".{0,200}",
        user in ".{1,20}",
        harms in proptest::collection::vec(harm(), 1..4),
    ) {
        let row: [&[u8]; 2] = [user.as_bytes(), b"1"];
        let place = place("connections", "refresh_token", &row);
        let (record, another) = (keyring().seal(&place, &secret.into()), keyring().seal(&place, &other.into()));
        let harmed = harms.iter().fold(record.clone(), |record, harm| {
            if record.is_empty() { record } else { harm.apply(&record, &another) }
        });
        prop_assume!(harmed != record && harmed != another);
        prop_assert!(keyring().open(&place, &harmed).is_err());
    }

    #[test]
    fn a_record_opens_only_in_its_own_place(
        row in proptest::collection::vec(any::<Vec<u8>>(), 1..4),
        other_row in proptest::collection::vec(any::<Vec<u8>>(), 1..4),
    ) {
        let slices: Vec<&[u8]> = row.iter().map(Vec::as_slice).collect();
        let others: Vec<&[u8]> = other_row.iter().map(Vec::as_slice).collect();
        let record = keyring().seal(&place("t", "a", &slices), &"1//0token".into());
        for (table, column) in [("t", "b"), ("u", "a"), ("ta", "")] {
            prop_assert_eq!(
                keyring().open(&place(table, column, &slices), &record).unwrap_err(),
                Unsealable::Rejected
            );
        }
        prop_assume!(row != other_row);
        prop_assert_eq!(keyring().open(&place("t", "a", &others), &record).unwrap_err(), Unsealable::Rejected);
    }
}

async fn connect(pool: &PgPool, user: &str, google_sub: &str) -> ConnectionId {
    let (refresh, access) = (
        format!("refresh {user} {google_sub}"),
        format!("access {user} {google_sub}"),
    );
    let grant = NewGrant {
        user: &UserId::parse(user).unwrap(),
        google_sub,
        email: "a@example.com",
        scopes: &[],
        refresh_token: Some(&refresh.into()),
        access_token: &access.into(),
        access_expires_at: noon() + TimeDelta::hours(1),
    };
    let mut conn = pool.acquire().await.unwrap();
    match connections::connect(&mut conn, noon(), &keyring(), &grant)
        .await
        .unwrap()
    {
        Connected::Done { id, .. } => id,
        other @ Connected::RefreshTokenMissing => panic!("{other:?}"),
    }
}

/// Opens a connection's two tokens.
async fn opened(pool: &PgPool, id: ConnectionId) -> [Result<String, Unsealable>; 2] {
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query("update connections set refresh_lease = null, refresh_leased_until = null")
        .execute(&mut *conn)
        .await
        .unwrap();
    let tokens = connections::tokens(&mut conn, &keyring(), id)
        .await
        .unwrap()
        .unwrap();
    let lease = std::time::Duration::from_mins(1);
    let refresh = connections::acquire_refresh(&mut conn, &keyring(), id, lease)
        .await
        .unwrap()
        .unwrap();
    [tokens.access.unwrap().0, refresh.refresh_token]
        .map(|token| token.map(|token| token.expose_secret().to_owned()))
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn swapped_tokens_do_not_open(pool: PgPool) {
    // Two users; one has two accounts, and shares one of them with the other.
    let ids = [
        connect(&pool, "alice", "google-1").await,
        connect(&pool, "alice", "google-2").await,
        connect(&pool, "bob", "google-1").await,
    ];
    assert_eq!(
        opened(&pool, ids[0]).await,
        [
            Ok("access alice google-1".to_owned()),
            Ok("refresh alice google-1".to_owned())
        ]
    );
    let columns = ["access_token", "refresh_token"];
    let places: Vec<_> = ids
        .into_iter()
        .flat_map(|id| columns.map(|column| (id, column)))
        .collect();
    for &(to, to_column) in &places {
        for &(from, from_column) in &places {
            if (to, to_column) == (from, from_column) {
                continue;
            }
            let mut tx = pool.begin().await.unwrap();
            let kept: Vec<u8> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
                "select {to_column} from connections where id = $1"
            )))
            .bind(to.as_uuid())
            .fetch_one(&mut *tx)
            .await
            .unwrap();
            sqlx::query(sqlx::AssertSqlSafe(format!(
                "update connections set {to_column} = (select {from_column} from connections where id = $2) where id = $1"
            )))
            .bind(to.as_uuid())
            .bind(from.as_uuid())
            .execute(&mut *tx)
            .await
            .unwrap();
            tx.commit().await.unwrap();
            let [access, refresh] = opened(&pool, to).await;
            let moved = if to_column == "access_token" {
                access
            } else {
                refresh
            };
            assert_eq!(
                moved,
                Err(Unsealable::Rejected),
                "{from_column} of {from} in {to_column} of {to}"
            );
            sqlx::query(sqlx::AssertSqlSafe(format!(
                "update connections set {to_column} = $2 where id = $1"
            )))
            .bind(to.as_uuid())
            .bind(kept)
            .execute(&pool)
            .await
            .unwrap();
        }
    }
    // Back in their places, all of them open again.
    for id in ids {
        assert!(opened(&pool, id).await.iter().all(Result::is_ok));
    }
}
