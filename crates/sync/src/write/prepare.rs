//! From what a user asks for to what is to be done at Google: all that can be refused without asking Google is refused
//! here, and all that depends on what the user saw is settled here.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId, new_uuid};
use event_model::expansion::{self, CalendarContext, Start};
use event_model::fields::{Field, Fields, Span};
use event_model::patch::{EventPatch, Invalid};
use event_model::permissions::{AccessRole, Rule, organizes, refusal, refusal_to_delete, refusal_to_move};
use event_model::recurrence;
use event_model::resource::EventResource;
use google::scopes;
use serde_json::Value;
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::connections;
use uuid::Uuid;

use super::target::{self, Series, Target, Version};
use super::work::{Act, Edit, NewSeries, Shown, Split, Work};
use super::{Command, Mail, Reason, Refused, Request, Scope, write_marker};
use crate::pull::context;

/// A request that may be taken up.
pub struct Prepared {
    pub id: Uuid,
    pub calendar: Calendar,
    /// What Google is asked about.
    pub event_id: String,
    pub work: Work,
}

/// A part of a series, or an event without one.
enum Part {
    /// One event or instance by itself.
    This,
    /// All of a series, told by its master or by an instance.
    All,
    Following,
}

pub async fn prepare(conn: &mut PgConnection, user: &UserId, request: Request) -> Result<Prepared, Refused> {
    let calendar = writable(conn, user, request.calendar).await?;
    let preparing = Preparing {
        id: new_uuid(),
        context: context(&calendar),
        calendar,
        mail: request.mail,
    };
    match request.command {
        Command::Create { event } => preparing.create(&event),
        Command::Update {
            event_id,
            base_etag,
            patch,
            scope,
        } => preparing.update(conn, &event_id, &base_etag, &patch, scope).await,
        Command::Delete {
            event_id,
            base_etag,
            scope,
        } => {
            preparing
                .delete(conn, &event_id, base_etag.as_deref(), scope)
                .await
        }
        Command::Move {
            event_id,
            destination,
        } => {
            let destination = writable(conn, user, destination).await?;
            preparing.give(conn, &event_id, &destination).await
        }
        Command::Respond {
            event_id,
            response,
            comment,
            scope,
        } => {
            let act = Act::Respond { response, comment };
            preparing.respond(conn, &event_id, act, scope).await
        }
    }
}

/// The user's calendar, if its account can be asked to write.
async fn writable(conn: &mut PgConnection, user: &UserId, id: CalendarId) -> Result<Calendar, Refused> {
    let calendar = calendars::get(conn, user, id)
        .await?
        .ok_or(Refused::Reason(Reason::CalendarNotFound))?;
    let connection = connections::of_user(conn, user)
        .await?
        .into_iter()
        .find(|connection| connection.id == calendar.connection_id)
        .ok_or(Refused::Reason(Reason::NotConnected))?;
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
    Err(Refused::Reason(reason))
}

struct Preparing {
    id: Uuid,
    calendar: Calendar,
    context: CalendarContext,
    mail: Mail,
}

impl Preparing {
    fn role(&self) -> &AccessRole {
        &self.context.access_role
    }

    fn done(self, event_id: String, act: Act, shown: Shown) -> Prepared {
        Prepared {
            id: self.id,
            calendar: self.calendar,
            event_id,
            work: Work {
                mail: self.mail,
                act,
                shown,
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
        // The request's id is good for an id of Google's (base32hex), and makes the event known without a look inside.
        let event_id = self.id.simple().to_string();
        let mut body = fields.write_over(&Value::Null, &Fields::default(), &event_id);
        body.insert("id".into(), event_id.clone().into());
        body.extend(when.google_new());
        write_marker::add(&mut body, &Value::Null, self.id);
        let shown = Shown {
            series: event_id.clone(),
            instance: None,
            at: self.instant(when.start()),
        };
        let act = Act::Insert { body: body.into() };
        Ok(self.done(event_id, act, shown))
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
                self.may_edit(&target.version.event, patch)?;
                let base = target::fields_at(conn, &self.calendar, &target, base_etag).await?;
                let from = base.as_ref().unwrap_or(&target.version.fields);
                let ours = patch.apply(from, self.context.time_zone)?;
                let shown = self.shown(&target.version, Some(event_id), &ours);
                let edit = Edit {
                    touched: patch.touched(),
                    base,
                    ours,
                };
                Ok(self.done(event_id.to_owned(), Act::Patch(Box::new(edit)), shown))
            }
            Part::All => self.update_all(conn, &target, base_etag, patch).await,
            Part::Following => self.split(conn, &target, Some(base_etag), Some(patch)).await,
        }
    }

