//! An edit as a client sends it, in the names of [`crate::wire::Event`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize};
use ts_rs::TS;

use crate::expansion::{self, MAX_DESCRIPTION, MAX_LOCATION, MAX_TITLE, zone};
use crate::fields::{Conference, Field, Fields, Guest, Reminders, Span, is_shown, text};

/// Google's own bound for one event.
const GUESTS_MAX: usize = 200;
const LINES_MAX: usize = 50;
const OVERRIDES_MAX: usize = 5;
/// Four weeks.
const MINUTES_MAX: u32 = 40_320;

/// The fields to change; one that is absent stays as it is, `null` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[ts(optional_fields)]
pub struct EventPatch {
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub title: Option<Option<String>>,
    /// RFC 3339 (or wall-clock time of `timeZone`, without an offset), or a date. Without an `end` the event keeps its
    /// length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// As `start`; the end of an all-day event is exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Needed only to say that nothing else would: a start without a time makes an event all-day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_day: Option<bool>,
    /// An IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(as = "Option<String>")]
    pub time_zone: Option<Tz>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub location: Option<Option<String>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub color_id: Option<Option<String>>,
    /// The whole list. What guests answered stays; somebody who is missing is uninvited.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub attendees: Option<Option<Vec<GuestInput>>>,
    /// RRULE, EXDATE and RDATE lines.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Option<Vec<String>>>,
    /// `null`: as the calendar's settings say.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub reminders: Option<Option<Reminders>>,
    /// `"meet"` asks Google for a Meet link where there is no meeting yet.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub conference: Option<Option<ConferenceInput>>,
}

/// A guest to invite. An attendee of an Event will do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
#[ts(optional_fields)]
pub struct GuestInput {
    pub email: String,
    #[ts(as = "Option<bool>")]
    pub optional: bool,
    #[ts(as = "Option<Option<String>>")]
    pub display_name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ConferenceInput {
    Meet,
}

/// Tells `null` from absent.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What is wrong with an edit, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    pub field: &'static str,
    pub message: String,
}

fn invalid(field: &'static str, message: impl Into<String>) -> Invalid {
    Invalid {
        field,
        message: message.into(),
    }
}

impl EventPatch {
    /// The names in `canEdit` of what this would change.
    pub fn edits(&self) -> Vec<&'static str> {
        [
            ("title", self.title.is_some()),
            (
                "start",
                self.start.is_some() || self.all_day.is_some() || self.time_zone.is_some(),
            ),
            ("end", self.end.is_some()),
            ("description", self.description.is_some()),
            ("location", self.location.is_some()),
            ("attendees", self.attendees.is_some()),
            ("recurrence", self.recurrence.is_some()),
            ("conference", self.conference.is_some()),
            ("reminders", self.reminders.is_some()),
            ("colorId", self.color_id.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect()
    }

    /// The fields that this is about.
    pub fn touched(&self) -> BTreeSet<Field> {
        self.edits()
            .into_iter()
            .map(|name| {
                let field = Field::ALL.into_iter().find(|field| field.name() == name);
                field.unwrap_or(Field::When)
            })
            .collect()
    }

    /// The event with this edit. `zone`: of the calendar, for what names none.
    pub fn apply(&self, base: &Fields, zone: Tz) -> Result<Fields, Invalid> {
        let mut fields = base.clone();
        edit_text(&mut fields.title, self.title.as_ref(), MAX_TITLE);
        edit_text(
            &mut fields.description,
            self.description.as_ref(),
            MAX_DESCRIPTION,
        );
        edit_text(&mut fields.location, self.location.as_ref(), MAX_LOCATION);
        edit_text(&mut fields.color_id, self.color_id.as_ref(), usize::MAX);
        if let Some(when) = self.when(base.when, zone)? {
            fields.when = Some(when);
        }
        if let Some(guests) = &self.attendees {
            fields.attendees = read_guests(guests.as_deref().unwrap_or_default(), &base.attendees)?;
        }
        if let Some(lines) = &self.recurrence {
            let lines = lines.clone().unwrap_or_default();
            check_lines(&lines, fields.when.and_then(Span::zone))?;
            fields.recurrence = lines;
        }
        if let Some(reminders) = &self.reminders {
            fields.reminders = Some(read_reminders(reminders.as_ref())?);
        }
        match self.conference {
            Some(None) => fields.conference = Conference::None,
            Some(Some(ConferenceInput::Meet)) if fields.conference == Conference::None => {
                fields.conference = Conference::Requested;
            }
            None | Some(Some(ConferenceInput::Meet)) => {}
        }
        Ok(fields)
    }

    fn when(&self, base: Option<Span>, calendar_zone: Tz) -> Result<Option<Span>, Invalid> {
        if self.start.is_none() && self.end.is_none() && self.all_day.is_none() && self.time_zone.is_none() {
            return Ok(None);
        }
        let is_date = |text: &String| text.parse::<NaiveDate>().is_ok();
        let all_day = self
            .all_day
            .or_else(|| self.start.as_ref().or(self.end.as_ref()).map(is_date))
            .unwrap_or_else(|| base.is_some_and(Span::is_all_day));
        let base = base.filter(|base| base.is_all_day() == all_day);
        if all_day {
            self.days(base).map(Some)
        } else {
            self.time(base, calendar_zone).map(Some)
        }
    }

    fn days(&self, base: Option<Span>) -> Result<Span, Invalid> {
        let date = |field, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => text
                .parse::<NaiveDate>()
                .map(Some)
                .map_err(|_| invalid(field, "expected a date, such as 2026-11-22")),
        };
        let before = match base {
            Some(Span::Days { start, end }) => Some((start, end)),
            _ => None,
        };
        let start = date("start", &self.start)?
            .or(before.map(|(start, _)| start))
            .ok_or_else(|| invalid("start", "expected the first day"))?;
        let end = match (date("end", &self.end)?, before) {
            (Some(end), _) => end,
            (None, Some((from, to))) => start
                .checked_add_signed(to - from)
                .ok_or_else(|| invalid("start", "expected a year up to 9999"))?,
            (None, None) => return Err(invalid("end", "expected the day after the last")),
        };
        let least = start.checked_add_days(Days::new(1));
        if least.is_none_or(|least| end < least) {
            return Err(invalid(
                "end",
                "expected a day after `start`; the end of an all-day event is exclusive",
            ));
        }
        Ok(Span::Days { start, end })
    }

