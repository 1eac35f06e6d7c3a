//! Sync tokens and page tokens, the same rules for events and for the calendar list.
//!
//! A sync token holds the emulator's revision: a client that has applied the list it came with has every change up to
//! that revision and none after it. Both tokens are bound to the user, the resource and the parameters they were given
//! for; [`SyncToken::decode`] reads the revision for tests (`GET /_emulator/state?syncToken=`).

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{ApiError, Result};
use crate::faults::{ListFaults, hash};
use crate::params::Params;
use crate::settings::Settings;
use crate::store::{Resource, Revision};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncToken {
    /// Hash of user and resource.
    #[serde(rename = "o")]
    owner: u64,
    /// Hash of the parameters that have to stay the same.
    #[serde(rename = "p")]
    parameters: u64,
    #[serde(rename = "r")]
    pub revision: Revision,
    /// `timeMin` and `timeMax` of the first list, Unix seconds: they also filter later pages and pulls.
    #[serde(rename = "w")]
    pub window: (Option<i64>, Option<i64>),
}

impl SyncToken {
    /// Reads a token whomever it belongs to.
    pub fn decode(text: &str) -> Option<Self> {
        decode(text)
    }
}

/// The page of a page token.
pub(crate) fn page_number(token: &str) -> Option<u32> {
    decode::<PageToken>(token).map(|token| token.page)
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct PageToken {
    #[serde(rename = "o")]
    owner: u64,
    /// Hash of all parameters, the sync token included.
    #[serde(rename = "q")]
    query: u64,
    #[serde(rename = "r")]
    revision: Revision,
    #[serde(rename = "n")]
    offset: usize,
    /// Number of its page, from 1.
    #[serde(rename = "k")]
    page: u32,
    /// The order of the first page is that of all.
    #[serde(rename = "s")]
    shuffled: bool,
}

/// Whose list is requested, and how.
pub struct Listing<'a> {
    /// User and resource, in any unambiguous form.
    pub owner: String,
    pub params: &'a Params,
    /// Names of parameters that may not stand beside a sync token.
    pub forbidden_with_sync: &'a [&'a str],
    /// Names of parameters that have to be the same whenever a sync token is used.
    pub identity: &'a [&'a str],
    /// `maxResults` when absent, and at most.
    pub page_sizes: (usize, usize),
    /// Tokens of an older revision are gone.
    pub floor: Revision,
}

/// A page of a list as it was at one revision.
#[derive(Debug)]
pub struct Page {
    pub revision: Revision,
    /// Only what changed after this; all when `None`.
    pub since: Option<Revision>,
    /// Entries in arbitrary order instead of oldest change first.
    pub shuffled: bool,
    /// The window of the first list of an incremental one.
    pub window: (Option<i64>, Option<i64>),
    owner: u64,
    parameters: u64,
    query: u64,
    offset: usize,
    number: u32,
    size: usize,
    empty: bool,
}

/// Parameters that shape the answer, not the list.
const PRESENTATION: [&str; 10] = [
    "pageToken",
    "maxResults",
    "fields",
    "prettyPrint",
    "alt",
    "key",
    "quotaUser",
    "userIp",
    "access_token",
    "oauth_token",
];

