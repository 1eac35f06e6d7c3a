//! Secrets at rest: XChaCha20-Poly1305, each record bound to the table, column and row it was written for.
//!
//! A record is `version (1) ‖ key id (4, big endian) ‖ nonce (24) ‖ ciphertext ‖ tag (16)`. Version and key id are
//! authenticated together with the binding, each field with its length before it, so no two bindings read alike: a
//! record that is copied to another row, column or user does not open. Nonces are random; at 192 bits they need no
//! counter. There is no mode without a key.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use chrono::{DateTime, Utc};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + 4;
/// A random key of 32 bytes has fewer different bytes than this about never; a typed one nearly always.
const KEY_MIN_DISTINCT: usize = 12;

/// Where a sealed value lives. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    pub table: &'static str,
    pub column: &'static str,
    /// What identifies the row, in a fixed order: ids that never change while the value lives.
    pub row: &'a [&'a [u8]],
}

/// The keys by their ids. The first one of the configuration seals, all of them open.
#[derive(Clone)]
pub struct Keyring {
    primary: u32,
    ciphers: BTreeMap<u32, XChaCha20Poly1305>,
}

/// What is wrong with the text of a [`Keyring`]. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyring {
    #[error(
        "no key given; expected `id:base64 of 32 random bytes`, as from `echo 1:$(openssl rand -base64 32)`"
    )]
    Empty,
    #[error("entry {0} is not `id:base64`, with a number as the id")]
    Syntax(usize),
    #[error("key {0} is not base64")]
    NotBase64(u32),
    #[error("key {id} has {len} bytes, it needs {KEY_LEN}; make one with `openssl rand -base64 32`")]
    Length { id: u32, len: usize },
    #[error("key {0} is not random; make one with `openssl rand -base64 32`")]
    NotRandom(u32),
    #[error("the key id {0} is given twice")]
    Duplicate(u32),
}

/// Why a sealed value cannot be read. None of these says anything about the grant it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    #[error("a sealed value is cut short or of an unknown version")]
    Malformed,
    #[error("a value is sealed with key {0}, which TOKEN_KEYS does not have")]
    UnknownKey(u32),
    #[error("a sealed value was changed, or moved from another row")]
    Rejected,
}

impl Keyring {
    /// Seals `secret` for the one place that `binding` names.
    #[expect(
        clippy::expect_used,
        reason = "the cipher fails beyond 256 GiB only, and the primary key is in the ring since it was parsed"
    )]
    pub fn seal(&self, binding: &Binding<'_>, secret: &SecretString) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = rand::rng().random();
        let payload = Payload {
            msg: secret.expose_secret().as_bytes(),
            aad: &associated_data(self.primary, binding),
        };
        let cipher = self.ciphers.get(&self.primary).expect("the primary key");
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a secret is short");
        let mut record = Vec::with_capacity(HEADER_LEN + NONCE_LEN + sealed.len());
        record.push(VERSION);
        record.extend(self.primary.to_be_bytes());
        record.extend(nonce);
        record.extend(sealed);
        record
    }

    /// Opens a record that was sealed for the same binding.
    pub fn open(&self, binding: &Binding<'_>, record: &[u8]) -> Result<SecretString, Unsealable> {
        let (&version, rest) = record.split_first().ok_or(Unsealable::Malformed)?;
        let (id, rest) = rest.split_first_chunk().ok_or(Unsealable::Malformed)?;
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(Unsealable::Malformed)?;
        if version != VERSION {
            return Err(Unsealable::Malformed);
        }
        let id = u32::from_be_bytes(*id);
        let cipher = self.ciphers.get(&id).ok_or(Unsealable::UnknownKey(id))?;
        let payload = Payload {
            msg: sealed,
            aad: &associated_data(id, binding),
        };
        let opened = cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| Unsealable::Rejected)?;
        match std::str::from_utf8(&opened) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(Unsealable::Rejected),
        }
    }

    /// The id of the key that seals.
    pub const fn primary_id(&self) -> u32 {
        self.primary
    }

    fn key_ids(&self) -> impl Iterator<Item = u32> {
        self.ciphers.keys().copied()
    }

    /// The same ring with another sealing key, if it has it: what a key check is written with.
    fn with_primary(&self, id: u32) -> Self {
        Self {
            primary: id,
            ciphers: self.ciphers.clone(),
        }
    }
}

impl FromStr for Keyring {
    type Err = InvalidKeyring;

