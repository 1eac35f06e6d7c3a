//! Processes that die at a chosen step of a write.
//!
//! The step is delayed from outside (a fault at Google, a lock in Postgres), and the process is dropped in the middle of it,
//! like a kill: the open transaction is rolled back, the connection to Google is closed, the lease stays.

use std::time::Duration;

use google_emulator::{Fault, Rule};
use serde_json::{Value, json};
use sync::write::{LIFE, Request, WriteResult, run_once, submit};

use super::user::*;
use crate::world::{ALICE, BOB, World, alice, client_of};

/// The step at which a process dies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kill {
    /// The request is committed, and Google is about to be called.
    BeforeGoogle,
    /// Google has applied the call, and its answer is lost with the process.
    AfterGoogle,
    /// Google's answer is being committed.
    InCommit,
}

/// Submits the request in a process that dies at this step of its first call to `endpoint`.
pub async fn die_at(world: &World, kill: Kill, endpoint: &str, key: &str, request: &Request) {
    let (delay, lock) = match kill {
        Kill::BeforeGoogle => (
            Some(
                world.google.fault(
                    Rule::new(
                        endpoint,
                        Fault::Delay {
                            ms: 60_000,
                            jitter_ms: 0,
                        },
                    )
                    .times(1),
                ),
            ),
            None,
        ),
        Kill::AfterGoogle => (
            Some(
                world
                    .google
                    .fault(Rule::new(endpoint, Fault::Stall { ms: 60_000 }).times(1)),
            ),
            None,
        ),
        Kill::InCommit => {
            let mut tx = world.pool.begin().await.unwrap();
            sqlx::query("select 1 from calendars for no key update")
                .execute(&mut *tx)
                .await
                .unwrap();
            (None, Some(tx))
        }
    };
    let asked = world.google.requests_to(endpoint).len();
    let process = Process::start(world, key, request);
    // `submit` works in a separate task, so the whole runtime is dropped.
    process
        .kill_when(async || {
            world.google.requests_to(endpoint).len() > asked && kill_is_due(world, kill, endpoint, asked)
        })
        .await;
    drop(lock);
    if let Some(id) = delay {
        world.google.clear_fault(&id);
    }
}

fn kill_is_due(world: &World, kill: Kill, endpoint: &str, asked: usize) -> bool {
    let call = &world.google.requests_to(endpoint)[asked];
    match kill {
        Kill::BeforeGoogle => true,
        Kill::AfterGoogle | Kill::InCommit => call.status.is_some(),
    }
}

/// A simulated process: a runtime that can be dropped.
struct Process {
    runtime: tokio::runtime::Runtime,
}

impl Process {
    fn start(world: &World, key: &str, request: &Request) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (mut ctx, key, request) = (world.ctx.clone(), key.to_owned(), request.clone());
        // HTTP connections belong to the runtime that opened them.
        ctx.google = client_of(&world.google);
        let url = world.pool.connect_options();
        runtime.spawn(async move {
            ctx.pool = sqlx::postgres::PgPoolOptions::new()
                .max_connections(3)
                .connect_with((*url).clone())
                .await
                .unwrap();
            let _ = submit(&ctx, &alice(), &key, request).await;
        });
        Self { runtime }
    }

    async fn kill_when(self, is_due: impl AsyncFn() -> bool) {
        for _ in 0..1_000 {
            if is_due().await {
                // Lets the work after Google's answer begin.
                tokio::time::sleep(Duration::from_millis(150)).await;
                self.runtime.shutdown_background();
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the step was not reached");
    }
}

/// Another worker resumes all open requests.
pub async fn take_over(world: &World) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..6 {
        sqlx::query("update write_intents set leased_until = now() - interval '1 s', not_before = now() where lease_token is not null or not_before > now()")
            .execute(&world.pool)
            .await
            .unwrap();
        run_once(&world.ctx).await.unwrap();
    }
}

pub async fn answer(world: &World, key: &str, request: Request) -> WriteResult {
    let submitted = submit(&world.ctx, &alice(), key, request).await.unwrap();
    submitted.result.expect("not pending")
}

pub fn alive(world: &World) -> Vec<Value> {
    let events = world.google.events(ALICE);
    events
        .into_iter()
        .filter(|event| event["status"] != "cancelled")
        .map(Value::from)
        .collect()
}

pub async fn invitation(world: &World) -> Request {
    let mut event = hour(world, "Review", 2, 9);
    event["attendees"] = json!([{"email": BOB}]);
    request(world, create(event)).await
}

pub const ALL: [Kill; 3] = [Kill::BeforeGoogle, Kill::AfterGoogle, Kill::InCommit];

/// The time of all open requests runs out before a worker resumes them.
pub async fn expire(world: &World) {
    world.clock.advance(LIFE);
    take_over(world).await;
}
