//! Calendar v3's HTTP surface under `/calendar/v3`: read the request, one call, answer.

use std::future::{Ready, ready};

use actix_web::http::header::{AUTHORIZATION, ETAG, IF_MATCH, IF_NONE_MATCH};
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use serde_json::Value;

use crate::calls::{Context, bearer};
use crate::error::{ApiError, Result};
use crate::event_view::Viewer;
use crate::event_write::{self, Writer};
use crate::guests::SendUpdates;
use crate::log::Change;
use crate::params::Params;
use crate::push::{self, Watched};
use crate::state::State;
use crate::store::{Resource, text};
use crate::{Shared, calendar_list, colors, event_list, event_view, fields, free_busy, scopes};

pub fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/calendar/v3")
            .route("/colors", web::get().to(get_colors))
            .route("/freeBusy", web::post().to(query_free_busy))
            .route("/channels/stop", web::post().to(stop_channel))
            .route("/users/me/calendarList", web::get().to(list_calendars))
            .route("/users/me/calendarList/watch", web::post().to(watch_calendars))
            .route("/users/me/calendarList/{calendar}", web::get().to(get_entry))
            .route("/users/me/calendarList/{calendar}", web::patch().to(patch_entry))
            .route("/users/me/calendarList/{calendar}", web::put().to(patch_entry))
            .route("/calendars", web::post().to(insert_calendar))
            .route("/calendars/{calendar}", web::get().to(get_calendar))
            .route("/calendars/{calendar}", web::delete().to(delete_calendar))
            .route("/calendars/{calendar}/events", web::get().to(list_events))
            .route("/calendars/{calendar}/events", web::post().to(insert_event))
            .route("/calendars/{calendar}/events/watch", web::post().to(watch_events))
            .route("/calendars/{calendar}/events/{event}", web::get().to(get_event))
            .route(
                "/calendars/{calendar}/events/{event}",
                web::patch().to(patch_event),
            )
            .route(
                "/calendars/{calendar}/events/{event}",
                web::put().to(update_event),
            )
            .route(
                "/calendars/{calendar}/events/{event}",
                web::delete().to(delete_event),
            )
            .route(
                "/calendars/{calendar}/events/{event}/instances",
                web::get().to(list_instances),
            )
            .route(
                "/calendars/{calendar}/events/{event}/move",
                web::post().to(move_event),
            )
            .default_service(web::to(|| async {
                Err::<HttpResponse, _>(ApiError::not_found_page())
            })),
    );
}

