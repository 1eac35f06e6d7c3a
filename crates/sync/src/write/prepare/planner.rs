//! The calendar and the request that a plan is made for, and the checks that several commands share.

use chrono::{DateTime, Utc};
use event_model::calendar::{AccessRole, CalendarContext};
use event_model::fields::Fields;
use event_model::patch::EventPatch;
use event_model::permissions::{edit_restriction, span_restriction};
use event_model::resource::EventResource;
use event_model::span::{Span, Start};
use event_model::zone;
use sqlx::PgConnection;
use store::calendars::Calendar;
use uuid::Uuid;

use super::super::plan::{AnswerInstance, Operation, Plan};
use super::super::request::{Mail, Refused};
use super::super::result::Reason;
use super::super::target::{self, Target, Version};

/// A request that may be accepted.
pub struct Prepared {
    pub id: Uuid,
    pub calendar: Calendar,
    /// The event that Google is called about.
    pub event_id: String,
    pub plan: Plan,
}

pub struct Planner {
    pub id: Uuid,
    pub calendar: Calendar,
    pub context: CalendarContext,
    /// None: not in the request.
    pub mail: Option<Mail>,
}

impl Planner {
    pub fn role(&self) -> &AccessRole {
        &self.context.access_role
    }

    /// `has_guests`: the event is shared with guests. They are mailed unless the request excludes it, since Google warns
    /// that without mail an event may be lost for some of them
    /// (<https://developers.google.com/workspace/calendar/api/v3/reference/events/insert#sendUpdates>).
    pub fn finish(
        self,
        event_id: String,
        operation: Operation,
        answer: AnswerInstance,
        has_guests: bool,
    ) -> Prepared {
        let default = if has_guests { Mail::All } else { Mail::None };
        Prepared {
            id: self.id,
            calendar: self.calendar,
            event_id,
            plan: Plan {
                mail: self.mail.unwrap_or(default),
                operation,
                answer,
            },
        }
    }

    pub async fn find(&self, conn: &mut PgConnection, event_id: &str) -> Result<Target, Refused> {
        let target = target::find(conn, &self.calendar, event_id)
            .await?
            .ok_or(Reason::EventNotFound)?;
        if target.version.event.is_cancelled() {
            return Err(Reason::EventDeleted.into());
        }
        Ok(target)
    }

    pub fn check_edit(&self, event: &EventResource, patch: &EventPatch) -> Result<(), Refused> {
        for field in patch.edits() {
            if let Some(rule) = edit_restriction(event, self.role(), field) {
                return Err(Refused::Rule { rule, field });
            }
        }
        let is_all_day = event.start.map(|start| start.date().is_some());
        let changes_kind = patch.all_day_given().is_some() && patch.all_day_given() != is_all_day;
        match edit_restriction(event, self.role(), "allDay") {
            Some(rule) if changes_kind => Err(Refused::Rule {
                rule,
                field: "allDay",
            }),
            _ => Ok(()),
        }
    }

    /// The event with the edit, if events of its type may take place then.
    pub fn apply(&self, event: &EventResource, patch: &EventPatch, base: &Fields) -> Result<Fields, Refused> {
        let ours = patch.apply(base, self.context.time_zone)?;
        match ours.when.and_then(|when| span_restriction(event, when)) {
            Some(rule) if ours.when != base.when => Err(Refused::Rule { rule, field: "end" }),
            _ => Ok(ours),
        }
    }

    pub fn answer(&self, version: &Version, instance: Option<&str>, fields: &Fields) -> AnswerInstance {
        let start = fields.when.or(version.fields.when).map(Span::start);
        AnswerInstance {
            series: version.event.series_id().to_owned(),
            instance: instance.map(str::to_owned),
            at: start.map_or(DateTime::UNIX_EPOCH, |start| self.instant(start)),
        }
    }

    pub fn instant(&self, start: Start) -> DateTime<Utc> {
        match start {
            Start::At(at) => at,
            Start::Day(day) => zone::day_start(self.context.time_zone, day).unwrap_or(DateTime::UNIX_EPOCH),
        }
    }
}
