//! Plans each command for one event; those for a series are passed on.

use event_model::fields::Fields;
use event_model::patch::{EventPatch, Invalid};
use event_model::permissions::{Restriction, delete_restriction, edit_restriction, move_restriction};
use serde_json::Value;
use sqlx::PgConnection;
use store::calendars::Calendar;

use super::super::plan::{AnswerInstance, Edit, Operation};
use super::super::request::{Refused, Response, Scope};
use super::super::result::Reason;
use super::super::{target, write_marker};
use super::planner::{Planner, Prepared};
use super::series::{Part, master_of, part};
use crate::pull::context;

impl Planner {
    pub fn create(self, event: &EventPatch) -> Result<Prepared, Refused> {
        if !self.role().writes() {
            return Err(Refused::Rule {
                rule: Restriction::CalendarReadOnly,
                field: "title",
            });
        }
        let fields = event.apply(&Fields::default(), self.context.time_zone)?;
        let when = fields.when.ok_or(Invalid {
            field: "start",
            message: "expected a time or a date".into(),
        })?;
        // The request's id is a valid event id for Google (base32hex), and identifies the event without reading it.
        let event_id = self.id.simple().to_string();
        let mut body = fields.write_over(&Value::Null, &Fields::default(), &event_id);
        body.insert("id".into(), event_id.clone().into());
        body.extend(when.google_insert());
        write_marker::add(&mut body, &Value::Null, self.id);
        let answer = AnswerInstance {
            series: event_id.clone(),
            instance: None,
            at: self.instant(when.start()),
        };
        let operation = Operation::Insert { body: body.into() };
        Ok(self.finish(event_id, operation, answer, !fields.attendees.is_empty()))
    }

    pub async fn update(
        self,
        conn: &mut PgConnection,
        event_id: &str,
        base_etag: &str,
        patch: &EventPatch,
        scope: Option<Scope>,
    ) -> Result<Prepared, Refused> {
        let target = self.find(conn, event_id).await?;
        match part(&target, scope)? {
            Part::This => {
                self.check_edit(&target.version.event, patch)?;
                let base = target::fields_at(conn, &self.calendar, &target, base_etag).await?;
                let from = base.as_ref().unwrap_or(&target.version.fields);
                let ours = self.apply(&target.version.event, patch, from)?;
                let id = target.version.event.id.clone();
                let answer = self.answer(&target.version, Some(&id), &ours);
                let has_guests = target.version.has_guests() || !ours.attendees.is_empty();
                let edit = Edit {
                    touched: patch.touched(),
                    base,
                    ours,
                };
                let operation = Operation::Patch(Box::new(edit));
                Ok(self.finish(id, operation, answer, has_guests))
            }
            Part::All => self.update_all(conn, &target, base_etag, patch).await,
            Part::Following => self.split(conn, &target, Some(base_etag), Some(patch)).await,
        }
    }

    pub async fn delete(
        self,
        conn: &mut PgConnection,
        event_id: &str,
        base_etag: Option<&str>,
        scope: Option<Scope>,
    ) -> Result<Prepared, Refused> {
        let target = self.find(conn, event_id).await?;
        let part = part(&target, scope)?;
        let (version, base) = match part {
            Part::Following => return self.split(conn, &target, base_etag, None).await,
            Part::This => {
                let base = match base_etag {
                    Some(etag) => target::fields_at(conn, &self.calendar, &target, etag).await?,
                    None => None,
                };
                (&target.version, base)
            }
            Part::All => {
                let master = master_of(&target)?;
                let base = match base_etag {
                    Some(etag) => self.series_at(conn, &target, master, etag).await?,
                    None => None,
                };
                (master, base)
            }
        };
        if let Some(rule) = delete_restriction(&version.event, self.role()) {
            return Err(Refused::Rule { rule, field: "title" });
        }
        let answer = self.answer(version, None, &version.fields);
        let operation = Operation::Delete {
            base: base.map(Box::new),
            is_conditional: base_etag.is_some(),
        };
        let id = version.event.id.clone();
        Ok(self.finish(id, operation, answer, version.has_guests()))
    }

    pub async fn move_event(
        self,
        conn: &mut PgConnection,
        event_id: &str,
        destination: &Calendar,
    ) -> Result<Prepared, Refused> {
        if destination.connection_id != self.calendar.connection_id {
            return Err(Reason::DifferentAccount.into());
        }
        let target = self.find(conn, event_id).await?;
        let role = context(destination).access_role;
        let read_only = (!role.writes()).then_some(Restriction::CalendarReadOnly);
        if let Some(rule) = move_restriction(&target.version.event, self.role()).or(read_only) {
            return Err(Refused::Rule {
                rule,
                field: "calendarId",
            });
        }
        if destination.id == self.calendar.id {
            return Err(Refused::Invalid(Invalid {
                field: "destinationCalendarId",
                message: "expected another calendar".into(),
            }));
        }
        let answer = self.answer(&target.version, None, &target.version.fields);
        let operation = Operation::Move {
            destination: destination.id,
        };
        Ok(self.finish(
            event_id.to_owned(),
            operation,
            answer,
            target.version.has_guests(),
        ))
    }

    pub async fn respond(
        self,
        conn: &mut PgConnection,
        event_id: &str,
        (response, comment): (Response, Option<String>),
        scope: Option<Scope>,
    ) -> Result<Prepared, Refused> {
        let target = self.find(conn, event_id).await?;
        let version = match part(&target, scope)? {
            Part::This => &target.version,
            Part::All => master_of(&target)?,
            // At Google, one answers an instance or the series, and not a part of it.
            Part::Following => return Err(Reason::ScopeNotApplicable.into()),
        };
        if let Some(rule) = edit_restriction(&version.event, self.role(), "responseStatus") {
            return Err(Refused::Rule {
                rule,
                field: "responseStatus",
            });
        }
        let instance = version
            .event
            .recurring_event_id
            .as_ref()
            .map(|_| version.event.id.as_str());
        let answer = self.answer(version, instance, &version.fields);
        let operation = Operation::Respond { response, comment };
        let id = version.event.id.clone();
        Ok(self.finish(id, operation, answer, version.has_guests()))
    }
}
