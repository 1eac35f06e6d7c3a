//! Which event an id names, and what it is: its row, or an instance that a series makes.

use event_model::expansion::{self, CalendarContext, Start};
use event_model::fields::Fields;
use event_model::resource::{EventResource, instance_of, parse};
use google::RawEvent;
use serde_json::Value;
use sqlx::PgConnection;
use store::calendars::Calendar;
use store::{event_versions, events};

use crate::pull::{Incoming, context};

/// An event as it was at some moment.
#[derive(Debug, Clone)]
pub struct Version {
    pub etag: String,
    /// As Google had it; of an instance that nobody has touched, its series.
    pub raw: Value,
    pub event: EventResource,
    pub fields: Fields,
    /// Google has just told it.
    pub news: Option<Incoming>,
}

impl Version {
    /// None: not to be read.
    pub fn stored(raw: &str, calendar: &CalendarContext) -> Option<Self> {
        let event = parse(raw).ok()?;
        Some(Self {
            etag: event.etag.clone(),
            raw: serde_json::from_str(raw).ok()?,
            fields: Fields::of(&event, calendar),
            event,
            news: None,
        })
    }

    pub fn told(event: RawEvent, calendar: &CalendarContext) -> Option<Self> {
        let version = Self::stored(event.raw.get(), calendar)?;
        Some(Self {
            news: Incoming::read(event),
            ..version
        })
    }

    /// The instance of this series that begins there, as long as nobody has touched it.
    fn instance(&self, id: &str, start: Start) -> Option<Self> {
        let fields = Fields {
            when: self.fields.when?.at(start),
            recurrence: Vec::new(),
            ..self.fields.clone()
        };
        let event = EventResource {
            id: id.to_owned(),
            recurring_event_id: Some(self.event.id.clone()),
            recurrence: Vec::new(),
            ..self.event.clone()
        };
        Some(Self {
            event,
            fields,
            ..self.clone()
        })
    }
}

/// What an id names in a calendar, as readers see it.
pub struct Target {
    pub version: Version,
    /// The series that it is an instance of.
    pub series: Option<Series>,
}

pub struct Series {
    /// Who was invited to an instance alone has no more than that.
    pub master: Option<Version>,
    /// Where the instance begins by its series, wherever it has been moved.
    pub original: Start,
}

pub async fn find(conn: &mut PgConnection, calendar: &Calendar, id: &str) -> sqlx::Result<Option<Target>> {
    let calendar_context = context(calendar);
    if let Some(version) = stored(conn, calendar, id).await? {
        let event = &version.event;
        let (Some(master), Some(original)) = (&event.recurring_event_id, event.original_start) else {
            return Ok(Some(Target {
                version,
                series: None,
            }));
        };
        let series = Series {
            master: stored(conn, calendar, master).await?,
            original: original.into(),
        };
        return Ok(Some(Target {
            version,
            series: Some(series),
        }));
    }
    let Some((master, original)) = instance_of(id) else {
        return Ok(None);
    };
    let original = Start::from(original);
    let Some(master) = stored(conn, calendar, master).await? else {
        return Ok(None);
    };
    let is_there =
        !master.event.is_cancelled() && expansion::begins(&calendar_context, &master.event, original);
    Ok(master
        .instance(id, original)
        .filter(|_| is_there)
        .map(|version| Target {
            version,
            series: Some(Series {
                master: Some(master),
                original,
            }),
        }))
}

async fn stored(conn: &mut PgConnection, calendar: &Calendar, id: &str) -> sqlx::Result<Option<Version>> {
    let found = events::get(conn, calendar.id, id).await?;
    Ok(found.and_then(|found| Version::stored(&found.raw, &context(calendar))))
}

/// What the version of a target looked like that had this etag; none when that is not known any more.
pub async fn fields_at(
    conn: &mut PgConnection,
    calendar: &Calendar,
    target: &Target,
    etag: &str,
) -> sqlx::Result<Option<Fields>> {
    if let Some(version) = at(conn, calendar, &target.version, etag).await? {
        return Ok(Some(version.fields));
    }
    // An instance that somebody has touched since was seen as its series makes it.
    let Some(series) = &target.series else {
        return Ok(None);
    };
    let Some(master) = &series.master else {
        return Ok(None);
    };
    let master = at(conn, calendar, master, etag).await?;
    Ok(master
        .and_then(|master| master.instance(&target.version.event.id, series.original))
        .map(|instance| instance.fields))
}

async fn at(
    conn: &mut PgConnection,
    calendar: &Calendar,
    version: &Version,
    etag: &str,
) -> sqlx::Result<Option<Version>> {
    if version.etag == etag {
        return Ok(Some(version.clone()));
    }
    let raw = event_versions::get(conn, calendar.id, &version.event.id, etag).await?;
    Ok(raw.and_then(|raw| Version::stored(&raw, &context(calendar))))
}

/// As [`fields_at`], of an event by itself.
pub async fn own_fields_at(
    conn: &mut PgConnection,
    calendar: &Calendar,
    version: &Version,
    etag: &str,
) -> sqlx::Result<Option<Fields>> {
    Ok(at(conn, calendar, version, etag)
        .await?
        .map(|version| version.fields))
}