    async fn update_all(
        self,
        conn: &mut PgConnection,
        target: &Target,
        base_etag: &str,
        patch: &EventPatch,
    ) -> Result<Prepared, Refused> {
        let master = master_of(target)?;
        self.may_edit(&master.event, patch)?;
        let base = self.series_at(conn, target, master, base_etag).await?;
        let from = base.as_ref().unwrap_or(&master.fields);
        let (ours, touched) = self.edit_series(from, target.version.fields.when, patch)?;
        let id = master.event.id.clone();
        let shown = self.shown(master, None, &ours);
        Ok(self.done(id, Act::Patch(Box::new(Edit { base, ours, touched })), shown))
    }

    /// A series edited by way of an instance: what moves one moves all, each by as much.
    fn edit_series(
        &self,
        series: &Fields,
        seen: Option<Span>,
        patch: &EventPatch,
    ) -> Result<(Fields, BTreeSet<Field>), Refused> {
        let through = Fields {
            when: seen.or(series.when),
            ..series.clone()
        };
        let mut ours = patch.apply(&through, self.context.time_zone)?;
        let mut touched = patch.touched();
        let (Some(first), Some(seen), Some(new)) = (series.when, through.when, ours.when) else {
            return Ok((ours, touched));
        };
        if new == seen {
            ours.when = Some(first);
            return Ok((ours, touched));
        }
        let begin = first.moved_like(seen, new).ok_or(Invalid {
            field: "start",
            message: "expected a year up to 9999".into(),
        })?;
        ours.when = Some(begin);
        if patch.recurrence.is_none() {
            ours.recurrence = recurrence::moved(&series.recurrence, first, begin)
                .map_err(|_| Refused::Reason(Reason::RecurrenceRequired))?;
            touched.insert(Field::Recurrence);
        }
        Ok((ours, touched))
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
        let shown = self.shown(version, None, &version.fields);
        let act = Act::Delete {
            base: base.map(Box::new),
            is_conditional: base_etag.is_some(),
        };
        Ok(self.done(version.event.id.clone(), act, shown))
    }

