//! Plans changes to a series, or to a part of it.

use std::collections::BTreeSet;

use common::ids::new_uuid;
use event_model::expansion;
use event_model::fields::{Field, Fields};
use event_model::patch::{EventPatch, Invalid};
use event_model::permissions::{Restriction, delete_restriction, edit_restriction, is_organizer};
use event_model::recurrence;
use event_model::span::{Span, Start};
use sqlx::PgConnection;

use super::super::plan::{AnswerInstance, Edit, NewSeries, Operation, Split};
use super::super::request::{Refused, Scope};
use super::super::result::Reason;
use super::super::target::{self, Series, Target, Version};
use super::planner::{Planner, Prepared};

/// The part of a series that a request is about.
pub(super) enum Part {
    /// One instance, or an event without a series.
    This,
    /// The whole series, named by its own id or by an instance's.
    All,
    Following,
}

pub(super) fn part(target: &Target, scope: Option<Scope>) -> Result<Part, Refused> {
    let Some(series) = &target.series else {
        return match scope {
            // The id names the whole series.
            None | Some(Scope::All) if target.version.event.is_master() => Ok(Part::All),
            Some(Scope::This | Scope::Following) if target.version.event.is_master() => {
                Err(Reason::ScopeNotApplicable.into())
            }
            _ => Ok(Part::This),
        };
    };
    Ok(match scope.unwrap_or(Scope::This) {
        Scope::This => Part::This,
        Scope::All => Part::All,
        Scope::Following => {
            let first = series.master.as_ref().and_then(|master| master.fields.when);
            if first.map(Span::start) == Some(series.original) {
                Part::All
            } else {
                Part::Following
            }
        }
    })
}

/// The series of the target, which is it or one of its instances.
pub(super) fn master_of(target: &Target) -> Result<&Version, Refused> {
    match &target.series {
        None => Ok(&target.version),
        Some(series) => series.master.as_ref().ok_or(Reason::SeriesNotFound.into()),
    }
}

impl Planner {
    pub(super) async fn update_all(
        self,
        conn: &mut PgConnection,
        target: &Target,
        base_etag: &str,
        patch: &EventPatch,
    ) -> Result<Prepared, Refused> {
        let master = master_of(target)?;
        self.check_edit(&master.event, patch)?;
        let base = self.series_at(conn, target, master, base_etag).await?;
        let from = base.as_ref().unwrap_or(&master.fields);
        let (ours, touched) = self.edit_series(master, from, target.version.fields.when, patch)?;
        let id = master.event.id.clone();
        let answer = self.answer(master, None, &ours);
        let has_guests = master.has_guests() || !ours.attendees.is_empty();
        let edit = Edit { base, ours, touched };
        Ok(self.finish(id, Operation::Patch(Box::new(edit)), answer, has_guests))
    }

    /// Edits a series by way of an instance: moving the instance moves all of them by as much.
    fn edit_series(
        &self,
        master: &Version,
        series: &Fields,
        seen: Option<Span>,
        patch: &EventPatch,
    ) -> Result<(Fields, BTreeSet<Field>), Refused> {
        let through = Fields {
            when: seen.or(series.when),
            ..series.clone()
        };
        let mut ours = self.apply(&master.event, patch, &through)?;
        let mut touched = patch.touched();
        let (Some(first), Some(seen), Some(new)) = (series.when, through.when, ours.when) else {
            return Ok((ours, touched));
        };
        if new == seen {
            ours.when = Some(first);
            return Ok((ours, touched));
        }
        let start = first.moved_like(seen, new).ok_or(Invalid {
            field: "start",
            message: "expected a year up to 9999".into(),
        })?;
        ours.when = Some(start);
        if patch.recurrence.is_none() {
            ours.recurrence = recurrence::reschedule(&series.recurrence, first, start)
                .map_err(|_| Refused::Reason(Reason::RecurrenceRequired))?;
            touched.insert(Field::Recurrence);
        }
        Ok((ours, touched))
    }

