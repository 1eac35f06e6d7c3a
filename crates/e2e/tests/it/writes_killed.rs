//! Promise 8 under kill -9: `calendar-api` dies at each step of a write that was sent twice, Google drops answers to its
//! successor, and the user presses the button twice more. There is one event, one mail for each guest, and one result, the same
//! in every tab.
//!
//! All writes of a test are held at their steps when the process dies. Each has its own user, because a held commit blocks the
//! user's other commits.

use anyhow::{Result, ensure};
use e2e::gates::{Gates, Step};
use e2e::oracle::mirror_equals_google;
use e2e::person::{GUEST, Person, Tab, hour, with_guest};
use e2e::rpc::Answer;
use e2e::{Options, Stack, wait};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use google_emulator::{Fault, MailKind, Received, Rule};
use serde_json::{Value, json};

/// The step at which the process dies.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Point {
    /// At a statement, which is lost with the process or completes nevertheless.
    Statement { step: Step, is_lost: bool },
    /// At a call to Google: the first of the write, or the second.
    Call { nth: usize, fate: Fate },
}

/// The fate of a call whose caller is dead.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    NeverArrives,
    /// It arrives long after another process has continued the write.
    ArrivesLate,
    IsDone,
    IsHalfAnswered,
}

const FATES: [Fate; 4] = [
    Fate::NeverArrives,
    Fate::ArrivesLate,
    Fate::IsDone,
    Fate::IsHalfAnswered,
];

/// A kind of write, and the expected result.
struct Kind {
    name: &'static str,
    verb: &'static str,
    /// The calls to Google that it consists of.
    calls: &'static [&'static str],
    /// The events in the calendar before.
    before: fn() -> Value,
    input: fn(&Person, &[Value]) -> Value,
    /// Title → number of instances.
    after: &'static [(&'static str, usize)],
    mailed: &'static [MailKind],
}

const CREATE: Kind = Kind {
    name: "create",
    verb: "createEvent",
    calls: &["events.insert"],
    before: || json!([]),
    input: |person, _| {
        let mut event = hour("Review", 48);
        event["attendees"] = json!([{"email": GUEST}]);
        person.create_input(&event)
    },
    after: &[("Review", 1)],
    mailed: &[MailKind::Invitation],
};

const UPDATE: Kind = Kind {
    name: "update",
    verb: "updateEvent",
    calls: &["events.patch"],
    before: || json!([with_guest("Review", 48)]),
    input: |person, shown| person.update_input(&shown[0], &json!({"title": "Design review"})),
    after: &[("Design review", 1)],
    mailed: &[MailKind::Update],
};

const DELETE: Kind = Kind {
    name: "delete",
    verb: "deleteEvent",
    calls: &["events.delete"],
    before: || json!([with_guest("Review", 48)]),
    input: |person, shown| person.delete_input(&shown[0]),
    after: &[],
    mailed: &[MailKind::Cancellation],
};

const SPLIT: Kind = Kind {
    name: "split",
    verb: "updateEvent",
    calls: &["events.patch", "events.insert"],
    before: || {
        let mut event = with_guest("Weekly", 24);
        event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=5"]);
        json!([event])
    },
    input: |person, shown| {
        let mut input = person.update_input(&shown[2], &json!({"title": "Later"}));
        input["scope"] = "following".into();
        input
    },
    after: &[("Later", 3), ("Weekly", 2)],
    // For the end of the old series, and for the new one.
    mailed: &[MailKind::Update, MailKind::Invitation],
};

impl Kind {
    fn points(&self) -> Vec<Point> {
        let lost = |step| Point::Statement { step, is_lost: true };
        let done = |step| Point::Statement { step, is_lost: false };
        let mut points = vec![lost(Step::Begin), done(Step::Begin)];
        for nth in 0..self.calls.len() {
            let step = if nth == 0 { Step::Send } else { Step::SendAgain };
            points.extend([lost(step), done(step)]);
            // A delete's answer is empty and cannot be cut off.
            let fates = FATES
                .into_iter()
                .filter(|&fate| fate != Fate::IsHalfAnswered || self.verb != "deleteEvent");
            points.extend(fates.map(|fate| Point::Call { nth, fate }));
        }
        points.extend([lost(Step::Finish), done(Step::Commit)]);
        points
    }
}

