//! Test only: named points at which a simulated process crashes or is paused, and mutants.
//!
//! A simulated process is a runtime with one thread, and its [`Process`] belongs to that thread. On other threads nothing here
//! has an effect. Without the feature `simulation` the macros expand to nothing, and the feature does not compile without debug
//! assertions: a release cannot have it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::{mpsc, oneshot};

#[cfg(not(debug_assertions))]
compile_error!(
    "the feature `simulation` is for tests: build with debug assertions, without it for production"
);

thread_local! {
    static PROCESS: RefCell<Option<Arc<Process>>> = const { RefCell::new(None) };
}

/// The mutant that is active in this program, if any.
static BUG: RwLock<Option<String>> = RwLock::new(None);

/// A simulated process, as seen by the code that runs in it.
#[derive(Debug)]
pub struct Process {
    inner: Mutex<Inner>,
    caught: mpsc::UnboundedSender<Caught>,
}

#[derive(Debug)]
struct Inner {
    trap: Option<Trap>,
    reached: BTreeMap<&'static str, u64>,
    dice: u64,
}

/// An action at a point.
#[derive(Debug)]
pub struct Trap {
    pub point: String,
    /// How often the point is passed before.
    pub passes: u32,
    pub fate: Fate,
}

#[derive(Debug)]
pub enum Fate {
    /// Execution stops at the point.
    Die,
    /// Execution continues once the other end sends.
    Wait(oneshot::Receiver<()>),
}

/// A task has reached a point with a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caught {
    Dying(&'static str),
    Waiting(&'static str),
    /// It has no work until time passes.
    Idle,
}

impl Process {
    /// `seed` determines its jitter and its ids.
    pub fn new(seed: u64) -> (Arc<Self>, mpsc::UnboundedReceiver<Caught>) {
        let (caught, events) = mpsc::unbounded_channel();
        let inner = Inner {
            trap: None,
            reached: BTreeMap::new(),
            dice: seed,
        };
        let process = Self {
            inner: Mutex::new(inner),
            caught,
        };
        (Arc::new(process), events)
    }

    /// Assigns the process to this thread.
    pub fn enter(self: &Arc<Self>) {
        ids::simulation::set_source(id);
        PROCESS.with_borrow_mut(|process| *process = Some(Arc::clone(self)));
    }

    /// Sets or removes the trap.
    pub fn set_trap(&self, trap: Option<Trap>) {
        self.with(|inner| inner.trap = trap);
    }

    /// How often each point was passed since the last call.
    pub fn take_reached(&self) -> BTreeMap<&'static str, u64> {
        self.with(|inner| std::mem::take(&mut inner.reached))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn reach(&self, point: &'static str) -> Option<Fate> {
        self.with(|inner| {
            *inner.reached.entry(point).or_default() += 1;
            let trap = inner.trap.as_mut().filter(|trap| trap.point == point)?;
            if trap.passes > 0 {
                trap.passes -= 1;
                return None;
            }
            inner.trap.take().map(|trap| trap.fate)
        })
    }
}

fn current() -> Option<Arc<Process>> {
    PROCESS.with_borrow(Clone::clone)
}

/// See [`crash_point!`](crate::crash_point).
pub async fn point(name: &'static str) {
    let Some(process) = current() else { return };
    match process.reach(name) {
        None => {}
        Some(Fate::Die) => {
            // The receiver may be gone, if the test does not wait for this task.
            let _ = process.caught.send(Caught::Dying(name));
            std::future::pending::<()>().await;
        }
        Some(Fate::Wait(resume)) => {
            let _ = process.caught.send(Caught::Waiting(name));
            let _ = resume.await;
        }
    }
}

/// See [`idle_point!`](crate::idle_point).
pub async fn idle() {
    if let Some(process) = current() {
        let _ = process.caught.send(Caught::Idle);
        std::future::pending::<()>().await;
    }
}

/// Activates a mutant instead of the previous one.
pub fn set_mutant(bug: Option<&str>) {
    *BUG.write().unwrap_or_else(PoisonError::into_inner) = bug.map(str::to_owned);
}

/// See [`clock_frozen!`](crate::clock_frozen).
pub fn is_simulated() -> bool {
    PROCESS.with_borrow(Option::is_some)
}

/// See [`mutant!`](crate::mutant).
pub fn is_mutant_active(bug: &str) -> bool {
    BUG.read().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(bug)
}

/// The next number of this process's jitter, from 0 to 1. None: not in a simulated process.
pub(crate) fn roll() -> Option<f64> {
    Some(f64::from(u32::try_from(dice()? >> 32).unwrap_or_default()) / f64::from(u32::MAX))
}

/// An id from the seed, since the order of rows may depend on it. None: not in a simulated process.
fn id() -> Option<uuid::Uuid> {
    let bits = u128::from(dice()?) << 64 | u128::from(dice()?);
    Some(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid())
}

/// SplitMix64.
fn dice() -> Option<u64> {
    let process = current()?;
    Some(process.with(|inner| {
        inner.dice = inner.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = inner.dice;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }))
}

/// A point at which a simulated process can be made to crash or to wait. In production: nothing.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::simulation::point($name).await
    };
}

/// From here on a pass only waits for time to pass; the simulation does not wait for it. In production: nothing.
#[macro_export]
macro_rules! idle_point {
    () => {
        $crate::simulation::idle().await
    };
}

/// Whether the mutant of this name is active. In production: `false`.
#[macro_export]
macro_rules! mutant {
    ($bug:literal) => {
        $crate::simulation::is_mutant_active($bug)
    };
}

/// Whether waiting is futile, because the simulated clock moves only when all tasks are idle. In production: `false`.
#[macro_export]
macro_rules! clock_frozen {
    () => {
        $crate::simulation::is_simulated()
    };
}