    /// `id:base64`, comma separated; the first one seals.
    fn from_str(text: &str) -> Result<Self, InvalidKeyring> {
        let mut ciphers = BTreeMap::new();
        let mut primary = None;
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        for (index, entry) in entries.enumerate() {
            let (id, key) = entry.split_once(':').ok_or(InvalidKeyring::Syntax(index + 1))?;
            let id = id.trim().parse().map_err(|_| InvalidKeyring::Syntax(index + 1))?;
            if ciphers.insert(id, cipher(id, key.trim())?).is_some() {
                return Err(InvalidKeyring::Duplicate(id));
            }
            primary.get_or_insert(id);
        }
        let primary = primary.ok_or(InvalidKeyring::Empty)?;
        Ok(Self { primary, ciphers })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Keyring({:?}, sealing with {})",
            self.ciphers.keys(),
            self.primary
        )
    }
}

fn cipher(id: u32, key: &str) -> Result<XChaCha20Poly1305, InvalidKeyring> {
    let bytes = STANDARD
        .decode(key)
        .map(Zeroizing::new)
        .map_err(|_| InvalidKeyring::NotBase64(id))?;
    let key: Zeroizing<[u8; KEY_LEN]> = bytes
        .as_slice()
        .try_into()
        .map(Zeroizing::new)
        .map_err(|_| InvalidKeyring::Length { id, len: bytes.len() })?;
    let distinct: std::collections::BTreeSet<_> = key.iter().collect();
    if distinct.len() < KEY_MIN_DISTINCT || key.is_ascii() {
        return Err(InvalidKeyring::NotRandom(id));
    }
    Ok(XChaCha20Poly1305::new(&Key::from(*key)))
}

fn associated_data(key_id: u32, binding: &Binding<'_>) -> Vec<u8> {
    if common::mutant!("no_aad") {
        return Vec::new();
    }
    let mut data = vec![VERSION];
    data.extend(key_id.to_be_bytes());
    let names = [binding.table.as_bytes(), binding.column.as_bytes()];
    for field in names.iter().chain(binding.row) {
        data.extend((field.len() as u64).to_be_bytes());
        data.extend(*field);
    }
    data
}

