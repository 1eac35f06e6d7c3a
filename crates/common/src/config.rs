//! Configuration from environment variables: one flat struct per service, read by `envy`.
//!
//! An error names the variable and what it expects. Secrets are [`SecretString`]s or [`SecretKey`]s, which do not print their
//! values. A secret `NAME` may be given as `NAME_FILE` instead, the path of a file, as with container secrets.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// Why a service cannot start with its environment, in one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0} is not set; .env.example describes it")]
    Missing(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{variable}: cannot read the file {path}: {source}")]
    File {
        variable: String,
        path: String,
        source: std::io::Error,
    },
    #[error("{0} and {0}_FILE are both set; set one of them")]
    Twice(String),
}

/// Reads a service's configuration from the process's environment.
pub fn from_env<T: DeserializeOwned>() -> Result<T, ConfigError> {
    // `vars()` would panic on any variable that is not UTF-8.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    from_vars(variables)
}

/// As [`from_env`], from the given variables. An empty value or file counts as not set, as in a copied `.env.example`.
pub fn from_vars<T: DeserializeOwned>(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let mut vars: BTreeMap<String, String> = variables
        .into_iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .collect();
    let files: Vec<_> = vars
        .iter()
        .filter_map(|(variable, path)| Some((variable.strip_suffix("_FILE")?.to_owned(), path.clone())))
        .filter(|(name, _)| SECRETS.contains(&name.as_str()))
        .collect();
    for (name, path) in files {
        if vars.contains_key(&name) {
            return Err(ConfigError::Twice(name));
        }
        let value = std::fs::read_to_string(&path).map_err(|source| ConfigError::File {
            variable: format!("{name}_FILE"),
            path,
            source,
        })?;
        let value = value.trim_end_matches(['\r', '\n']);
        if !value.trim().is_empty() {
            vars.insert(name, value.to_owned());
        }
    }
    envy::from_iter(vars).map_err(|error| match error {
        envy::Error::MissingValue(field) => ConfigError::Missing(field.to_uppercase()),
        envy::Error::Custom(message) => ConfigError::Invalid(message),
    })
}

/// The variables that may come from a file. A fixed list, because other programs have variables named `*_FILE`, too.
pub const SECRETS: [&str; 7] = [
    "DATABASE_URL",
    "GOOGLE_CLIENT_ID",
    "GOOGLE_CLIENT_SECRET",
    "CENTRIFUGO_API_KEY",
    "CENTRIFUGO_TOKEN_SECRET",
    "TOKEN_KEYS",
    "AUTH_HS256_SECRET",
];

/// The minimum length of a secret, in bytes.
pub const SECRET_MIN_LEN: usize = 32;

/// A secret of at least [`SECRET_MIN_LEN`] bytes that is not a sample value.
///
/// Use with `#[serde(deserialize_with = "…")]` through [`secret_key!`](crate::secret_key), so that the error names the variable.
#[derive(Clone)]
pub struct SecretKey(SecretString);

impl SecretKey {
    pub fn parse(variable: &str, value: impl Into<String>) -> Result<Self, String> {
        let value = value.into();
        let lower = value.to_lowercase();
        if [
            "change-me",
            "changeme",
            "change_me",
            "example",
            "replace",
            "your-secret",
            "xxxx",
        ]
        .iter()
        .any(|sample| lower.contains(sample))
        {
            return Err(format!(
                "{variable} still has its sample value; generate one with `openssl rand -hex 32`"
            ));
        }
        if value.len() < SECRET_MIN_LEN {
            return Err(format!(
                "{variable} has {} bytes, a secret needs at least {SECRET_MIN_LEN}; generate one with `openssl rand -hex 32`",
                value.len()
            ));
        }
        Ok(Self(value.into()))
    }

    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey([redacted])")
    }
}

/// Deserializes with `parse`, and prefixes an error with the variable's name.
pub fn named<'de, D, T, E>(
    deserializer: D,
    variable: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    let text = String::deserialize(deserializer)?;
    parse(text.trim()).map_err(|error| D::Error::custom(format!("{variable}: {error}")))
}

/// Defines a function for `#[serde(deserialize_with = "…")]` that reads a [`SecretKey`] from the
/// named variable.
#[macro_export]
macro_rules! secret_key {
    ($function:ident, $variable:literal) => {
        fn $function<'de, D: serde::Deserializer<'de>>(
            deserializer: D,
        ) -> Result<$crate::config::SecretKey, D::Error> {
            let value = <String as serde::Deserialize>::deserialize(deserializer)?;
            $crate::config::SecretKey::parse($variable, value).map_err(serde::de::Error::custom)
        }
    };
}

