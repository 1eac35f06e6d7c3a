//! The demo accounts: written by hand, placed around a given day, so that the demo looks alive whenever it is started.

mod body;

use body::{At, Event, all_day, birthday, bodies, instant, timed};
use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta, Weekday};
use serde_json::{Map, Value, json};
use zones::Zone;

use super::{AccessRole, Seed, SeedCalendar, SeedUser};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.com";
const TEAM: &str = "team-calwire@group.calendar.google.com";
const FAMILY: &str = "family-meier@group.calendar.google.com";
const HOLIDAYS: &str = "en.ch#holiday@group.v.calendar.google.com";

pub(super) fn seed(today: NaiveDate) -> Seed {
    let days = Demo {
        today,
        monday: today.week(Weekday::Mon).first_day(),
    };
    let user = |email: &str, name: &str, calendars| SeedUser {
        email: email.into(),
        name: name.into(),
        calendars,
    };
    Seed {
        users: vec![
            user(ALICE, "Alice Meier", days.alices_calendars()),
            user(BOB, "Bob Fontaine", days.bobs_calendars()),
            user(CAROL, "Carol Thapa", days.carols_calendars()),
        ],
    }
}

/// The day everything is relative to, and the Monday of its week.
struct Demo {
    today: NaiveDate,
    monday: NaiveDate,
}

/// Calendars and their users. A shared calendar lists its events under one user only.
impl Demo {
    fn alices_calendars(&self) -> Vec<SeedCalendar> {
        vec![
            primary(ALICE, "Alice Meier", zurich(), self.alices_events()),
            SeedCalendar {
                events: self.team_events(),
                ..team(AccessRole::Owner)
            },
            SeedCalendar {
                events: self.family_events(),
                ..family(AccessRole::Owner)
            },
            SeedCalendar {
                events: self.holidays(),
                ..holidays()
            },
        ]
    }

    fn bobs_calendars(&self) -> Vec<SeedCalendar> {
        let mut climbing = other(
            "climbing-bob@group.calendar.google.com",
            "Climbing",
            new_york(),
            "#f691b2",
        );
        climbing.events = self.climbing_events();
        vec![
            primary(BOB, "Bob Fontaine", new_york(), self.bobs_events()),
            team(AccessRole::Writer),
            family(AccessRole::Reader),
            climbing,
        ]
    }

    fn carols_calendars(&self) -> Vec<SeedCalendar> {
        let mut office = other(
            "office-kathmandu@group.calendar.google.com",
            "Kathmandu office",
            kathmandu(),
            "#fad165",
        );
        office.events = self.office_events();
        vec![
            primary(CAROL, "Carol Thapa", kathmandu(), self.carols_events()),
            team(AccessRole::Reader),
            office,
            holidays(),
        ]
    }
}

