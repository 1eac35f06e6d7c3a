//! Plans a request: everything that can be refused without asking Google is refused here, and everything that depends on
//! the version that the user saw is decided here.

mod series;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId, new_uuid};
use event_model::expansion::{self, CalendarContext, Start};
use event_model::fields::{Fields, Span};
use event_model::patch::{EventPatch, Invalid};
use event_model::permissions::{AccessRole, Rule, refusal, refusal_to_delete, refusal_to_move};
use event_model::resource::EventResource;
use google::scopes;
use serde_json::Value;
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::connections;
use uuid::Uuid;

use super::plan::{AnswerInstance, Edit, Operation, Plan};
use super::request::{Command, Mail, Refused, Request, Response, Scope};
use super::target::{self, Target, Version};
use super::{Reason, write_marker};
use crate::pull::context;
use series::{Part, master_of, part};

/// A request that may be accepted.
pub struct Prepared {
    pub id: Uuid,
    pub calendar: Calendar,
    /// The event that Google is called about.
    pub event_id: String,
    pub plan: Plan,
}

pub async fn prepare(conn: &mut PgConnection, user: &UserId, request: Request) -> Result<Prepared, Refused> {
    let calendar = writable(conn, user, request.calendar).await?;
    let planner = Planner {
        id: new_uuid(),
        context: context(&calendar),
        calendar,
        mail: request.mail,
    };
    match request.command {
        Command::Create { event } => planner.create(&event),
        Command::Update {
            event_id,
            base_etag,
            patch,
            scope,
        } => planner.update(conn, &event_id, &base_etag, &patch, scope).await,
        Command::Delete {
            event_id,
            base_etag,
            scope,
        } => planner.delete(conn, &event_id, base_etag.as_deref(), scope).await,
        Command::Move {
            event_id,
            destination,
        } => {
            let destination = writable(conn, user, destination).await?;
            planner.move_event(conn, &event_id, &destination).await
        }
        Command::Respond {
            event_id,
            response,
            comment,
            scope,
        } => planner.respond(conn, &event_id, (response, comment), scope).await,
    }
}

/// The user's calendar, if its account may write to it.
async fn writable(conn: &mut PgConnection, user: &UserId, id: CalendarId) -> Result<Calendar, Refused> {
    let calendar = calendars::get(conn, user, id)
        .await?
        .ok_or(Reason::CalendarNotFound)?;
    let connection = connections::of_user(conn, user)
        .await?
        .into_iter()
        .find(|connection| connection.id == calendar.connection_id)
        .ok_or(Reason::NotConnected)?;
    let reason = if connection.disconnected_at.is_some() {
        Reason::NotConnected
    } else if connection.grant_ended_at.is_some() {
        Reason::ReauthRequired
    } else if !scopes::allows_event_writes(&connection.scopes) {
        Reason::WriteScopeMissing
    } else if calendar.access_lost_at.is_some() {
        Reason::AccessLost
    } else {
        return Ok(calendar);
    };
    Err(reason.into())
}

struct Planner {
    id: Uuid,
    calendar: Calendar,
    context: CalendarContext,
    mail: Mail,
}

impl Planner {
    fn role(&self) -> &AccessRole {
        &self.context.access_role
    }

    fn finish(self, event_id: String, operation: Operation, answer: AnswerInstance) -> Prepared {
        Prepared {
            id: self.id,
            calendar: self.calendar,
            event_id,
            plan: Plan {
                mail: self.mail,
                operation,
                answer,
            },
        }
    }

    fn create(self, event: &EventPatch) -> Result<Prepared, Refused> {
        if !self.role().writes() {
            return Err(Refused::Rule {
                rule: Rule::CalendarReadOnly,
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
        body.extend(when.google_new());
        write_marker::add(&mut body, &Value::Null, self.id);
        let answer = AnswerInstance {
            series: event_id.clone(),
            instance: None,
            at: self.instant(when.start()),
        };
        let operation = Operation::Insert { body: body.into() };
        Ok(self.finish(event_id, operation, answer))
    }

    async fn update(
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
                let ours = patch.apply(from, self.context.time_zone)?;
                let answer = self.answer(&target.version, Some(event_id), &ours);
                let edit = Edit {
                    touched: patch.touched(),
                    base,
                    ours,
                };
                let operation = Operation::Patch(Box::new(edit));
                Ok(self.finish(event_id.to_owned(), operation, answer))
            }
            Part::All => self.update_all(conn, &target, base_etag, patch).await,
            Part::Following => self.split(conn, &target, Some(base_etag), Some(patch)).await,
        }
    }

    async fn delete(
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
        if let Some(rule) = refusal_to_delete(&version.event, self.role()) {
            return Err(Refused::Rule { rule, field: "title" });
        }
        let answer = self.answer(version, None, &version.fields);
        let operation = Operation::Delete {
            base: base.map(Box::new),
            is_conditional: base_etag.is_some(),
        };
        Ok(self.finish(version.event.id.clone(), operation, answer))
    }

    async fn move_event(
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
        let read_only = (!role.writes()).then_some(Rule::CalendarReadOnly);
        if let Some(rule) = refusal_to_move(&target.version.event, self.role()).or(read_only) {
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
        Ok(self.finish(event_id.to_owned(), operation, answer))
    }

    async fn respond(
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
        if let Some(rule) = refusal(&version.event, self.role(), "responseStatus") {
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
        Ok(self.finish(version.event.id.clone(), operation, answer))
    }

    async fn find(&self, conn: &mut PgConnection, event_id: &str) -> Result<Target, Refused> {
        let target = target::find(conn, &self.calendar, event_id)
            .await?
            .ok_or(Reason::EventNotFound)?;
        if target.version.event.is_cancelled() {
            return Err(Reason::EventDeleted.into());
        }
        Ok(target)
    }

    fn check_edit(&self, event: &EventResource, patch: &EventPatch) -> Result<(), Refused> {
        for field in patch.edits() {
            if let Some(rule) = refusal(event, self.role(), field) {
                return Err(Refused::Rule { rule, field });
            }
        }
        Ok(())
    }

    fn answer(&self, version: &Version, instance: Option<&str>, fields: &Fields) -> AnswerInstance {
        let start = fields.when.or(version.fields.when).map(Span::start);
        AnswerInstance {
            series: version.event.series_id().to_owned(),
            instance: instance.map(str::to_owned),
            at: start.map_or(DateTime::UNIX_EPOCH, |start| self.instant(start)),
        }
    }

    fn instant(&self, start: Start) -> DateTime<Utc> {
        match start {
            Start::At(at) => at,
            Start::Day(day) => {
                expansion::zone::day_start(self.context.time_zone, day).unwrap_or(DateTime::UNIX_EPOCH)
            }
        }
    }
}
