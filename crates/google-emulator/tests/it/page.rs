//! The page in a real browser: its edits reach the calendar, and changes made elsewhere reach the page.
//!
//! Needs Chromium (`CHROMIUM_BIN`, or in `PATH`); without one the tests print that and pass.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod browser;

use browser::Browser;
use google_emulator::{Config, Emulator, Fault, Resource, Seed};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";
/// A Wednesday, in the middle of a week whichever day weeks start with. The link names it, for the browser's clock runs.
const WEEK: &str = "2026-11-25";

/// An emulator and its page for Alice, in the week of [`WEEK`]; `None` without a browser.
async fn open(events: Value) -> Option<(Emulator, Browser)> {
    let Some(mut browser) = Browser::start().await else {
        eprintln!("No Chromium in PATH and no CHROMIUM_BIN: the page is not tested");
        return None;
    };
    let seed = json!({ "users": [{ "email": ALICE, "name": "Alice", "calendars": [
        { "id": ALICE, "summary": "Alice", "timeZone": "Europe/Zurich", "primary": true, "events": events },
        { "id": "read@group.calendar.google.com", "summary": "Read", "accessRole": "reader", "timeZone": "Europe/Zurich",
          "events": [timed("Not mine", 9, 10)] },
        { "id": "team@group.calendar.google.com", "summary": "Team", "timeZone": "Europe/Zurich" },
    ] }] });
    let seed = Seed::from_json("page", &seed.to_string()).unwrap();
    let google = Emulator::start(Config {
        seed,
        ..Config::default()
    })
    .await
    .unwrap();
    browser.go(&format!("{}/?day={WEEK}", google.base_url())).await;
    browser.until("document.querySelector('[data-event]')").await;
    Some((google, browser))
}

fn timed(summary: &str, from: u32, to: u32) -> Value {
    let at =
        |hour| json!({ "dateTime": format!("{WEEK}T{hour:02}:00:00+01:00"), "timeZone": "Europe/Zurich" });
    json!({ "id": summary.to_lowercase().replace(|c: char| !matches!(c, '0'..='9' | 'a'..='v'), "0"), "summary": summary,
            "start": at(from), "end": at(to) })
}

fn titled(google: &Emulator, summary: &str) -> Vec<Resource> {
    let all = google.events(ALICE);
    all.into_iter()
        .filter(|event| event.get("summary").and_then(Value::as_str) == Some(summary))
        .collect()
}

fn one(google: &Emulator, summary: &str) -> Value {
    let mut found = titled(google, summary);
    assert_eq!(found.len(), 1, "events called {summary:?}: {found:?}");
    Value::Object(found.remove(0))
}

#[actix_web::test]
async fn a_person_adds_edits_and_deletes_an_event() {
    let Some((google, mut page)) = open(json!([timed("Lunch", 12, 13)])).await else {
        return;
    };
    page.js("document.getElementById('create').click()").await;
    let title = "<img src=x onerror=\"document.title='owned'\">";
    page.fill(&[
        ("title", title),
        ("startDay", WEEK),
        ("startTime", "15:00"),
        ("endTime", "16:30"),
    ])
    .await;
    page.save().await;
    let event = one(&google, title);
    assert_eq!(event["start"]["dateTime"], "2026-11-25T15:00:00+01:00");
    assert_eq!(event["end"]["dateTime"], "2026-11-25T16:30:00+01:00");
    assert_eq!(
        page.js("document.querySelectorAll('img').length + document.title")
            .await,
        "0Calendar · emulator"
    );

    page.open_event(title).await;
    page.fill(&[("title", "Tea"), ("location", "Kitchen")]).await;
    page.save().await;
    assert_eq!(one(&google, "Tea")["location"], "Kitchen");

    page.open_event("Tea").await;
    page.js("document.querySelector('#editor input[type=checkbox]').click()")
        .await;
    page.save().await;
    assert_eq!(one(&google, "Tea")["end"], json!({ "date": "2026-11-26" }));

    page.open_event("Tea").await;
    page.js("document.querySelector('[data-delete]').click()").await;
    page.js("document.querySelector('#ask .danger').click()").await;
    page.until(
        "![...document.querySelectorAll('[data-event]')].some((each) => each.textContent.includes('Tea'))",
    )
    .await;
    assert_eq!(titled(&google, "Tea"), []);
}

#[actix_web::test]
async fn an_event_is_dragged_and_stretched() {
    let Some((google, mut page)) = open(json!([timed("Lunch", 12, 13)])).await else {
        return;
    };
    let hour = page
        .js("document.querySelector('.day').getBoundingClientRect().height / 24")
        .await
        .as_f64()
        .unwrap();
    let day = page
        .js("document.querySelector('.day').getBoundingClientRect().width")
        .await
        .as_f64()
        .unwrap();
    page.drag("Lunch", 0.5, 4.0, (day, hour * 2.0)).await;
    page.until("document.querySelector('.toast')").await;
    assert_eq!(
        one(&google, "Lunch")["start"]["dateTime"],
        "2026-11-26T14:00:00+01:00"
    );
    assert_eq!(
        page.js("document.querySelector('dialog[open]')").await,
        Value::Null,
        "a drag opened the editor"
    );

    page.settle().await;
    page.js("document.querySelector('.toast').remove()").await;
    page.drag("Lunch", 0.5, -3.0, (0.0, hour)).await;
    page.until("document.querySelector('.toast')").await;
    assert_eq!(
        one(&google, "Lunch")["start"]["dateTime"],
        "2026-11-26T14:00:00+01:00"
    );
    assert_eq!(
        one(&google, "Lunch")["end"]["dateTime"],
        "2026-11-26T16:00:00+01:00"
    );
}