/// Alice's own month.
impl Demo {
    fn alices_events(&self) -> Vec<Map<String, Value>> {
        let zurich = zurich();
        let mut events = vec![
            timed("Design review: calendar sync", zurich.at(self.today, 10, 0), 90)
                .with("location", "Room Säntis, 3rd floor")
                .with(
                    "description",
                    "Bring the sketches of the conflict dialog.\nOpen questions are in the document.",
                )
                .attendees(
                    ALICE,
                    &[(ALICE, "accepted"), (BOB, "tentative"), (CAROL, "needsAction")],
                )
                .meet("des-revw-cal"),
            timed("Interview: backend engineer", zurich.at(self.today, 11, 0), 60).meet("int-bend-eng"),
            timed("Coffee with Bob", zurich.at(self.today, 16, 0), 30).with("location", "Café Auer, Zürich"),
            timed("Evening run along the lake", zurich.at(self.today, 18, 30), 60).with("colorId", "10"),
            timed("Dentist", zurich.at(self.day(1), 8, 30), 45)
                .with("location", "Dr. Amsler, Bahnhofstrasse 12, Zürich")
                .with("visibility", "private"),
            timed("Lunch with the new colleagues", zurich.at(self.day(1), 12, 0), 75)
                .with("location", "Hiltl, Zürich"),
            timed("Hand-over to Kathmandu", kathmandu().at(self.day(2), 14, 15), 45)
                .with(
                    "description",
                    "09:30 in Zurich: the only zone here with three quarters of an hour.",
                )
                .attendees(ALICE, &[(ALICE, "accepted"), (CAROL, "accepted")])
                .meet("han-dovr-ktm"),
            timed(
                "Call with the New York customer",
                new_york().at(self.day(3), 10, 0),
                60,
            )
            .attendees(
                BOB,
                &[
                    (BOB, "accepted"),
                    (ALICE, "accepted"),
                    ("buyer@customer.example", "needsAction"),
                ],
            ),
            timed("Focus: recurrence engine", zurich.at(self.day(4), 9, 0), 180)
                .with("eventType", "focusTime")
                .with(
                    "focusTimeProperties",
                    json!({ "autoDeclineMode": "declineNone", "chatStatus": "doNotDisturb" }),
                ),
            all_day("Conference: RustFest", self.day(6), 2)
                .with("location", "Zürich HB")
                .with("colorId", "9"),
            all_day("Skiing in Zermatt", self.day(9), 5)
                .with("location", "Zermatt, Switzerland")
                .with("description", "Train at 07:02 from platform 31. Skis are booked.")
                .with("transparency", "opaque"),
            timed("Retrospective of the release", zurich.at(self.day(-3), 15, 0), 60),
            timed(
                "Tax return with the accountant",
                zurich.at(self.day(-8), 17, 0),
                45,
            ),
            timed("Concert at the Tonhalle", zurich.at(self.day(17), 19, 30), 150)
                .with("location", "Tonhalle Zürich"),
        ];
        events.push(self.flight());
        events.extend(self.german_lessons());
        events.push(birthday(
            "Birthday: Alice",
            "demobornalice",
            self.today + Days::new(20),
        ));
        bodies(events)
    }

    /// Starts in one zone and ends in another, over midnight in neither.
    fn flight(&self) -> Event {
        let (from, to) = (
            zurich().at(self.day(23), 13, 5),
            new_york().at(self.day(23), 16, 10),
        );
        let mut flight =
            timed("Flight LX14 Zürich → New York", from, 0).with("location", "Zürich Airport (ZRH)");
        flight.0.insert("end".into(), instant(&to));
        flight
    }

    /// Daily with an end (`UNTIL`), one day taken out (`EXDATE`).
    fn german_lessons(&self) -> Vec<Event> {
        let zurich = zurich();
        let first = zurich.at(self.day(-12), 7, 30);
        let until = zurich.at(self.day(12), 7, 30).to_utc().format("%Y%m%dT%H%M%SZ");
        let skipped = zurich.at(self.day(-5), 7, 30).format("%Y%m%dT%H%M%S");
        vec![
            timed("German in twenty minutes", first, 20)
                .with("id", "demogermanlesson")
                .with("colorId", "5")
                .recurring(&[
                    &format!("RRULE:FREQ=DAILY;UNTIL={until}"),
                    &format!("EXDATE;TZID=Europe/Zurich:{skipped}"),
                ]),
        ]
    }
}

/// The team's shared calendar.
impl Demo {
    fn team_events(&self) -> Vec<Map<String, Value>> {
        let zurich = zurich();
        let mut events = vec![
            timed("Planning", zurich.at(self.monday, 13, 30), 90)
                .with("id", "demoplanning")
                .with("location", "Room Rigi")
                .recurring(&["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"]),
            timed("Release 2.4 goes out", zurich.at(self.day(5), 11, 0), 30).with("colorId", "11"),
            timed("Security training", zurich.at(self.day(8), 10, 0), 120).meet("sec-trng-cal"),
            all_day("Code freeze", self.day(3), 2).with("transparency", "transparent"),
        ];
        events.extend(self.stand_up());
        events.push(self.monthly_review());
        bodies(events)
    }

