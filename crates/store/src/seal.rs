//! Secrets at rest: XChaCha20-Poly1305, each record bound to the table, column and row it was written for.
//!
//! A record is `version (1) ‖ key id (4, big endian) ‖ nonce (24) ‖ ciphertext ‖ tag (16)`. Version and key id are
//! authenticated together with the binding, each field prefixed with its length, so that no two bindings encode alike: a
//! record copied to another row, column or user does not open. Nonces are random; at 192 bits they need no counter. There is
//! no mode without a key.

mod check;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

pub use check::{KeyCheckError, check_keys, keys_in_use, missing_keys};

const VERSION: u8 = 1;
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + 4;
/// A random key of 32 bytes practically never has fewer distinct bytes than this; a typed one nearly always has.
const KEY_MIN_DISTINCT: usize = 12;

/// The place of a sealed value. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    pub table: &'static str,
    pub column: &'static str,
    /// The ids of the row, in a fixed order. They never change while the value exists.
    pub row: &'a [&'a [u8]],
}

/// Keys by id. The first in the configuration seals; all of them open.
#[derive(Clone)]
pub struct Keyring {
    primary: u32,
    ciphers: BTreeMap<u32, XChaCha20Poly1305>,
}

/// Why a [`Keyring`] cannot be parsed. Never quotes the text.
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

/// Why a sealed value cannot be opened. Says nothing about the grant that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    #[error("a sealed value is truncated or has an unknown version")]
    Malformed,
    #[error("a value is sealed with key {0}, which TOKEN_KEYS does not have")]
    UnknownKey(u32),
    #[error("a sealed value was changed, or moved from another row")]
    Rejected,
}

impl Keyring {
    /// Seals `secret` for the place that `binding` names.
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

    /// The id of the sealing key.
    pub const fn primary_id(&self) -> u32 {
        self.primary
    }

    fn key_ids(&self) -> impl Iterator<Item = u32> {
        self.ciphers.keys().copied()
    }

    /// The same ring with another sealing key, for writing a key check.
    fn with_primary(&self, id: u32) -> Self {
        Self {
            primary: id,
            ciphers: self.ciphers.clone(),
        }
    }
}

impl FromStr for Keyring {
    type Err = InvalidKeyring;

    /// `id:base64`, comma separated; the first seals.
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

#[cfg(test)]
mod tests;