/// As [`secret_key!`], for a variable that need not be set.
#[macro_export]
macro_rules! optional_secret_key {
    ($function:ident, $variable:literal) => {
        fn $function<'de, D: serde::Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<$crate::config::SecretKey>, D::Error> {
            let value = <String as serde::Deserialize>::deserialize(deserializer)?;
            $crate::config::SecretKey::parse($variable, value)
                .map(Some)
                .map_err(serde::de::Error::custom)
        }
    };
}

/// Defines a function for `#[serde(deserialize_with = "…")]` that parses the named variable with `FromStr`, so that a
/// bad value's error names the variable.
#[macro_export]
macro_rules! parsed {
    ($function:ident: $type:ty, $variable:literal) => {
        fn $function<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
            $crate::config::named(deserializer, $variable, |text| text.parse::<$type>())
        }
    };
}

/// As [`parsed!`], for a variable that need not be set.
#[macro_export]
macro_rules! optional {
    ($function:ident: $type:ty, $variable:literal) => {
        fn $function<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<$type>, D::Error> {
            $crate::config::named(deserializer, $variable, |text| {
                text.parse::<$type>().map(Some)
            })
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    secret_key!(api_key, "CENTRIFUGO_API_KEY");
    parsed!(port: u16, "PORT");

    #[derive(Debug, Deserialize)]
    struct TestConfig {
        #[serde(deserialize_with = "api_key")]
        centrifugo_api_key: SecretKey,
        #[serde(deserialize_with = "port")]
        port: u16,
        public_url: Option<String>,
    }

    fn read(vars: &[(&str, &str)]) -> Result<TestConfig, String> {
        from_vars(vars.iter().map(|&(n, v)| (n.into(), v.into()))).map_err(|error| error.to_string())
    }

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_bad_value_is_rejected_by_variable_name() {
        let sample = read(&[("CENTRIFUGO_API_KEY", KEY), ("PORT", "80"), ("PUBLIC_URL", "")]).unwrap();
        assert_eq!((sample.port, sample.public_url.as_deref()), (80, None));
        assert_eq!(sample.centrifugo_api_key.expose(), KEY);
        assert!(!format!("{sample:?}").contains(KEY));

        assert!(
            read(&[("PORT", "80")])
                .unwrap_err()
                .starts_with("CENTRIFUGO_API_KEY is not set")
        );
        let short = read(&[("CENTRIFUGO_API_KEY", "short"), ("PORT", "80")]).unwrap_err();
        assert!(short.starts_with("CENTRIFUGO_API_KEY has 5 bytes"), "{short}");
        let sample = "change-me-change-me-change-me-change-me";
        let sample = read(&[("CENTRIFUGO_API_KEY", sample), ("PORT", "80")]).unwrap_err();
        assert!(
            sample.starts_with("CENTRIFUGO_API_KEY still has its sample value"),
            "{sample}"
        );
        let port = read(&[("CENTRIFUGO_API_KEY", KEY), ("PORT", "eighty")]).unwrap_err();
        assert!(port.starts_with("PORT: "), "{port}");
    }

    #[test]
    fn secrets_are_read_from_files() {
        let path = std::env::temp_dir().join(format!("calwire-config-{}", uuid::Uuid::new_v4()));
        std::fs::write(&path, format!("{KEY}\n")).unwrap();
        let sample = read(&[
            ("CENTRIFUGO_API_KEY_FILE", path.to_str().unwrap()),
            ("PORT", "80"),
        ])
        .unwrap();
        assert_eq!(sample.centrifugo_api_key.expose(), KEY);
        let twice = read(&[
            ("CENTRIFUGO_API_KEY_FILE", path.to_str().unwrap()),
            ("CENTRIFUGO_API_KEY", KEY),
        ])
        .unwrap_err();
        assert_eq!(
            twice,
            "CENTRIFUGO_API_KEY and CENTRIFUGO_API_KEY_FILE are both set; set one of them"
        );
        std::fs::write(&path, "\n").unwrap();
        let empty = read(&[
            ("CENTRIFUGO_API_KEY_FILE", path.to_str().unwrap()),
            ("PORT", "80"),
        ])
        .unwrap_err();
        assert!(empty.starts_with("CENTRIFUGO_API_KEY is not set"), "{empty}");
        std::fs::remove_file(&path).unwrap();
        let missing = read(&[
            ("CENTRIFUGO_API_KEY_FILE", path.to_str().unwrap()),
            ("PORT", "80"),
        ])
        .unwrap_err();
        assert!(
            missing.starts_with("CENTRIFUGO_API_KEY_FILE: cannot read the file"),
            "{missing}"
        );
    }
}
