//! Query parameters: repeated names allowed, unknown ones refused, values checked as Google does.

use chrono::{DateTime, Utc};

use crate::error::{ApiError, Result};
use crate::faults::hash;

/// Known to every method of a Google API.
const COMMON: [&str; 15] = [
    "alt",
    "fields",
    "key",
    "oauth_token",
    "access_token",
    "prettyPrint",
    "quotaUser",
    "userIp",
    "callback",
    "uploadType",
    "upload_protocol",
    "$.xgafv",
    "xoauth_requestor_id",
    "trace",
    "$alt",
];

#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn parse(query: &str) -> Self {
        Self(
            url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// Refuses names that neither this method nor every method knows.
    pub fn only(&self, names: &[&str]) -> Result<()> {
        match self
            .0
            .iter()
            .find(|(name, _)| !names.contains(&name.as_str()) && !COMMON.contains(&name.as_str()))
        {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::bad_request(
                "badRequest",
                format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter."
                ),
            )),
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(each, _)| each == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(each, _)| each == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some("true" | "True" | "1") => Ok(Some(true)),
            Some("false" | "False" | "0") => Ok(Some(false)),
            Some(other) => Err(ApiError::invalid_parameter(
                name,
                format!("Invalid boolean value: '{other}'. Allowed values: [true, false]"),
            )),
        }
    }

    pub fn number(&self, name: &str) -> Result<Option<usize>> {
        self.get(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    ApiError::invalid_parameter(name, format!("Invalid unsigned integer value: '{value}'."))
                })
            })
            .transpose()
    }

    /// RFC 3339 with a mandatory offset.
    pub fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>> {
        let bad = |_| {
            ApiError::bad_request(
                "badRequest",
                format!("Bad Request: {name} is not an RFC 3339 time with an offset"),
            )
        };
        self.get(name)
            .map(|value| {
                DateTime::parse_from_rfc3339(value)
                    .map(|at| at.to_utc())
                    .map_err(bad)
            })
            .transpose()
    }

    /// A hash of the chosen parameters, whatever their order.
    pub fn fingerprint(&self, chosen: impl Fn(&str) -> bool) -> u64 {
        let mut pairs: Vec<_> = self
            .0
            .iter()
            .filter(|(name, _)| chosen(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.sort_unstable();
        hash(0, &pairs.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