    fn time(&self, base: Option<Span>, calendar_zone: Tz) -> Result<Span, Invalid> {
        let before = match base {
            Some(Span::Time {
                start,
                end,
                zone,
                end_zone,
            }) => Some((start, end, zone, end_zone)),
            _ => None,
        };
        let zone = self
            .time_zone
            .or(before.map(|(_, _, zone, _)| zone))
            .unwrap_or(calendar_zone);
        let end_zone = self
            .time_zone
            .or(before.map(|(_, _, _, zone)| zone))
            .unwrap_or(zone);
        let start = read_time("start", self.start.as_deref(), zone)?
            .or(before.map(|(start, ..)| start))
            .ok_or_else(|| invalid("start", "expected a time"))?;
        let end = match (read_time("end", self.end.as_deref(), end_zone)?, before) {
            (Some(end), _) => end,
            (None, Some((from, to, ..))) => start
                .checked_add_signed(to - from)
                .ok_or_else(|| invalid("start", "expected a year up to 9999"))?,
            (None, None) => return Err(invalid("end", "expected a time")),
        };
        if end < start {
            return Err(invalid("end", "expected a time not before `start`"));
        }
        Ok(Span::Time {
            start,
            end,
            zone,
            end_zone,
        })
    }
}

fn edit_text(field: &mut Option<String>, edit: Option<&Option<String>>, shown_max: usize) {
    let Some(edit) = edit else { return };
    // A browser has very long texts cut, and sends back what it has.
    if !is_shown(edit.as_deref(), field.as_deref(), shown_max) {
        *field = text(edit.as_deref());
    }
}

fn read_time(field: &'static str, given: Option<&str>, zone: Tz) -> Result<Option<DateTime<Utc>>, Invalid> {
    let Some(given) = given else { return Ok(None) };
    if let Ok(time) = DateTime::parse_from_rfc3339(given) {
        return Ok(Some(time.to_utc()));
    }
    let local: Option<NaiveDateTime> = given.parse().ok();
    local
        .and_then(|local| zone::instant(zone, local))
        .map(Some)
        .ok_or_else(|| invalid(field, "expected a time, such as 2026-11-22T10:00:00+01:00"))
}

fn read_guests(
    given: &[GuestInput],
    before: &BTreeMap<String, Guest>,
) -> Result<BTreeMap<String, Guest>, Invalid> {
    let mut guests = BTreeMap::new();
    for guest in given {
        let email = guest.email.trim().to_lowercase();
        let is_address = email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !is_address || email.contains(char::is_whitespace) {
            return Err(invalid("attendees", "expected an e-mail address for each guest"));
        }
        let known = before.get(&email).and_then(|known| known.display_name.clone());
        let guest = Guest {
            optional: guest.optional,
            display_name: guest.display_name.clone().or(known),
        };
        guests.insert(email, guest);
    }
    if guests.len() > GUESTS_MAX {
        return Err(invalid(
            "attendees",
            format!("expected at most {GUESTS_MAX} guests"),
        ));
    }
    Ok(guests)
}

fn check_lines(lines: &[String], zone: Option<Tz>) -> Result<(), Invalid> {
    if lines.len() > LINES_MAX || lines.iter().any(|line| line.contains(['\n', '\r'])) {
        return Err(invalid(
            "recurrence",
            format!("expected at most {LINES_MAX} lines, one an element"),
        ));
    }
    match expansion::unreadable(lines, zone) {
        None => Ok(()),
        Some(why) => Err(invalid("recurrence", why.to_string())),
    }
}

fn read_reminders(given: Option<&Reminders>) -> Result<Reminders, Invalid> {
    let Some(given) = given else {
        return Ok(Reminders {
            use_default: true,
            overrides: Vec::new(),
        });
    };
    let knows = |method: &str| matches!(method, "popup" | "email");
    let is_wrong = given
        .overrides
        .iter()
        .any(|reminder| !knows(&reminder.method) || reminder.minutes > MINUTES_MAX);
    if is_wrong || given.overrides.len() > OVERRIDES_MAX || (given.use_default && !given.overrides.is_empty())
    {
        return Err(invalid(
            "reminders",
            "expected `useDefault`, or up to five overrides by popup or email, at most 40320 minutes before",
        ));
    }
    let mut reminders = given.clone();
    reminders.overrides.sort();
    Ok(reminders)
}

#[cfg(test)]
mod tests;