/// A call with a live token whose scopes allow it.
struct Caller {
    email: String,
    params: Params,
    context: Context,
    if_match: Option<String>,
    if_none_match: Option<String>,
    shared: Data<Shared>,
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl Caller {
    fn of(request: &HttpRequest) -> Result<Self> {
        let shared = request
            .app_data::<Data<Shared>>()
            .ok_or(ApiError::documented(500, None))?
            .clone();
        let context = request.extensions().get::<Context>().cloned().unwrap_or_default();
        let params = Params::parse(request.query_string());
        let token = bearer(request.headers().get(AUTHORIZATION)).or_else(|| params.get("access_token"));
        let token = token.ok_or_else(ApiError::login_required)?;
        let state = shared.state();
        let access = state
            .grants
            .access(token, state.now())
            .ok_or_else(ApiError::unauthorized)?;
        if !scopes::allow(&access.scopes, context.endpoint) {
            return Err(ApiError::insufficient_permissions());
        }
        let email = access.user.clone();
        drop(state);
        let header = |name| request.headers().get(name)?.to_str().ok().map(ToOwned::to_owned);
        let (if_match, if_none_match) = (header(IF_MATCH), header(IF_NONE_MATCH));
        Ok(Self {
            email,
            params,
            context,
            if_match,
            if_none_match,
            shared,
        })
    }

    fn writer<'a>(&'a self, calendar: &'a str) -> Result<Writer<'a>> {
        Ok(Writer {
            if_match: self.if_match.as_deref(),
            conference: self.params.number("conferenceDataVersion")? == Some(1),
            send_updates: SendUpdates::of(&self.params)?,
            ..Writer::new(&self.email, calendar)
        })
    }

    /// The resource as the answer, with its etag as a header.
    fn answer(&self, resource: Resource) -> Result<HttpResponse> {
        let etag = text(&resource, "etag").map(ToOwned::to_owned);
        let body = fields::select(Value::Object(resource), &self.params)?;
        let mut answer = HttpResponse::Ok();
        if let Some(etag) = etag {
            if self.if_none_match.as_deref() == Some(&etag) {
                return Ok(HttpResponse::NotModified().finish());
            }
            answer.insert_header((ETAG, etag));
        }
        Ok(answer.json(body))
    }

    /// Applies a change, records its effect, and returns the event as the caller sees it in the calendar `shown_in`.
    fn change(
        &self,
        (calendar, event): (&str, Option<&str>),
        shown_in: &str,
        change: impl FnOnce(&mut State, &Writer<'_>) -> Result<Resource>,
    ) -> Result<Resource> {
        let writer = self.writer(calendar)?;
        let mut state = self.shared.state();
        let place = state.calendars.get(writer.calendar);
        let before = event.and_then(|id| event_view::find(place?, id));
        let after = change(&mut state, &writer)?;
        state.log.changed(Change {
            user: self.email.clone(),
            calendar: writer.calendar.to_owned(),
            before,
            after: after.clone(),
        });
        self.shown(&state, shown_in, &after)
    }

    /// An event as this caller sees it.
    fn shown(&self, state: &State, calendar: &str, event: &Resource) -> Result<Resource> {
        let calendar = State::calendar_id(&self.email, calendar);
        let (_, role) = state.visible(&self.email, calendar)?;
        Ok(Viewer {
            email: &self.email,
            calendar,
            role,
            zone: event_list::zone_of(&self.params)?,
            max_attendees: self.params.number("maxAttendees")?,
        }
        .render(event))
    }
}

/// A JSON object; an empty body is an empty object.
fn object(body: &Bytes) -> Result<Resource> {
    if body.is_empty() {
        return Ok(Resource::new());
    }
    serde_json::from_slice(body).map_err(|_| ApiError::bad_request("parseError", "Parse Error"))
}

async fn list_calendars(caller: Caller) -> Result<HttpResponse> {
    let state = caller.shared.state();
    let page = calendar_list::list(
        &state,
        &caller.email,
        &caller.params,
        &caller.context.list_faults(),
    )?;
    caller.answer(page)
}

async fn get_entry(caller: Caller, calendar: Path<String>) -> Result<HttpResponse> {
    let entry = calendar_list::get(&caller.shared.state(), &caller.email, &calendar)?;
    caller.answer(entry)
}

async fn patch_entry(caller: Caller, calendar: Path<String>, body: Bytes) -> Result<HttpResponse> {
    let entry = calendar_list::patch(
        &mut caller.shared.state(),
        &caller.email,
        &calendar,
        &object(&body)?,
    )?;
    caller.answer(entry)
}

async fn get_calendar(caller: Caller, calendar: Path<String>) -> Result<HttpResponse> {
    let calendar = calendar_list::calendar(&caller.shared.state(), &caller.email, &calendar)?;
    Ok(HttpResponse::Ok().json(calendar))
}

async fn insert_calendar(caller: Caller, body: Bytes) -> Result<HttpResponse> {
    let calendar =
        calendar_list::insert_calendar(&mut caller.shared.state(), &caller.email, &object(&body)?)?;
    Ok(HttpResponse::Ok().json(calendar))
}

async fn delete_calendar(caller: Caller, calendar: Path<String>) -> Result<HttpResponse> {
    calendar_list::delete_calendar(&mut caller.shared.state(), &caller.email, &calendar)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn get_colors(_caller: Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(colors::palettes()))
}

async fn query_free_busy(caller: Caller, body: Bytes) -> Result<HttpResponse> {
    let answer = free_busy::query(&caller.shared.state(), &caller.email, &object(&body)?)?;
    Ok(HttpResponse::Ok().json(answer))
}

async fn list_events(caller: Caller, calendar: Path<String>) -> Result<HttpResponse> {
    let state = caller.shared.state();
    let page = event_list::list(
        &state,
        &caller.email,
        &calendar,
        &caller.params,
        &caller.context.list_faults(),
    )?;
    drop(state);
    caller.answer(page)
}

async fn list_instances(caller: Caller, path: Path<(String, String)>) -> Result<HttpResponse> {
    let (calendar, event) = path.into_inner();
    let faults = caller.context.list_faults();
    let state = caller.shared.state();
    let page = event_list::of_series(
        &state,
        &caller.email,
        (&calendar, &event),
        &caller.params,
        &faults,
    )?;
    drop(state);
    caller.answer(page)
}

async fn get_event(caller: Caller, path: Path<(String, String)>) -> Result<HttpResponse> {
    let (calendar, id) = path.into_inner();
    let state = caller.shared.state();
    let (place, _) = state.visible(&caller.email, State::calendar_id(&caller.email, &calendar))?;
    let event = event_view::find(place, &id).ok_or_else(ApiError::not_found)?;
    let event = caller.shown(&state, &calendar, &event)?;
    drop(state);
    caller.answer(event)
}

async fn insert_event(caller: Caller, calendar: Path<String>, body: Bytes) -> Result<HttpResponse> {
    let body = object(&body)?;
    let event = caller.change((&calendar, None), &calendar, |state, writer| {
        event_write::insert(state, writer, &body)
    })?;
    caller.answer(event)
}

async fn patch_event(caller: Caller, path: Path<(String, String)>, body: Bytes) -> Result<HttpResponse> {
    let (calendar, id) = path.into_inner();
    let body = object(&body)?;
    let event = caller.change((&calendar, Some(&id)), &calendar, |state, writer| {
        event_write::patch(state, writer, &id, &body)
    })?;
    caller.answer(event)
}

async fn update_event(caller: Caller, path: Path<(String, String)>, body: Bytes) -> Result<HttpResponse> {
    let (calendar, id) = path.into_inner();
    let body = object(&body)?;
    let event = caller.change((&calendar, Some(&id)), &calendar, |state, writer| {
        event_write::update(state, writer, &id, &body)
    })?;
    caller.answer(event)
}

async fn delete_event(caller: Caller, path: Path<(String, String)>) -> Result<HttpResponse> {
    let (calendar, id) = path.into_inner();
    caller.change((&calendar, Some(&id)), &calendar, |state, writer| {
        event_write::delete(state, writer, &id)
    })?;
    Ok(HttpResponse::NoContent().finish())
}

async fn move_event(caller: Caller, path: Path<(String, String)>) -> Result<HttpResponse> {
    let (calendar, id) = path.into_inner();
    let destination = caller
        .params
        .get("destination")
        .ok_or_else(|| ApiError::required("Required: destination"))?;
    let event = caller.change((&calendar, Some(&id)), destination, |state, writer| {
        event_write::move_to(state, writer, &id, destination)
    })?;
    caller.answer(event)
}

async fn watch_events(caller: Caller, calendar: Path<String>, body: Bytes) -> Result<HttpResponse> {
    let watched = Watched::Events {
        calendar: State::calendar_id(&caller.email, &calendar).to_owned(),
        types: caller.params.all("eventTypes").map(ToOwned::to_owned).collect(),
        asked: calendar.into_inner(),
    };
    watch(caller, watched, &body).await
}

async fn watch_calendars(caller: Caller, body: Bytes) -> Result<HttpResponse> {
    watch(caller, Watched::CalendarList, &body).await
}

async fn watch(caller: Caller, watched: Watched, body: &Bytes) -> Result<HttpResponse> {
    let body = object(body)?;
    let shared = caller.shared.clone().into_inner();
    let opened = {
        let mut state = shared.state();
        push::watch(
            &shared,
            &mut state,
            &caller.email,
            watched,
            &body,
            &caller.context.strikes,
        )?
    };
    if let Some(after) = opened.after {
        // An error means that the push was dropped by a fault: then there is nothing to wait for.
        let _ = after.await;
    }
    Ok(HttpResponse::Ok().json(opened.answer))
}

async fn stop_channel(caller: Caller, body: Bytes) -> Result<HttpResponse> {
    push::stop(&mut caller.shared.state(), &caller.email, &object(&body)?)?;
    Ok(HttpResponse::NoContent().finish())
}