/// A write that will be interrupted.
struct Case {
    point: Point,
    /// Google drops its first answers to the successor.
    is_dropped: bool,
    person: Person,
    tabs: [Tab; 2],
    input: Value,
    /// The faults that hold it.
    faults: Vec<String>,
}

impl Case {
    async fn prepare(stack: &Stack, kind: &Kind, point: Point, is_dropped: bool, n: usize) -> Result<Self> {
        let person = Person::new(stack, &format!("{}{n}", kind.name), &(kind.before)()).await?;
        let input = (kind.input)(&person, &person.shown().await?);
        Ok(Self {
            point,
            is_dropped,
            tabs: [person.tab(stack).await?, person.tab(stack).await?],
            input,
            faults: Vec::new(),
            person,
        })
    }

    fn fault(&self, stack: &Stack, endpoint: &str, fault: Fault) -> String {
        let rule = Rule::new(endpoint, fault).of_calendar(&self.person.account);
        stack.google.fault(rule.times(1))
    }

    async fn hold_up(&mut self, stack: &Stack, gates: &mut Gates, kind: &Kind) -> Result<()> {
        match self.point {
            Point::Statement { step, .. } => gates.close(step, &self.person.calendar).await?,
            Point::Call { nth, fate } => {
                let hold = |after| Fault::Hold { after };
                let faults = match fate {
                    Fate::NeverArrives => vec![hold(false), Fault::Reset { after: false }],
                    Fate::ArrivesLate => vec![hold(false)],
                    Fate::IsDone => vec![hold(true)],
                    Fate::IsHalfAnswered => vec![Fault::Stall { ms: 600_000 }],
                };
                let faults = faults.into_iter();
                self.faults = faults
                    .map(|fault| self.fault(stack, kind.calls[nth], fault))
                    .collect();
            }
        }
        Ok(())
    }

    /// Waits until the write is at the step where it is interrupted.
    async fn reached(&self, stack: &Stack, gates: &Gates) {
        match self.point {
            Point::Statement { step, .. } => gates.reached(step, &self.person.calendar).await,
            Point::Call { fate, .. } => {
                let what = format!("a write is held: {:?}", self.point);
                let is_handled = matches!(fate, Fate::IsDone | Fate::IsHalfAnswered);
                let is_there = async || {
                    self.held(stack)
                        .filter(|call| !is_handled || call.status.is_some())
                        .map(drop)
                };
                wait::until(&what, is_there).await;
            }
        }
    }

    /// The held call.
    fn held(&self, stack: &Stack) -> Option<Received> {
        let fault = self.faults.first()?;
        let mut calls = stack.google.requests().into_iter();
        calls.find(|call| call.faults.contains(fault))
    }

    /// Called when the process is dead.
    async fn let_go(&self, stack: &Stack, gates: &mut Gates, kind: &Kind) -> Result<()> {
        if self.is_dropped {
            for endpoint in kind.calls.iter().chain(&["events.get"]) {
                self.fault(stack, endpoint, Fault::Reset { after: true });
            }
        }
        match self.point {
            Point::Statement { step, is_lost } => {
                if is_lost {
                    gates.break_off(step, &self.person.calendar).await?;
                }
                gates.open(step, &self.person.calendar).await?;
            }
            Point::Call { fate, .. } if fate != Fate::ArrivesLate => {
                // Other calls have no caller any more.
                stack.google.clear_fault(&self.faults[0]);
            }
            Point::Call { .. } => {}
        }
        Ok(())
    }

    /// Lets the delayed call arrive.
    async fn arrive(&self, stack: &Stack) {
        if let Point::Call {
            fate: Fate::ArrivesLate,
            ..
        } = self.point
        {
            stack.google.clear_fault(&self.faults[0]);
            wait::until("the late call has been answered", async || {
                self.held(stack)?.status.map(drop)
            })
            .await;
        }
    }

