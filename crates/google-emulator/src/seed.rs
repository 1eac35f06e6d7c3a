//! The initial content of the emulator's accounts: read from a JSON file or an `.ics` file, or the built-in demo.
//!
//! ```json
//! { "users": [ { "email": "alice@example.com", "name": "Alice Meier", "calendars": [
//!     { "id": "alice@example.com", "summary": "Alice", "timeZone": "Europe/Zurich", "primary": true, "events": [
//!         { "summary": "Lunch", "start": { "dateTime": "2026-11-23T12:00:00+01:00" },
//!                               "end":   { "dateTime": "2026-11-23T13:00:00+01:00" } } ] } ] } ] }
//! ```
//!
//! - An event is the body of Google's `events.insert`; `id` and `iCalUID` are optional. `start.timeZone` is the
//!   calendar's where it is missing.
//! - An exception of a recurring event is a body with `recurringEventId` (a master with that `id` in the same calendar)
//!   and `originalStartTime`; `"status": "cancelled"` makes it a cancelled instance, which needs neither start nor end.
//! - The same calendar `id` under several users is one shared calendar: its events are those of all entries together,
//!   while `accessRole`, colours and `primary` belong to each user's entry in the calendar list.

mod content;
mod demo;

use std::path::Path;

use chrono::NaiveDate;

pub use content::{AccessRole, Seed, SeedCalendar, SeedUser};

/// Why a seed file was refused, ready to be shown to the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {what}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct SeedError {
    /// The file as it was named.
    pub file: String,
    /// Counted from 1, where it is known.
    pub line: Option<usize>,
    pub what: String,
}

impl Seed {
    /// Reads a seed file: `.json` as described above, `.ics` as one primary calendar of the account the file is named
    /// after (`bob@example.com.ics`), or of `alice@example.com` when the name is no e-mail address.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, SeedError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let fail = |what: String| SeedError {
            file: file.clone(),
            line: None,
            what,
        };
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        if extension != "json" && extension != "ics" {
            return Err(fail(
                "a seed is a .json or an .ics file; rename the file or convert it".into(),
            ));
        }
        let text = std::fs::read_to_string(path).map_err(|err| fail(format!("cannot be read: {err}")))?;
        if extension == "json" {
            return Self::from_json(&file, &text);
        }
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let email = if stem.contains('@') {
            stem
        } else {
            "alice@example.com"
        };
        let (seed, skipped) = Self::from_ics(&file, &text, email)?;
        for each in skipped {
            tracing::warn!("Skipped in the seed file: {each}");
        }
        Ok(seed)
    }

    /// Reads the JSON form; `file` only names it in errors.
    pub fn from_json(file: &str, text: &str) -> Result<Self, SeedError> {
        let text = text.trim_start_matches('\u{feff}');
        let mut json = serde_json::Deserializer::from_str(text);
        let seed: Self = serde_path_to_error::deserialize(&mut json).map_err(|err| {
            let place = err.path().to_string();
            let line = Some(err.inner().line()).filter(|line| *line > 0);
            let what = if place == "." {
                err.inner().to_string()
            } else {
                format!("{place}: {}", err.inner())
            };
            SeedError {
                file: file.into(),
                line,
                what,
            }
        })?;
        json.end().map_err(|err| SeedError {
            file: file.into(),
            line: Some(err.line()),
            what: format!("text after the end of the seed: {err}"),
        })?;
        seed.check().map_err(|what| SeedError {
            file: file.into(),
            line: None,
            what,
        })?;
        Ok(seed)
    }

    /// Reads an `.ics` file as the primary calendar of `email`; `file` only names it in errors. Beside it: the
    /// parts that could not be read and were skipped.
    pub fn from_ics(file: &str, text: &str, email: &str) -> Result<(Self, Vec<SeedError>), SeedError> {
        let error = |error: crate::ics::IcsError| SeedError {
            file: file.into(),
            line: error.line,
            what: error.what,
        };
        let import = crate::ics::calendar(text, email).map_err(error)?;
        let mut calendar = import.calendar;
        calendar.primary = true;
        let user = SeedUser {
            email: email.into(),
            name: String::new(),
            calendars: vec![calendar],
        };
        let seed = Self { users: vec![user] };
        Ok((seed, import.skipped.into_iter().map(error).collect()))
    }

    /// The demo: alice, bob and carol with a believable month of events around `today`.
    pub fn demo(today: NaiveDate) -> Self {
        demo::seed(today)
    }
}

#[cfg(test)]
mod tests;