    /// Every working day for the past four weeks and on, with one instance moved and one cancelled.
    fn stand_up(&self) -> Vec<Event> {
        const ID: &str = "demostandup";
        let zurich = zurich();
        let first = zurich.at(self.monday - Days::new(28), 9, 15);
        let moved = zurich.at(self.monday + Days::new(9), 9, 15);
        let cancelled = zurich.at(self.monday - Days::new(4), 9, 15);
        let stand_up = || {
            timed("Stand-up", first, 15)
                .with("description", "What moved, what is stuck, who needs help.")
                .attendees(
                    ALICE,
                    &[(ALICE, "accepted"), (BOB, "accepted"), (CAROL, "tentative")],
                )
                .meet("sta-ndup-cal")
        };
        vec![
            stand_up()
                .with("id", ID)
                .recurring(&["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"]),
            stand_up()
                .with("summary", "Stand-up (late: fire drill)")
                .during(&(moved + TimeDelta::minutes(75)), 15)
                .exception(ID, &moved),
            Event(Map::new())
                .with("status", "cancelled")
                .exception(ID, &cancelled),
        ]
    }

    /// Each first Thursday, at New York's nine o'clock whatever the season.
    fn monthly_review(&self) -> Event {
        let month = self.today.with_day(1).unwrap_or(self.today) - Months::new(2);
        let thursday = NaiveDate::from_weekday_of_month_opt(month.year(), month.month(), Weekday::Thu, 1);
        timed(
            "Monthly review",
            new_york().at(thursday.unwrap_or(month), 9, 0),
            90,
        )
        .with("id", "demomonthsend")
        .with("description", "Numbers first, then the roadmap.")
        .attendees(
            BOB,
            &[(BOB, "accepted"), (ALICE, "accepted"), (CAROL, "declined")],
        )
        .recurring(&["RRULE:FREQ=MONTHLY;BYDAY=1TH"])
        .meet("mon-thly-rev")
    }
}

/// Private events.
impl Demo {
    fn family_events(&self) -> Vec<Map<String, Value>> {
        let zurich = zurich();
        bodies(vec![
            all_day("Mum's birthday", self.day(4) - Months::new(24), 1)
                .with("id", "demobornmum")
                .with("transparency", "transparent")
                .recurring(&["RRULE:FREQ=YEARLY"]),
            timed(
                "Piano lesson (Lena)",
                zurich.at(self.monday + Days::new(2) - Days::new(21), 16, 30),
                45,
            )
            .with("id", "demopianolesson")
            .with("location", "Musikschule Zürich")
            .recurring(&["RRULE:FREQ=WEEKLY;COUNT=12"]),
            timed("Swimming", zurich.at(self.day(0), 16, 15), 75),
            timed("Parents' evening", zurich.at(self.day(2), 19, 0), 90).with("location", "Schulhaus Feld"),
            all_day("Grandparents visit", self.day(12), 3),
            timed(
                "Sunday brunch",
                zurich.at(self.monday + Days::new(6), 10, 30),
                120,
            ),
        ])
    }

    fn holidays(&self) -> Vec<Map<String, Value>> {
        let year = self.today.year();
        let fixed = [
            (1, 1, "New Year's Day"),
            (8, 1, "Swiss National Day"),
            (12, 25, "Christmas Day"),
            (12, 26, "St. Stephen's Day"),
        ];
        let dates = (year - 1..=year + 1).flat_map(|year| {
            fixed.into_iter().filter_map(move |(month, day, name)| {
                Some(all_day(name, NaiveDate::from_ymd_opt(year, month, day)?, 1))
            })
        });
        bodies(
            dates
                .map(|event| {
                    event
                        .with("transparency", "transparent")
                        .with("visibility", "public")
                })
                .collect(),
        )
    }

    fn climbing_events(&self) -> Vec<Map<String, Value>> {
        let new_york = new_york();
        bodies(vec![
            timed(
                "Bouldering",
                new_york.at(self.monday + Days::new(1) - Days::new(14), 18, 30),
                120,
            )
            .with("id", "demobouldering")
            .with("location", "Brooklyn Boulders")
            .recurring(&["RRULE:FREQ=WEEKLY;BYDAY=TU,TH"]),
            all_day("The Gunks, if the weather holds", self.monday + Days::new(12), 2)
                .with("status", "tentative"),
        ])
    }
}