    /// Sends the write twice more, and expects the same answer to both.
    async fn ask_again(&self, kind: &Kind) -> Result<Value> {
        loop {
            let click = || self.person.call(kind.verb, &self.input);
            let (one, other) = tokio::try_join!(click(), click())?;
            // On a very busy machine an answer may be "pending"; then it is sent again.
            if one["pending"] == false && other["pending"] == false {
                ensure!(one == other, "two answers: {one} and {other}");
                return Ok(one);
            }
        }
    }

    /// Checks that the write is once in Google and once in the guest's mail, and the same everywhere.
    async fn judge(&mut self, stack: &Stack, kind: &Kind) -> Result<()> {
        let mut titles: Vec<String> = Vec::new();
        for event in self.person.in_google(stack) {
            let id = event["id"].as_str().unwrap_or_default();
            let instances = stack.google.instances(&self.person.account, id);
            titles.extend(instances.iter().map(|instance| instance["summary"].to_string()));
        }
        titles.sort();
        let expected = kind.after.iter();
        let expected: Vec<String> = expected
            .flat_map(|(title, count)| std::iter::repeat_n(json!(title).to_string(), *count))
            .collect();
        ensure!(titles == expected, "in Google: {titles:?}");
        let mailed = self.person.mailed(stack);
        ensure!(mailed == kind.mailed, "the guest was mailed {mailed:?}");
        mirror_equals_google(stack, &self.person.api.user).await?;
        for tab in &mut self.tabs {
            tab.catch_up().await?;
        }
        Ok(())
    }
}

/// Accounts connected in parallel. More would keep connections waiting too long on a busy machine.
const AT_ONCE: usize = 3;

/// The number of writes in the database, and of those that are done.
async fn ends(stack: &Stack) -> Result<(i64, i64)> {
    let counts = "select count(*), count(*) filter (where state = 'done') from write_intents";
    Ok(sqlx::query_as(counts).fetch_one(&stack.database.pool).await?)
}

/// Frees the leases of the dead process at once; in production they expire after a minute.
async fn end_leases(stack: &Stack, cases: &[Case]) -> Result<()> {
    let lost = Point::Statement {
        step: Step::Begin,
        is_lost: true,
    };
    let begun = i64::try_from(cases.iter().filter(|case| case.point != lost).count())?;
    wait::until("the dead process's writes are stored", async || {
        (ends(stack).await.ok()?.0 == begun).then_some(())
    })
    .await;
    let end = "update write_intents set leased_until = now() - interval '1 second' where attempts = 1 and result is null";
    sqlx::query(end).execute(&stack.database.pool).await?;
    Ok(())
}

