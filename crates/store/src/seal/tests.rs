use super::*;
use chrono::DateTime;
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
fn a_record_opens_only_in_its_place() {
    let row: [&[u8]; 2] = [b"alice", b"1"];
    let record = keyring().seal(&binding("refresh_token", &row), &"1//secret".into());
    assert_eq!(record[..5], [1, 0, 0, 0, 7]);
    assert_eq!(record.len(), 5 + 24 + "1//secret".len() + 16);
    assert_eq!(open(&record, "refresh_token", &row).as_deref(), Ok("1//secret"));
    for (column, row) in [
        ("access_token", [b"alice".as_slice(), b"1"]),
        ("refresh_token", [b"bob", b"1"]),
        ("refresh_token", [b"alice", b"2"]),
        // The same bytes, split differently.
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
fn earlier_keys_open_and_unknown_ones_are_named() {
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
fn every_truncation_and_flipped_bit_is_an_error() {
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
    fn sealed_secrets_open_again(secret in ".*", row in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let row: Vec<&[u8]> = row.iter().map(Vec::as_slice).collect();
        let record = keyring().seal(&binding("c", &row), &secret.clone().into());
        prop_assert_eq!(open(&record, "c", &row), Ok(secret));
    }

    #[test]
    fn arbitrary_bytes_never_panic(record in any::<Vec<u8>>()) {
        prop_assert!(open(&record, "c", &[b"alice"]).is_err());
    }
}

#[test]
fn errors_of_a_keyring_never_quote_its_keys() {
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
async fn a_wrong_key_is_detected_at_startup(pool: sqlx::PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let now = DateTime::UNIX_EPOCH;
    for _ in 0..2 {
        let missing = check_keys(&mut conn, now, &keyring()).await.unwrap();
        assert_eq!(missing, Vec::<u32>::new());
    }
    // The two keys with their ids swapped.
    let (seven, three) = KEYS.split_once(',').unwrap();
    let swapped = format!("3:{},7:{}", &seven[2..], &three[2..]);
    let error = check_keys(&mut conn, now, &swapped.parse().unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, KeyCheckError::WrongKey(3)), "{error}");
}