#[actix_web::test]
async fn an_event_goes_to_another_calendar() {
    let Some((google, mut page)) = open(json!([timed("Lunch", 12, 13)])).await else {
        return;
    };
    page.open_event("Lunch").await;
    let offered = page
        .js("[...document.querySelectorAll('#field-calendar option')].map((each) => each.textContent)")
        .await;
    assert_eq!(
        offered,
        json!(["Alice", "Team"]),
        "calendars that cannot be written to are not offered"
    );
    page.fill(&[("calendar", "team@group.calendar.google.com")]).await;
    page.save().await;
    assert_eq!(titled(&google, "Lunch"), []);
    let moved = google.events("team@group.calendar.google.com");
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0]["summary"], "Lunch");
}

#[actix_web::test]
async fn a_series_is_changed_as_a_whole_or_once() {
    let mut daily = timed("Walk", 8, 9);
    daily["recurrence"] = json!(["RRULE:FREQ=WEEKLY;BYDAY=WE"]);
    let Some((google, mut page)) = open(json!([daily])).await else {
        return;
    };
    page.open_event("Walk").await;
    page.js("document.querySelector('#editor input[value=all]').click()")
        .await;
    page.fill(&[
        ("startDay", "2026-11-26"),
        ("startTime", "10:00"),
        ("title", "Long walk"),
    ])
    .await;
    page.save().await;
    let master = one(&google, "Long walk");
    assert_eq!(master["start"]["dateTime"], "2026-11-26T10:00:00+01:00");
    assert_eq!(master["recurrence"], json!(["RRULE:FREQ=WEEKLY;BYDAY=TH"]));

    page.open_event("Long walk").await;
    page.fill(&[("title", "Short walk")]).await;
    page.save().await;
    let exception = one(&google, "Short walk");
    assert_eq!(exception["recurringEventId"], master["id"]);
    assert_eq!(
        exception["originalStartTime"]["dateTime"],
        "2026-11-26T10:00:00+01:00"
    );
}

#[actix_web::test]
async fn changes_made_elsewhere_are_shown_and_kept() {
    let Some((google, mut page)) = open(json!([timed("Lunch", 12, 13)])).await else {
        return;
    };
    google
        .insert(ALICE, "primary", timed("Elsewhere", 17, 18))
        .unwrap();
    page.until("[...document.querySelectorAll('[data-event]')].some((each) => each.textContent.includes('Elsewhere'))").await;

    page.open_event("Lunch").await;
    let id = one(&google, "Lunch")["id"].as_str().unwrap().to_owned();
    google
        .patch(ALICE, "primary", &id, json!({ "summary": "Brunch" }))
        .unwrap();
    page.fill(&[("title", "Dinner")]).await;
    page.save().await;
    page.until("document.querySelector('.toast.error')?.textContent.includes('meanwhile')")
        .await;
    assert_eq!(titled(&google, "Dinner"), []);
    one(&google, "Brunch");
}

#[actix_web::test]
async fn read_only_events_are_only_shown() {
    let Some((_google, mut page)) = open(json!([timed("Lunch", 12, 13)])).await else {
        return;
    };
    page.open_event("Not mine").await;
    assert_eq!(
        page.js("document.querySelectorAll('#editor input, [data-delete]').length")
            .await,
        0
    );
}

#[actix_web::test]
async fn faults_are_switched_and_the_page_itself_meets_none() {
    let Some((google, mut page)) = open(json!([timed("Lunch", 12, 13)])).await else {
        return;
    };
    page.js("document.getElementById('pushes').click()").await;
    page.until("document.querySelectorAll('.switch').length === 3")
        .await;
    for (index, fault) in ["drop", "delay", "error"].iter().enumerate() {
        page.js(&format!("document.querySelectorAll('.switch')[{index}].click()"))
            .await;
        page.until(&format!("fetch('/_emulator/faults').then((answer) => answer.text()).then((text) => text.includes('\"{fault}\"'))")).await;
    }
    google.with(|state| assert!(state.faults.rules().iter().any(|rule| rule.fault == Fault::Drop)));
    page.js("document.getElementById('on').click()").await;
    page.js("document.getElementById('today').click()").await;
    assert_eq!(
        page.js("document.querySelector('.toast.error')").await,
        Value::Null
    );
    assert_eq!(google.requests().len(), 0, "the page's own calls are in the log");

    page.js("document.querySelector('.faults .danger').click()").await;
    page.js("document.querySelector('#ask .danger').click()").await;
    page.until(
        "[...document.querySelectorAll('.toast')].some((each) => each.textContent.includes('revoked'))",
    )
    .await;
}