    /// Ends a series before an instance and, with a patch, starts a new one there.
    pub(super) async fn split(
        self,
        conn: &mut PgConnection,
        target: &Target,
        base_etag: Option<&str>,
        patch: Option<&EventPatch>,
    ) -> Result<Prepared, Refused> {
        let Some(Series {
            master: Some(master),
            original,
        }) = &target.series
        else {
            return Err(Reason::SeriesNotFound.into());
        };
        if let Some(patch) = patch {
            self.check_edit(&master.event, patch)?;
        }
        // A guest of the series has a copy of it, and may not end it.
        let not_organizer = (!is_organizer(&master.event)).then_some(Restriction::NotOrganizer);
        // A deletion asks for no more than that of each instance: a working location has no rule that a user may edit.
        let rule = match patch {
            Some(_) => edit_restriction(&master.event, self.role(), "recurrence"),
            None => delete_restriction(&master.event, self.role()),
        };
        if let Some(rule) = rule.or(not_organizer) {
            return Err(Refused::Rule {
                rule,
                field: "recurrence",
            });
        }
        if patch.is_some() && master.event.attendees_omitted {
            // The new series would invite only the guests that Google shows.
            return Err(Refused::Rule {
                rule: Restriction::AttendeesOmitted,
                field: "attendees",
            });
        }
        let base = match base_etag {
            Some(etag) => self.series_at(conn, target, master, etag).await?,
            None => Some(master.fields.clone()),
        };
        let seen = base.as_ref().unwrap_or(&master.fields);
        let first = seen.when.ok_or(Reason::SeriesNotFound)?;
        let cut = recurrence::split(&seen.recurrence, first, *original, |line| {
            expansion::count_before(&self.context, &master.event, line, *original)
        });
        let ended = Fields {
            recurrence: cut.before,
            ..seen.clone()
        };
        let rest = Fields {
            when: first.at(*original),
            recurrence: cut.after,
            ..seen.clone()
        };
        let new = patch
            .map(|patch| self.new_series(master, target, rest, base.is_some(), patch))
            .transpose()?;
        let series = new.as_ref().map_or(&master.event.id, |new| &new.id);
        let start = new.as_ref().and_then(|new| new.ours.when);
        let answer = AnswerInstance {
            series: series.clone(),
            instance: None,
            at: self.instant(start.map_or(*original, Span::start)),
        };
        let split = Split {
            end: Edit {
                base,
                ours: ended,
                touched: [Field::Recurrence].into(),
            },
            at: stored_start(*original),
            new,
            ended: None,
            undo: None,
        };
        let id = master.event.id.clone();
        let new_guests = split
            .new
            .as_ref()
            .is_some_and(|new| !new.ours.attendees.is_empty());
        let has_guests = master.has_guests() || new_guests;
        Ok(self.finish(id, Operation::Split(Box::new(split)), answer, has_guests))
    }

    fn new_series(
        &self,
        master: &Version,
        target: &Target,
        rest: Fields,
        is_known: bool,
        patch: &EventPatch,
    ) -> Result<NewSeries, Refused> {
        let (ours, touched) = self.edit_series(master, &rest, target.version.fields.when, patch)?;
        Ok(NewSeries {
            // Not the request's id, which names the events that a request creates. As hard to guess.
            id: new_uuid().simple().to_string(),
            rest,
            is_known,
            ours,
            touched,
        })
    }

    /// The series as the user saw it who saw this version of it, or of one of its instances. None: no longer known.
    pub(super) async fn series_at(
        &self,
        conn: &mut PgConnection,
        target: &Target,
        master: &Version,
        etag: &str,
    ) -> sqlx::Result<Option<Fields>> {
        let fields = target::own_fields_at(conn, &self.calendar, master, etag).await?;
        if fields.is_some() {
            return Ok(fields);
        }
        // The etag of an exception does not determine the version of its series: assume the current one.
        let exception = target::own_fields_at(conn, &self.calendar, &target.version, etag).await?;
        Ok(exception.map(|_| master.fields.clone()))
    }
}

/// In the format of `events.original_start`.
fn stored_start(start: Start) -> String {
    match start {
        Start::Day(day) => day.to_string(),
        Start::At(at) => at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}
