//! Reads: of several callers in one statement, and answers that are kept as long as they hold.
//!
//! - A statement is a snapshot of all that an answer shows ([`store::reading`]). Reads that arrive while one runs share the next
//!   one, so a thousand tabs that reload at once are a few statements.
//! - An answer's events are kept, as compressed JSON, in a bounded number of bytes. The statement of every read shows whether they still
//!   hold ([`Answer::holds`]): the user's stream is where it was, and the same calendars are shown in the same generations and
//!   zones. If the stream has moved, the same statement loads the events. So no answer is older than the database, and
//!   freshness is never kept.

mod answers;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::batch::{BatchFailed, Batcher, Work};
use common::clock::Clock;
use common::ids::UserId;
use common::service::Background;
use common::telemetry::metrics::Sample;
use rpc::{Code, RpcError};
use sqlx::PgPool;
use store::reading::{self, Reading, Request};
use tokio_util::sync::CancellationToken;

use crate::metrics;
use answers::Answers;
pub use answers::{Answer, Json, Kind, Question};

/// Reads that hardly load events share a statement.
const WARM_AT_ONCE: usize = 64;
const WARM_RUNS: usize = 2;
/// Fewer where each loads its events: their rows are in memory until the last is read.
const COLD_AT_ONCE: usize = 8;
const COLD_RUNS: usize = 3;

/// A user may request any window, and one of a year would displace the answers of many others.
const ANSWER_MAX_BYTES: usize = 1 << 20;

/// After this, the waiting reads fail. Less than a call may take.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(8);

/// The reads of this process.
pub struct Reader {
    pool: PgPool,
    clock: Clock,
    warm: Batcher<Request, Shared>,
    cold: Batcher<Request, Shared>,
    answers: Answers,
    statements: Arc<AtomicU64>,
}

/// A read, shared by those that requested the same.
type Shared = Result<Arc<Reading>, Arc<sqlx::Error>>;

impl Reader {
    /// `cache_bytes`: of the answers that are kept.
    pub fn new(pool: PgPool, clock: Clock, cache_bytes: u64) -> Self {
        Self {
            pool,
            clock,
            warm: Batcher::of_at_most(WARM_AT_ONCE),
            cold: Batcher::of_at_most(COLD_AT_ONCE),
            answers: Answers::new(cache_bytes),
            statements: Arc::default(),
        }
    }

    /// Serves reads until `background` has served the last request.
    pub fn spawn(self: &Arc<Self>, background: &mut Background) {
        for is_cold in [vec![false; WARM_RUNS], vec![true; COLD_RUNS]].concat() {
            let (reader, served) = (Arc::clone(self), background.served());
            background.spawn(async move { reader.run(is_cold, served).await });
        }
    }

    /// Serves reads that load their events (`is_cold`), or the others, until `stop`; then those that wait fail.
    pub async fn run(&self, is_cold: bool, stop: CancellationToken) {
        let batcher = if is_cold { &self.cold } else { &self.warm };
        let statements = Statements {
            pool: self.pool.clone(),
            clock: self.clock.clone(),
            run: Arc::clone(&self.statements),
        };
        batcher.run(stop, statements).await;
    }

    /// Reads in the next statement.
    pub async fn read(&self, request: Request) -> Result<Arc<Reading>, RpcError> {
        let is_cold = request.load.is_some_and(|load| load.unless.is_none());
        let batcher = if is_cold { &self.cold } else { &self.warm };
        match batcher.submit(request).await {
            Ok(Some(read)) => Ok(read?),
            Ok(None) | Err(BatchFailed) => {
                Err(RpcError::of(Code::ServiceUnavailable).with_retry_after(Duration::from_secs(1)))
            }
        }
    }

    /// An answer that is kept. It may no longer hold.
    pub fn answer(&self, question: &Question) -> Option<Arc<Answer>> {
        self.answers.get(question)
    }

    /// Keeps an answer, if another read can show whether it holds, and it is not very large.
    pub fn keep(&self, question: Question, answer: Answer) -> Arc<Answer> {
        if answer.has_stream() && answer.bytes() <= ANSWER_MAX_BYTES {
            self.answers.insert(question, Arc::new(answer.compressed()));
        }
        Arc::new(answer)
    }

    /// Drops an answer that no longer holds though the user's stream has not moved, so that the next read loads the events.
    pub fn forget(&self, question: &Question) {
        self.answers.remove(question);
    }

    /// Drops all answers to a user whose data is to be deleted. No read would return them.
    pub fn forget_user(&self, user: &UserId) {
        self.answers.remove_user(user);
    }

    /// The bytes of the answers that are kept.
    pub fn samples(&self) -> Vec<Sample> {
        metrics::kept_answers(self.answers.bytes())
    }

    /// How many statements were run.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}

/// Runs the statement for a batch.
struct Statements {
    pool: PgPool,
    clock: Clock,
    run: Arc<AtomicU64>,
}

impl Work<Request, Shared> for Statements {
    async fn work(&mut self, requests: Vec<Request>) -> Result<HashMap<Request, Shared>, BatchFailed> {
        let read = async {
            let mut conn = self.pool.acquire().await?;
            self.run.fetch_add(1, Ordering::Relaxed);
            metrics::read_statement();
            reading::read(&mut conn, self.clock.now(), &requests).await
        };
        let read = match tokio::time::timeout(DATABASE_TIMEOUT, read).await {
            Ok(read) => read,
            Err(elapsed) => Err(sqlx::Error::Io(elapsed.into())),
        };
        Ok(match read {
            Ok(readings) => {
                let readings = readings.into_iter().map(|reading| Ok(Arc::new(reading)));
                requests.into_iter().zip(readings).collect()
            }
            Err(error) => {
                let error = Arc::new(error);
                let failed = |request| (request, Err(Arc::clone(&error)));
                requests.into_iter().map(failed).collect()
            }
        })
    }
}