async fn killed_at_each_step(kind: Kind, is_dropped: bool) -> Result<()> {
    // Held statements keep their connections.
    let options = Options::default().set("DATABASE_MAX_CONNECTIONS", "40");
    let mut stack = Stack::with(options.tune("sync_lease_seconds", 60)).await?;
    let mut gates = Gates::install(&stack.database).await?;
    let points = kind.points();
    let cases = points.into_iter().enumerate();
    let cases = cases.map(|(n, point)| Case::prepare(&stack, &kind, point, is_dropped, n));
    let mut cases: Vec<Case> = stream::iter(cases).buffered(AT_ONCE).try_collect().await?;

    let mut clicks = Vec::new();
    for case in &mut cases {
        case.hold_up(&stack, &mut gates, &kind).await?;
        for _ in 0..2 {
            let (person, input) = (case.person.clone(), case.input.clone());
            clicks.push(tokio::spawn(async move { person.write(kind.verb, &input).await }));
        }
    }
    for case in &cases {
        case.reached(&stack, &gates).await;
    }
    stack.api.kill().await;
    for click in clicks {
        // On a very busy machine a caller may have been answered "pending".
        let answer = click.await?;
        let has_none = match &answer {
            Ok(Answer::Done(answer)) => answer["pending"] == true,
            Ok(Answer::Refused(_)) => false,
            Err(_) => true,
        };
        ensure!(has_none, "no caller has an answer: {answer:?}");
    }
    for case in &cases {
        case.let_go(&stack, &mut gates, &kind).await?;
    }
    end_leases(&stack, &cases).await?;
    stack.api.start_again().await?;

    let asked = cases.iter().map(|case| case.ask_again(&kind));
    try_join_all(asked).await?;
    let all = i64::try_from(cases.len())?;
    assert_eq!(ends(&stack).await?, (all, all), "every write is done");
    for case in &mut cases {
        let judged = case.judge(&stack, &kind).await;
        judged.map_err(|error| error.context(format!("{} killed at {:?}", kind.name, case.point)))?;
    }
    for case in &mut cases {
        case.arrive(&stack).await;
        let judged = case.judge(&stack, &kind).await;
        judged.map_err(|error| error.context(format!("{}, {:?}, at the end", kind.name, case.point)))?;
    }
    drop(cases);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_killed_at_each_step() -> Result<()> {
    killed_at_each_step(CREATE, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_killed_at_each_step_and_google_drops_answers() -> Result<()> {
    killed_at_each_step(CREATE, true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_killed_at_each_step() -> Result<()> {
    killed_at_each_step(UPDATE, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_killed_at_each_step_and_google_drops_answers() -> Result<()> {
    killed_at_each_step(UPDATE, true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_killed_at_each_step() -> Result<()> {
    killed_at_each_step(DELETE, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_killed_at_each_step_and_google_drops_answers() -> Result<()> {
    killed_at_each_step(DELETE, true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_series_killed_at_each_step() -> Result<()> {
    killed_at_each_step(SPLIT, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_killed_at_each_step_with_lost_answers() -> Result<()> {
    killed_at_each_step(SPLIT, true).await
}

/// The dead process's call arrives after its successor has not found the event, and just before the successor's own call.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_call_and_its_repetition_make_one_event() -> Result<()> {
    let mut stack = Stack::with(Options::default().tune("sync_lease_seconds", 60)).await?;
    let kinds = [CREATE, UPDATE, DELETE];
    let hold = |case: &Case, kind: &Kind| case.fault(&stack, kind.calls[0], Fault::Hold { after: false });
    let point = Point::Call {
        nth: 0,
        fate: Fate::ArrivesLate,
    };
    let cases = kinds
        .iter()
        .map(|kind| Case::prepare(&stack, kind, point, false, 0));
    let mut cases = try_join_all(cases).await?;
    for (case, kind) in cases.iter_mut().zip(&kinds) {
        case.faults.push(hold(case, kind));
        let (person, input, verb) = (case.person.clone(), case.input.clone(), kind.verb);
        tokio::spawn(async move { person.write(verb, &input).await });
        wait::until("the first call is held", async || case.held(&stack).map(drop)).await;
    }
    stack.api.kill().await;
    let hold = |case: &Case, kind: &Kind| case.fault(&stack, kind.calls[0], Fault::Hold { after: false });
    let next: Vec<String> = cases
        .iter()
        .zip(&kinds)
        .map(|(case, kind)| hold(case, kind))
        .collect();
    end_leases(&stack, &cases).await?;
    for fault in &next {
        let is_held = |call: Received| call.faults.contains(fault);
        wait::until("the second call is held", async || {
            stack.google.requests().into_iter().any(is_held).then_some(())
        })
        .await;
    }
    for (case, fault) in cases.iter().zip(&next) {
        case.arrive(&stack).await;
        stack.google.clear_fault(fault);
    }
    stack.api.start_again().await?;
    for (case, kind) in cases.iter_mut().zip(&kinds) {
        case.ask_again(kind).await?;
        case.judge(&stack, kind)
            .await
            .map_err(|error| error.context(kind.name))?;
    }
    let refused = |endpoint: &str| {
        let calls = stack.google.requests_to(endpoint).into_iter();
        calls
            .filter_map(|call| call.status)
            .filter(|status| *status >= 400)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ["events.insert", "events.patch"].map(refused),
        [[409], [412]],
        "Google refuses the second of each"
    );
    drop(cases);
    stack.end().await
}
