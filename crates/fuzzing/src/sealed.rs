//! Forged sealed records, keyrings and cookies.

use std::cell::OnceCell;

use calendar_api::browser_key::BrowserKey;
use store::seal::{Binding, Keyring};

use crate::Target;

const KEYS: &str =
    "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=,3:/v38+/r5+Pf29fTz8vHw7+7t7Ovq6ejn5uXk4+Lh4N8=";

pub const TARGET: Target = Target {
    name: "ciphertext",
    run,
    words: &[
        "\x01\0\0\0\x07",
        "\x01\0\0\0\x03",
        "1:",
        ",",
        "change-me",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=",
    ],
};

thread_local! {
    static KEYRING: OnceCell<Option<Keyring>> = const { OnceCell::new() };
}

fn run(data: &[u8]) {
    KEYRING.with(|keyring| {
        let Some(keyring) = keyring.get_or_init(|| KEYS.parse().ok()) else {
            panic!("the keys are valid");
        };
        let row: [&[u8]; 2] = [b"alice", b"1"];
        for column in ["refresh_token", "access_token"] {
            let place = Binding {
                table: "connections",
                column,
                row: &row,
            };
            assert!(keyring.open(&place, data).is_err(), "a forged record was opened");
        }
    });
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(message) = error_of(text) {
        let quoted = text
            .split([',', ':'])
            .filter(|part| part.len() > 15)
            .find(|part| message.contains(*part) && !is_fixed_text(text, part));
        assert_eq!(quoted, None, "an error quotes a key");
    }
    if let Some(key) = BrowserKey::parse(text) {
        assert!(!format!("{key:?}").contains(text));
    }
}

/// The error for an invalid keyring.
fn error_of(text: &str) -> Option<String> {
    text.parse::<Keyring>().err().map(|error| error.to_string())
}

/// The error contains this text with another key in its place too: it is part of the fixed message.
fn is_fixed_text(text: &str, part: &str) -> bool {
    let other = text.replace(part, &"!".repeat(part.len()));
    error_of(&other).is_some_and(|message| message.contains(part))
}