/// Bob and Carol.
impl Demo {
    fn bobs_events(&self) -> Vec<Map<String, Value>> {
        let new_york = new_york();
        bodies(vec![
            timed("Breakfast with the investors", new_york.at(self.today, 8, 0), 60)
                .with("location", "Balthazar, New York"),
            timed("Budget for next year", new_york.at(self.today, 14, 0), 60),
            timed("Vet", new_york.at(self.today, 14, 30), 45).with("location", "9 Court St, Brooklyn"),
            timed("One-on-one with Alice", new_york.at(self.day(1), 9, 30), 30)
                .attendees(BOB, &[(BOB, "accepted"), (ALICE, "accepted")])
                .meet("one-ones-bob"),
            timed(
                "Pick up the kids",
                new_york.at(self.monday - Days::new(14), 15, 0),
                30,
            )
            .with("id", "demopickup")
            .recurring(&["RRULE:FREQ=WEEKLY;BYDAY=MO,WE"]),
            timed("Board meeting", new_york.at(self.day(7), 13, 0), 180).with("location", "1 Hudson Yards"),
            all_day("Thanksgiving with the family", self.day(14), 3),
            timed("Red-eye to Zürich", new_york.at(self.day(18), 21, 55), 450),
        ])
    }

    fn carols_events(&self) -> Vec<Map<String, Value>> {
        let kathmandu = kathmandu();
        bodies(vec![
            timed("Code review hour", kathmandu.at(self.today, 10, 15), 60),
            timed("Momo with the team", kathmandu.at(self.today, 13, 0), 60)
                .with("location", "Thamel, Kathmandu"),
            timed("Yoga", kathmandu.at(self.monday - Days::new(14), 6, 45), 45)
                .with("id", "demostretching")
                .recurring(&["RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR"]),
            timed("On call", kathmandu.at(self.day(1), 22, 0), 600).with("colorId", "11"),
            all_day("Trek to Namche", self.day(10), 6).with("location", "Lukla, Nepal"),
            timed("Flat viewing", kathmandu.at(self.day(3), 17, 45), 30),
        ])
    }

    fn office_events(&self) -> Vec<Map<String, Value>> {
        let kathmandu = kathmandu();
        bodies(vec![
            timed("Office open", kathmandu.at(self.monday - Days::new(7), 9, 0), 540)
                .with("id", "demooffice")
                .with("transparency", "transparent")
                .recurring(&["RRULE:FREQ=WEEKLY;BYDAY=SU,MO,TU,WE,TH,FR"]),
            timed("Generator test", kathmandu.at(self.day(2), 11, 0), 30),
            all_day("Office closed: power maintenance", self.day(8), 1),
        ])
    }

    fn day(&self, offset: i64) -> NaiveDate {
        self.today + TimeDelta::days(offset)
    }
}

fn zurich() -> Zone {
    zone("Europe/Zurich")
}

fn new_york() -> Zone {
    zone("America/New_York")
}

fn kathmandu() -> Zone {
    zone("Asia/Kathmandu")
}

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap_or_default()
}

fn primary(email: &str, name: &str, zone: Zone, events: Vec<Map<String, Value>>) -> SeedCalendar {
    SeedCalendar {
        primary: true,
        events,
        ..other(email, name, zone, "#9fe1e7")
    }
}

fn team(access_role: AccessRole) -> SeedCalendar {
    let description = Some("What the whole team should know".into());
    SeedCalendar {
        description,
        access_role,
        ..other(TEAM, "Team", zurich(), "#16a765")
    }
}

fn family(access_role: AccessRole) -> SeedCalendar {
    SeedCalendar {
        access_role,
        ..other(FAMILY, "Family", zurich(), "#fa573c")
    }
}

/// Public holidays as Google offers them: readable by all, not watchable.
fn holidays() -> SeedCalendar {
    let calendar = other(HOLIDAYS, "Holidays in Switzerland", zurich(), "#b99aff");
    SeedCalendar {
        access_role: AccessRole::Reader,
        push_supported: false,
        ..calendar
    }
}

fn other(id: &str, summary: &str, zone: Zone, background: &str) -> SeedCalendar {
    SeedCalendar {
        summary: summary.into(),
        time_zone: zone.name().into(),
        background_color: background.into(),
        ..SeedCalendar::named(id)
    }
}
