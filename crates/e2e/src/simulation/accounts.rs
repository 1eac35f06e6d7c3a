//! The two users, their Google accounts and their calendars.

use std::time::Duration;

use anyhow::Result;
use common::ids::UserId;
use google_emulator::Seed;
use google_emulator::seed::SeedCalendar;
use serde_json::json;

use super::plan::User;

pub const TEAM: &str = "team@group.calendar.google.com";
pub const PROJECT: &str = "project@group.calendar.google.com";
const HOLIDAYS: &str = "en.uk#holiday@group.v.calendar.google.com";

/// How long a disconnect waits for the account's channels to be stopped; the renewer stops the rest.
pub const AT_ONCE: Duration = Duration::from_millis(200);

pub fn user_id(user: User) -> UserId {
    #[expect(clippy::expect_used, reason = "plain words")]
    UserId::parse(name(user)).expect("a user id")
}

pub const fn name(user: User) -> &'static str {
    match user {
        User::Alice => "alice",
        User::Bob => "bob",
    }
}

pub const fn email(user: User) -> &'static str {
    match user {
        User::Alice => "alice@example.com",
        User::Bob => "bob@example.com",
    }
}

pub fn seed() -> Result<Seed> {
    let own =
        |user| json!({"id": email(user), "summary": "Mine", "timeZone": "Europe/Berlin", "primary": true});
    let team = json!({"id": TEAM, "summary": "Team", "timeZone": "Europe/Berlin"});
    let holidays =
        json!({"id": HOLIDAYS, "summary": "Holidays", "accessRole": "reader", "pushSupported": false});
    let seed = json!({"users": [
        {"email": email(User::Alice), "calendars": [own(User::Alice), team]},
        {"email": email(User::Bob), "calendars": [own(User::Bob), team, holidays]},
    ]});
    Ok(Seed::from_json("simulation", &seed.to_string())?)
}

/// A calendar that users join and leave.
pub fn project() -> Result<SeedCalendar> {
    Ok(serde_json::from_value(
        json!({"id": PROJECT, "summary": "Project", "timeZone": "America/New_York"}),
    )?)
}

/// Google's ids of the user's own calendar and of the shared ones.
pub fn calendars(user: User) -> [&'static str; 3] {
    [email(user), TEAM, PROJECT]
}
