//! The format of a case: requests, the conditions that their answers must meet, and the source of the belief.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One behaviour of Google.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique, `area.name`.
    pub id: String,
    /// The behaviour as a sentence.
    pub title: String,
    pub sources: Vec<Source>,
    pub verified: Verified,
    #[serde(default)]
    pub needs: BTreeSet<Need>,
    pub steps: Vec<Step>,
    /// The file's title.
    #[serde(skip)]
    pub area: String,
    /// The values that the file names.
    #[serde(skip)]
    pub values: Map<String, Value>,
}

/// A public page, and its statement in a few words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub url: String,
    pub says: String,
}

/// How certain a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verified {
    /// Google's documentation states it.
    Documented,
    /// Others observed it at the real service.
    Reported,
    /// Our expectation. Only a run against a real account can answer it.
    Unverified,
}

/// The requirements of a case beyond one account with a scratch calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// A second account, as a guest.
    SecondAccount,
    /// A public address that forwards to this machine, for pushes.
    PublicUrl,
    /// The person's agreement to events in the primary calendar. Every case that writes there has it by itself.
    PrimaryCalendar,
    /// An account of Google Workspace with focus time, out of office and working locations.
    Workspace,
    /// Steps of a person in Google's page.
    Person,
    /// The emulator's clock, faults or admin API.
    Emulator,
}

impl Need {
    pub fn describe(self) -> &'static str {
        match self {
            Self::SecondAccount => "a second account (--second-account)",
            Self::PublicUrl => "a public address (--public-url)",
            Self::PrimaryCalendar => "writes to the primary calendar (--primary-calendar)",
            Self::Workspace => "a Workspace account (--workspace)",
            Self::Person => "a person in Google's page (--split-series)",
            Self::Emulator => "the emulator (never run against Google)",
        }
    }
}

/// One request and its expected answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `METHOD path`, see the README.
    pub call: String,
    #[serde(default, rename = "as")]
    pub caller: Caller,
    /// Instead of the call, a person does this in Google's page. The emulator gets the call.
    pub person: Option<String>,
    /// A bearer token instead of the caller's.
    pub token: Option<String>,
    #[serde(default)]
    pub query: Map<String, Value>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body.
    pub body: Option<Value>,
    /// A form as the body.
    pub form: Option<BTreeMap<String, String>>,
    /// Follows `nextPageToken`: the answer is the last page with the items of all.
    #[serde(default)]
    pub pages: bool,
    /// Sends the request this many times, with `{{n}}` from 1.
    #[serde(default = "once")]
    pub repeat: u32,
    /// Seconds within which the answer must meet the conditions. Reads are repeated; pushes are waited for.
    #[serde(default)]
    pub within: u64,
    #[serde(default)]
    pub expect: Expectation,
    /// Variables from the answer.
    #[serde(default)]
    pub keep: BTreeMap<String, Kept>,
}

/// A part of an answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Kept {
    /// A JSON pointer, or `header NAME`.
    Part(String),
    /// A parameter of the URL at a JSON pointer.
    #[serde(rename_all = "camelCase")]
    Parameter { url: String, query: String },
}

impl Case {
    /// Whether a step adds, changes or deletes events of a primary calendar.
    pub fn writes_to_primary(&self) -> bool {
        self.steps.iter().any(Step::writes_to_primary)
    }
}

impl Step {
    pub fn is_push(&self) -> bool {
        self.method() == "PUSH"
    }

    pub fn writes_to_primary(&self) -> bool {
        let is_event =
            self.path().starts_with("calendars/primary/events") && !self.path().ends_with("/watch");
        is_event && self.method() != "GET"
    }

    pub fn method(&self) -> &str {
        self.call.split_once(' ').map_or("", |(method, _)| method)
    }

    pub fn path(&self) -> &str {
        self.call.split_once(' ').map_or("", |(_, path)| path.trim())
    }
}

fn once() -> u32 {
    1
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    #[default]
    Account,
    SecondAccount,
    /// Without a token.
    Anonymous,
}

/// The conditions of an answer. None given: any status of success.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    pub status: Option<u16>,
    /// `error.errors[0].reason`.
    pub reason: Option<String>,
    /// Must be contained in the body, see [`crate::matching`].
    pub body: Option<Value>,
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    area: String,
    #[serde(default)]
    values: Map<String, Value>,
    cases: Vec<Case>,
}

/// The cases of this folder, in the order of its files.
pub fn load() -> Result<Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path)?;
        cases.extend(parse(&text).with_context(|| path.display().to_string())?);
    }
    Ok(cases)
}

fn parse(text: &str) -> Result<Vec<Case>> {
    let file: File = serde_saphyr::from_str(text)?;
    let named = |mut case: Case| {
        case.area.clone_from(&file.area);
        case.values.clone_from(&file.values);
        ensure!(!case.steps.is_empty(), "{}: no steps", case.id);
        ensure!(!case.sources.is_empty(), "{}: no source", case.id);
        if case.writes_to_primary() {
            case.needs.insert(Need::PrimaryCalendar);
        }
        Ok(case)
    };
    file.cases.into_iter().map(named).collect()
}