    async fn give(
        self,
        conn: &mut PgConnection,
        event_id: &str,
        destination: &Calendar,
    ) -> Result<Prepared, Refused> {
        if destination.connection_id != self.calendar.connection_id {
            return Err(Refused::Reason(Reason::DifferentAccount));
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
        let shown = self.shown(&target.version, None, &target.version.fields);
        let act = Act::Move {
            destination: destination.id,
        };
        Ok(self.done(event_id.to_owned(), act, shown))
    }

    async fn respond(
        self,
        conn: &mut PgConnection,
        event_id: &str,
        act: Act,
        scope: Option<Scope>,
    ) -> Result<Prepared, Refused> {
        let target = self.find(conn, event_id).await?;
        let version = match part(&target, scope)? {
            Part::This => &target.version,
            Part::All => master_of(&target)?,
            // Google has an answer to an instance or to a series, and none to a part of one.
            Part::Following => return Err(Refused::Reason(Reason::ScopeNotApplicable)),
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
        let shown = self.shown(version, instance, &version.fields);
        Ok(self.done(version.event.id.clone(), act, shown))
    }

    /// Ends a series before an instance, and with a patch begins a new one there.
    async fn split(
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
            return Err(Refused::Reason(Reason::SeriesNotFound));
        };
        if let Some(patch) = patch {
            self.may_edit(&master.event, patch)?;
        }
        // A guest of the series has a copy of it, and no say in how long it goes on.
        let not_mine = (!organizes(&master.event)).then_some(Rule::NotOrganizer);
        let rule = refusal(&master.event, self.role(), "recurrence").or(not_mine);
        if let Some(rule) = rule {
            return Err(Refused::Rule {
                rule,
                field: "recurrence",
            });
        }
        let base = match base_etag {
            Some(etag) => self.series_at(conn, target, master, etag).await?,
            None => Some(master.fields.clone()),
        };
        let seen = base.as_ref().unwrap_or(&master.fields);
        let first = seen.when.ok_or(Refused::Reason(Reason::SeriesNotFound))?;
        let cut = recurrence::cut(&seen.recurrence, first, *original, |line| {
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
            .map(|patch| self.new_series(target, rest, base.is_some(), patch))
            .transpose()?;
        let series = new.as_ref().map_or(&master.event.id, |new| &new.id);
        let begin = new.as_ref().and_then(|new| new.ours.when);
        let shown = Shown {
            series: series.clone(),
            instance: None,
            at: self.instant(begin.map_or(*original, Span::start)),
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
        Ok(self.done(id, Act::Split(Box::new(split)), shown))
    }

    fn new_series(
        &self,
        target: &Target,
        rest: Fields,
        is_known: bool,
        patch: &EventPatch,
    ) -> Result<NewSeries, Refused> {
        let (ours, touched) = self.edit_series(&rest, target.version.fields.when, patch)?;
        Ok(NewSeries {
            // Another id than the request's, which names what it creates; as little to be guessed.
            id: new_uuid().simple().to_string(),
            rest,
            is_known,
            ours,
            touched,
        })
    }

    /// What a series looked like to who saw this version of it, or of one of its instances; none when that is not known any
    /// more.
    async fn series_at(
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
        // Who saw an exception saw no more of its series than that.
        let exception = target::own_fields_at(conn, &self.calendar, &target.version, etag).await?;
        Ok(exception.map(|_| master.fields.clone()))
    }

    async fn find(&self, conn: &mut PgConnection, event_id: &str) -> Result<Target, Refused> {
        let target = target::find(conn, &self.calendar, event_id)
            .await?
            .ok_or(Refused::Reason(Reason::EventNotFound))?;
        if target.version.event.is_cancelled() {
            return Err(Refused::Reason(Reason::EventDeleted));
        }
        Ok(target)
    }

    fn may_edit(&self, event: &EventResource, patch: &EventPatch) -> Result<(), Refused> {
        for field in patch.edits() {
            if let Some(rule) = refusal(event, self.role(), field) {
                return Err(Refused::Rule { rule, field });
            }
        }
        Ok(())
    }

    fn shown(&self, version: &Version, instance: Option<&str>, fields: &Fields) -> Shown {
        let start = fields.when.or(version.fields.when).map(Span::start);
        Shown {
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

fn part(target: &Target, scope: Option<Scope>) -> Result<Part, Refused> {
    let Some(series) = &target.series else {
        return match scope {
            // The series as a whole was named, or there is no other part.
            None | Some(Scope::All) if target.version.event.is_master() => Ok(Part::All),
            Some(Scope::This | Scope::Following) if target.version.event.is_master() => {
                Err(Refused::Reason(Reason::ScopeNotApplicable))
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

/// The series that a target is or is part of.
fn master_of(target: &Target) -> Result<&Version, Refused> {
    match &target.series {
        None => Ok(&target.version),
        Some(series) => series
            .master
            .as_ref()
            .ok_or(Refused::Reason(Reason::SeriesNotFound)),
    }
}

/// As `events.original_start` has it.
fn stored_start(start: Start) -> String {
    match start {
        Start::Day(day) => day.to_string(),
        Start::At(at) => at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}