impl Page {
    /// Checks the tokens of a request against its parameters. `head` is the newest revision.
    pub fn open(
        listing: &Listing<'_>,
        head: Revision,
        settings: &Settings,
        faults: &ListFaults,
    ) -> Result<Self> {
        let params = listing.params;
        let owner = hash(0, &[&listing.owner]);
        let parameters = params.fingerprint(|name| listing.identity.contains(&name));
        let query = params.fingerprint(|name| !PRESENTATION.contains(&name));
        let sync: Option<SyncToken> = params
            .get("syncToken")
            .map(|token| decode(token).ok_or_else(|| invalid("syncToken", "Invalid sync token value.")))
            .transpose()?;
        if let Some(token) = &sync {
            check_sync(token, listing, owner, parameters)?;
        }
        let page: Option<PageToken> = params
            .get("pageToken")
            .map(|token| decode(token).ok_or_else(|| invalid("pageToken", "Invalid page token value.")))
            .transpose()?;
        if page.is_some_and(|page| page.owner != owner) {
            return Err(invalid("pageToken", "Invalid page token value."));
        }
        if page.is_some_and(|page| page.query != query) {
            return Err(invalid(
                "pageToken",
                "The page token was given for other parameters; they must be the same on every page, syncToken included.",
            ));
        }
        let number = page.map_or(1, |page| page.page);
        if faults.gone {
            return Err(ApiError::full_sync_required());
        }
        let (default, most) = listing.page_sizes;
        let asked = params.number("maxResults")?.unwrap_or(default);
        if asked == 0 {
            return Err(invalid(
                "maxResults",
                "Invalid value '0'. Values must be within the range: [1, 2500]",
            ));
        }
        let cap = [settings.max_page_size, faults.page_size]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(most);
        Ok(Self {
            revision: page.map_or(head, |page| page.revision),
            since: sync.map(|token| token.revision),
            shuffled: page.map_or(settings.shuffle_lists || faults.shuffle, |page| page.shuffled),
            window: sync.map_or((None, None), |token| token.window),
            owner,
            parameters,
            query,
            offset: page.map_or(0, |page| page.offset),
            number,
            size: asked.min(most).min(cap.max(1)),
            empty: faults.empty,
        })
    }

    /// Which of `total` items belong on this page.
    pub fn range(&self, total: usize) -> Range<usize> {
        let start = self.offset.min(total);
        let size = if self.empty { 0 } else { self.size };
        start..(start + size).min(total)
    }

    /// Puts `nextPageToken`, or on the last page `nextSyncToken` (unless the list cannot be continued), into the answer.
    pub fn close(
        &self,
        answer: &mut Resource,
        total: usize,
        continuable: bool,
        window: (Option<i64>, Option<i64>),
    ) {
        let end = self.range(total).end;
        if end < total || self.empty {
            let next = PageToken {
                owner: self.owner,
                query: self.query,
                revision: self.revision,
                offset: end,
                page: self.number + 1,
                shuffled: self.shuffled,
            };
            answer.insert("nextPageToken".into(), encode(&next));
        } else if continuable {
            let next = SyncToken {
                owner: self.owner,
                parameters: self.parameters,
                revision: self.revision,
                window,
            };
            answer.insert("nextSyncToken".into(), encode(&next));
        }
    }
}

fn check_sync(token: &SyncToken, listing: &Listing<'_>, owner: u64, parameters: u64) -> Result<()> {
    if let Some(name) = listing
        .forbidden_with_sync
        .iter()
        .find(|name| listing.params.get(name).is_some())
    {
        let message = if *name == "orderBy" {
            "Sync token cannot be used with non-default ordering."
        } else {
            "Sync token cannot be used with other request restrictions."
        };
        return Err(invalid(name, message));
    }
    if listing.params.flag("showDeleted")? == Some(false) {
        return Err(invalid(
            "showDeleted",
            "Sync token cannot be used with showDeleted set to false.",
        ));
    }
    if token.owner != owner {
        return Err(invalid("syncToken", "Invalid sync token value."));
    }
    if token.parameters != parameters {
        // Google documents this as undefined behaviour; an emulator had better report it.
        return Err(invalid(
            "syncToken",
            "The sync token was given for other parameters; they must stay the same.",
        ));
    }
    if token.revision < listing.floor {
        return Err(ApiError::full_sync_required());
    }
    Ok(())
}

fn invalid(parameter: &str, message: &str) -> ApiError {
    let mut error = ApiError::invalid_parameter(parameter, message);
    error.reason = "invalid".into();
    error
}

fn encode(token: &impl Serialize) -> Value {
    json!(URL_SAFE.encode(json!(token).to_string()))
}

fn decode<T: DeserializeOwned>(token: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE.decode(token).ok()?).ok()
}
