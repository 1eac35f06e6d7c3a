//! A simulated process: a runtime with one thread, its memory, and its connections. It dies by the end of that runtime.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use common::clock::Clock;
use common::simulation::{Caught, Fate, Process, Trap};
use common::worker::Pass;
use google::push::Notification;
use sqlx::postgres::PgPoolOptions;
use sync::Context;
use sync::write::{Refused, Submitted};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use webhook_ingest::intake::Intake;
use webhook_ingest::refusal::Refusal;

use super::database::SimulatedDatabase;
use super::jobs;
use super::plan::{Job, Snare};

/// Work that takes longer is blocked by held work.
const BLOCKED_AFTER: Duration = Duration::from_millis(700);
/// Work that takes longer, with no held work to wait for, hangs.
const HANGS_AFTER: Duration = Duration::from_mins(5);
/// Other tasks of the pass continue for a moment after one is caught.
const OTHERS_CONTINUE: Duration = Duration::from_millis(8);
/// How long Google waits for an answer to a push, shortened.
const PUSH_TIMEOUT: Duration = Duration::from_millis(400);

/// The parts that every incarnation of a process shares.
pub struct Parts {
    pub google: google::GoogleConfig,
    pub broker: centrifugo::Client,
    pub clock: Clock,
    pub keyring: store::seal::Keyring,
    pub settings: sync::Settings,
}

/// The result of a piece of work.
#[derive(Debug)]
pub enum Done {
    Pass(std::result::Result<Pass, String>),
    Pushed(std::result::Result<(), Refusal>),
    Written(std::result::Result<Submitted, Refused>),
    Acted(std::result::Result<(), String>),
}

/// At which point the work stopped.
#[derive(Debug)]
pub enum Ran {
    Done(Done),
    Died(&'static str),
    Waits(&'static str),
    /// By other held work.
    Blocked,
}

/// Work that is held at a point or blocked, and its purpose.
pub struct Held<P> {
    task: JoinHandle<Done>,
    /// None: the work is blocked by other work.
    release: Option<oneshot::Sender<()>>,
    pub purpose: P,
}

pub struct Host<P> {
    index: usize,
    incarnation: u32,
    seed: u64,
    runtime: Option<Runtime>,
    process: Arc<Process>,
    caught: mpsc::UnboundedReceiver<Caught>,
    stop: CancellationToken,
    pub ctx: Context,
    broker: centrifugo::Client,
    intake: Arc<Intake>,
    held: Vec<Held<P>>,
}

impl<P> Host<P> {
    pub fn start(
        index: usize,
        incarnation: u32,
        seed: u64,
        database: &SimulatedDatabase,
        parts: &Parts,
    ) -> Result<Self> {
        let jitter = seed ^ (index as u64) << 32 ^ u64::from(incarnation) << 40;
        let (process, caught) = Process::new(jitter);
        let (entering, broker) = (Arc::clone(&process), parts.broker.clone());
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(name_of(index, incarnation))
            .on_thread_start(move || {
                entering.enter();
                sync::mutants::set_broker(broker.clone());
            })
            .enable_all()
            .build()?;
        let within = runtime.enter();
        let pool = PgPoolOptions::new()
            .max_connections(12)
            // As the services have it.
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(database.options(&name_of(index, incarnation))?);
        let google = google::Google::new(parts.google.clone())?;
        let ctx = Context::new(
            pool,
            google,
            parts.clock.clone(),
            parts.keyring.clone(),
            parts.settings.clone(),
        );
        let intake = Arc::new(Intake::new(ctx.pool.clone(), ctx.clock.clone()));
        let stop = CancellationToken::new();
        drop(within);
        start_intake(&runtime, &intake, &stop, &database.url);
        Ok(Self {
            index,
            incarnation,
            seed,
            runtime: Some(runtime),
            process,
            caught,
            stop,
            ctx,
            broker: parts.broker.clone(),
            intake,
            held: Vec::new(),
        })
    }

    /// Ends the process with all its work, and starts another in its place.
    pub async fn kill(&mut self, database: &SimulatedDatabase, parts: &Parts) -> Result<()> {
        let name = name_of(self.index, self.incarnation);
        self.shut_down().await?;
        *self = Self::start(self.index, self.incarnation + 1, self.seed, database, parts)?;
        database.until_gone(&name).await?;
        Ok(())
    }

    pub async fn shut_down(&mut self) -> Result<()> {
        self.held.clear();
        if let Some(runtime) = self.runtime.take() {
            tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(5))).await?;
        }
        Ok(())
    }