/// Why the keys are not those that this database was written with.
#[derive(Debug, thiserror::Error)]
pub enum KeyCheckError {
    #[error("TOKEN_KEYS: key {0} is not the key {0} that this database was written with")]
    WrongKey(u32),
    #[error("cannot check TOKEN_KEYS: {0}")]
    Database(#[from] sqlx::Error),
}

const CHECK: &str = "calwire key check";

/// Finds a wrong key at start and not at three in the morning: a known text is sealed under each key when the key is
/// first seen, and must open with it ever after.
///
/// Returns the ids of keys that the ring lacks but connections are sealed with; those accounts cannot be used until the
/// key is back, and stay as they are.
pub async fn check_keys(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keyring: &Keyring,
) -> Result<Vec<u32>, KeyCheckError> {
    for id in keyring.key_ids() {
        let row = id.to_be_bytes();
        let binding = Binding {
            table: "key_checks",
            column: "sealed",
            row: &[&row],
        };
        let sealed = keyring.with_primary(id).seal(&binding, &CHECK.into());
        let stored = sqlx::query_scalar!(
            r#"
            insert into key_checks (key_id, sealed, created_at) values ($1, $2, $3)
            on conflict (key_id) do update set sealed = key_checks.sealed
            returning sealed
            "#,
            i64::from(id),
            sealed,
            now,
        )
        .fetch_one(&mut *conn)
        .await?;
        match keyring.open(&binding, &stored) {
            Ok(text) if text.expose_secret() == CHECK => {}
            _ => return Err(KeyCheckError::WrongKey(id)),
        }
    }
    missing_keys(conn, keyring).await.map_err(KeyCheckError::from)
}

/// Ids of keys with which accounts are sealed and that `keyring` lacks.
pub async fn missing_keys(conn: &mut PgConnection, keyring: &Keyring) -> sqlx::Result<Vec<u32>> {
    let used = keys_in_use(conn).await?;
    Ok(used
        .into_iter()
        .filter(|id| !keyring.ciphers.contains_key(id))
        .collect())
}

/// The ids of the keys that connections are sealed with.
pub async fn keys_in_use(conn: &mut PgConnection) -> sqlx::Result<Vec<u32>> {
    let used = sqlx::query_scalar!(
        r#"
        select distinct substring(refresh_token from 2 for 4) as "key_id!"
        from connections where length(refresh_token) >= 5
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(used
        .iter()
        .filter_map(|bytes| Some(u32::from_be_bytes(bytes.as_slice().try_into().ok()?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: &str =
        "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=,3:/v38+/r5+Pf29fTz8vHw7+7t7Ovq6ejn5uXk4+Lh4N8=";

    fn keyring() -> Keyring {
        KEYS.parse().unwrap()
    }

    fn binding<'a>(column: &'static str, row: &'a [&'a [u8]]) -> Binding<'a> {
        Binding {
            table: "connections",
            column,
            row,
        }
    }

    fn open(record: &[u8], column: &'static str, row: &[&[u8]]) -> Result<String, Unsealable> {
        let opened = keyring().open(&binding(column, row), record)?;
        Ok(opened.expose_secret().to_owned())
    }

    #[test]
    fn a_record_has_its_documented_shape_and_opens_for_its_place_only() {
        let row: [&[u8]; 2] = [b"alice", b"1"];
        let record = keyring().seal(&binding("refresh_token", &row), &"1//secret".into());
        assert_eq!(record[..5], [1, 0, 0, 0, 7]);
        assert_eq!(record.len(), 5 + 24 + "1//secret".len() + 16);
        assert_eq!(open(&record, "refresh_token", &row).as_deref(), Ok("1//secret"));
        for (column, row) in [
            ("access_token", [b"alice".as_slice(), b"1"]),
            ("refresh_token", [b"bob", b"1"]),
            ("refresh_token", [b"alice", b"2"]),
            // The same bytes, cut elsewhere.
            ("refresh_token", [b"alic", b"e1"]),
            ("refresh_token", [b"alice1", b""]),
        ] {
            assert_eq!(
                open(&record, column, &row),
                Err(Unsealable::Rejected),
                "{column} {row:?}"
            );
        }
        assert_eq!(
            open(&record, "refresh_token", &[b"alice"]),
            Err(Unsealable::Rejected)
        );
    }

    #[test]
    fn a_record_of_an_earlier_key_opens_and_one_of_an_unknown_key_is_told_from_damage() {
        let row: [&[u8]; 1] = [b"alice"];
        let old = keyring().with_primary(3).seal(&binding("c", &row), &"x".into());
        assert_eq!(open(&old, "c", &row).as_deref(), Ok("x"));
        let only_new: Keyring = KEYS.split(',').next().unwrap().parse().unwrap();
        assert_eq!(
            only_new.open(&binding("c", &row), &old).unwrap_err(),
            Unsealable::UnknownKey(3)
        );
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_an_error() {
        let row: [&[u8]; 1] = [b"alice"];
        let record = keyring().seal(&binding("c", &row), &"1//0token".into());
        for len in 0..record.len() {
            assert!(open(&record[..len], "c", &row).is_err(), "cut to {len}");
        }
        for bit in 0..record.len() * 8 {
            let mut record = record.clone();
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&record, "c", &row).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_opens_again(secret in ".*", row in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let row: Vec<&[u8]> = row.iter().map(Vec::as_slice).collect();
            let record = keyring().seal(&binding("c", &row), &secret.clone().into());
            prop_assert_eq!(open(&record, "c", &row), Ok(secret));
        }

        #[test]
        fn no_bytes_make_it_panic(record in any::<Vec<u8>>()) {
            prop_assert!(open(&record, "c", &[b"alice"]).is_err());
        }
    }

    #[test]
    fn a_bad_keyring_is_told_without_its_keys() {
        let error = |text: &str| text.parse::<Keyring>().unwrap_err();
        let good = KEYS.split(',').next().unwrap();
        assert_eq!(error(" , "), InvalidKeyring::Empty);
        assert_eq!(error(&format!("{good},nonsense")), InvalidKeyring::Syntax(2));
        assert_eq!(error("x:AAAA"), InvalidKeyring::Syntax(1));
        assert_eq!(error("1:not base64!"), InvalidKeyring::NotBase64(1));
        assert_eq!(error("1:AAAA"), InvalidKeyring::Length { id: 1, len: 3 });
        let zeros = STANDARD.encode([0; 32]);
        assert_eq!(error(&format!("1:{zeros}")), InvalidKeyring::NotRandom(1));
        let words = STANDARD.encode("change-me-change-me-change-me-ab");
        assert_eq!(error(&format!("1:{words}")), InvalidKeyring::NotRandom(1));
        assert_eq!(error(&format!("{good},{good}")), InvalidKeyring::Duplicate(7));
        assert_eq!(format!("{:?}", keyring()), "Keyring([3, 7], sealing with 7)");
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_wrong_key_is_found_at_start(pool: sqlx::PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let now = DateTime::UNIX_EPOCH;
        for _ in 0..2 {
            let missing = check_keys(&mut conn, now, &keyring()).await.unwrap();
            assert_eq!(missing, Vec::<u32>::new());
        }
        // The two keys under each other's ids.
        let (seven, three) = KEYS.split_once(',').unwrap();
        let swapped = format!("3:{},7:{}", &seven[2..], &three[2..]);
        let error = check_keys(&mut conn, now, &swapped.parse().unwrap())
            .await
            .unwrap_err();
        assert!(matches!(error, KeyCheckError::WrongKey(3)), "{error}");
    }
}