    pub fn take_reached(&self) -> std::collections::BTreeMap<&'static str, u64> {
        self.process.take_reached()
    }

    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The purposes of the held work.
    pub fn purposes(&self) -> impl Iterator<Item = &P> {
        self.held.iter().map(|held| &held.purpose)
    }

    /// One pass of a worker; `google`: with another client.
    pub fn job(
        &self,
        job: Job,
        google: Option<google::GoogleConfig>,
    ) -> impl Future<Output = Done> + Send + use<P> {
        let (mut ctx, broker, intake) = (self.ctx.clone(), self.broker.clone(), Arc::clone(&self.intake));
        async move {
            if let Some(config) = google {
                match google::Google::new(config) {
                    Ok(google) => ctx.google = google,
                    Err(error) => return Done::Pass(Err(error.to_string())),
                }
            }
            Done::Pass(jobs::pass(&ctx, &broker, &intake, job).await)
        }
    }

    pub fn push(&self, push: Notification) -> impl Future<Output = Done> + Send + use<P> {
        let intake = Arc::clone(&self.intake);
        async move {
            let answer = tokio::time::timeout(PUSH_TIMEOUT, intake.accept(&push)).await;
            Done::Pushed(answer.unwrap_or(Err(Refusal::Unavailable)))
        }
    }

    /// Runs a piece of work as far as it gets.
    pub async fn run(
        &mut self,
        work: impl Future<Output = Done> + Send + 'static,
        snare: Option<&Snare>,
        purpose: P,
    ) -> Result<Ran> {
        // Discards reports of earlier work.
        while self.caught.try_recv().is_ok() {}
        let (sender, receiver) = oneshot::channel();
        let trap = snare.map(|snare| Trap {
            point: snare.point.clone(),
            passes: snare.passes,
            fate: if snare.dies {
                Fate::Die
            } else {
                Fate::Wait(receiver)
            },
        });
        self.process.set_trap(trap);
        let mut task = self.runtime.as_ref().context("the process is dead")?.spawn(work);
        let ran = self.follow(&mut task).await;
        self.process.set_trap(None);
        let ran = ran?;
        match ran {
            Ran::Waits(_) => self.held.push(Held {
                task,
                release: Some(sender),
                purpose,
            }),
            Ran::Blocked => self.held.push(Held {
                task,
                release: None,
                purpose,
            }),
            Ran::Died(_) | Ran::Done(_) => {}
        }
        Ok(ran)
    }

    async fn follow(&mut self, task: &mut JoinHandle<Done>) -> Result<Ran> {
        let patience = if self.held.is_empty() {
            HANGS_AFTER
        } else {
            BLOCKED_AFTER
        };
        let caught = tokio::select! {
            biased;
            done = &mut *task => return Ok(Ran::Done(done.context("a piece of work panicked")?)),
            caught = self.caught.recv() => caught.context("the process is dead")?,
            () = tokio::time::sleep(patience) => {
                anyhow::ensure!(!self.held.is_empty(), "a piece of work hangs");
                return Ok(Ran::Blocked);
            }
        };
        Ok(match caught {
            Caught::Dying(point) => Ran::Died(point),
            Caught::Waiting(point) => {
                tokio::time::sleep(OTHERS_CONTINUE).await;
                Ran::Waits(point)
            }
            Caught::Idle => {
                task.abort();
                Ran::Done(Done::Pass(Ok(Pass::Worked)))
            }
        })
    }

    /// Lets one piece of held work run to its end. Work blocked by it ends too, now or when it is resumed itself.
    pub async fn resume(&mut self, dice: u32) -> Result<Option<(Done, P)>> {
        if self.held.is_empty() {
            return Ok(None);
        }
        // Blocked work continues when the work that blocks it does.
        let waiting: Vec<_> = (0..self.held.len())
            .filter(|&i| self.held[i].release.is_some())
            .collect();
        let chosen = match waiting.len() {
            0 => 0,
            some => waiting[dice as usize % some],
        };
        let mut held = self.held.remove(chosen);
        if let Some(release) = held.release.take() {
            let _ = release.send(());
        }
        match self.follow(&mut held.task).await? {
            Ran::Done(done) => Ok(Some((done, held.purpose))),
            Ran::Blocked | Ran::Waits(_) | Ran::Died(_) => {
                self.held.push(held);
                Ok(None)
            }
        }
    }
}

impl<P> Drop for Host<P> {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn name_of(index: usize, incarnation: u32) -> String {
    format!("sim-{index}-{incarnation}")
}

fn start_intake(runtime: &Runtime, intake: &Arc<Intake>, stop: &CancellationToken, url: &str) {
    let (lookups, bumps) = (Arc::clone(intake), Arc::clone(intake));
    let stopping = stop.clone();
    runtime.spawn(async move { lookups.run_lookups(stopping).await });
    let (stopping, url) = (stop.clone(), url.to_owned().into());
    runtime.spawn(async move { bumps.run_bumps(stopping, url, Arc::new(Notify::new())).await });
}
