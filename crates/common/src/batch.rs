//! One statement for all waiting callers.
//!
//! Callers [`submit`](Batcher::submit) keys; a single [`run`](Batcher::run) takes the collected ones, does the work once for
//! the batch, and wakes the callers. There is no timer: a batch is taken as soon as the previous one is done, so it has one key
//! when idle and hundreds under load. Several runs work on several batches at once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The work for a batch failed. The cause has been logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchFailed;

/// The work for a batch.
pub trait Work<K, V>: Send {
    /// Returns a value for some of `keys`, or for none.
    fn work(&mut self, keys: Vec<K>) -> impl Future<Output = Result<HashMap<K, V>, BatchFailed>> + Send;
}

/// Collects the keys of callers, and shares the work for them.
pub struct Batcher<K, V> {
    /// In order. Only the last one may have room.
    waiting: Mutex<VecDeque<Open<K, V>>>,
    filled: Notify,
    /// The most keys of a batch.
    most: usize,
}

/// The batch that collects keys.
struct Open<K, V> {
    keys: HashSet<K>,
    outcome: Arc<BatchOutcome<K, V>>,
}

/// Shared by the callers that wait for a batch.
struct BatchOutcome<K, V> {
    result: OnceLock<Result<HashMap<K, V>, BatchFailed>>,
    done: Arc<Notify>,
}

impl<K: Eq + Hash + Clone, V: Clone> Batcher<K, V> {
    /// A batcher without keys. Nothing is worked on before [`run`](Self::run).
    pub fn new() -> Self {
        Self::of_at_most(usize::MAX)
    }

    /// As [`Batcher::new`], where a batch has at most `most` keys; further ones form the next batch.
    pub fn of_at_most(most: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            filled: Notify::new(),
            most,
        }
    }

    /// Adds a key to the open batch and waits for its result. A key that several callers submit to the same batch is worked on
    /// once.
    pub async fn submit(&self, key: K) -> Result<Option<V>, BatchFailed> {
        let (outcome, done) = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let fits = |open: &Open<K, V>| open.keys.contains(&key) || open.keys.len() < self.most;
            if !waiting.back().is_some_and(fits) {
                waiting.push_back(Open::new());
            }
            let Some(open) = waiting.back_mut() else {
                return Err(BatchFailed);
            };
            open.keys.insert(key.clone());
            // Subscribes while the batch cannot be taken, so that its end is not missed.
            (open.outcome.clone(), open.outcome.done.clone().notified_owned())
        };
        self.filled.notify_one();
        done.await;
        match outcome.result.get() {
            Some(Ok(answers)) => Ok(answers.get(&key).cloned()),
            Some(Err(BatchFailed)) | None => Err(BatchFailed),
        }
    }

    /// Works on batch after batch until `stop`; then the waiting batches fail.
    pub async fn run(&self, stop: CancellationToken, mut worker: impl Work<K, V>) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.filled.notified() => {}
            }
            if let Some(Open { keys, outcome }) = self.take() {
                let result = worker.work(keys.into_iter().collect()).await;
                outcome.finish(result);
            }
        }
        while let Some(last) = self.take() {
            last.outcome.finish(Err(BatchFailed));
        }
    }

    fn take(&self) -> Option<Open<K, V>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let next = waiting.pop_front();
        if !waiting.is_empty() {
            // For another run, or for the next turn of this one.
            self.filled.notify_one();
        }
        next
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Default for Batcher<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Open<K, V> {
    fn new() -> Self {
        Self {
            keys: HashSet::new(),
            outcome: Arc::new(BatchOutcome {
                result: OnceLock::new(),
                done: Arc::new(Notify::new()),
            }),
        }
    }
}

impl<K, V> BatchOutcome<K, V> {
    fn finish(&self, result: Result<HashMap<K, V>, BatchFailed>) {
        // It is set only here, once.
        let _ = self.result.set(result);
        self.done.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    /// Reports each batch, then waits for the test to let it finish.
    struct Slow(
        mpsc::UnboundedSender<Vec<u32>>,
        mpsc::Receiver<Result<(), BatchFailed>>,
    );

    impl Work<u32, u32> for Slow {
        async fn work(&mut self, mut keys: Vec<u32>) -> Result<HashMap<u32, u32>, BatchFailed> {
            keys.sort_unstable();
            self.0.send(keys.clone()).unwrap();
            self.1.recv().await.unwrap()?;
            Ok(keys
                .into_iter()
                .filter(|key| key % 2 == 0)
                .map(|key| (key, key * 10))
                .collect())
        }
    }

    #[tokio::test]
    async fn keys_submitted_during_a_batch_form_the_next_one() {
        let batcher = Arc::new(Batcher::new());
        let (given, mut batches) = mpsc::unbounded_channel();
        let (go, gate) = mpsc::channel(10);
        let stop = CancellationToken::new();
        let run = {
            let (batcher, stop) = (batcher.clone(), stop.clone());
            tokio::spawn(async move { batcher.run(stop, Slow(given, gate)).await })
        };
        let submit = |key| {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.submit(key).await })
        };
        let first = submit(1);
        assert_eq!(batches.recv().await.unwrap(), [1]);
        let second: Vec<_> = [2, 3, 2, 2].map(submit).into();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!first.is_finished() && batches.try_recv().is_err());
        go.send(Ok(())).await.unwrap();
        assert_eq!(first.await.unwrap(), Ok(None));
        assert_eq!(
            batches.recv().await.unwrap(),
            [2, 3],
            "equal keys are worked on once"
        );
        let third = submit(4);
        go.send(Ok(())).await.unwrap();
        let mut answers = Vec::new();
        for waiter in second {
            answers.push(waiter.await.unwrap());
        }
        assert_eq!(answers, [Ok(Some(20)), Ok(None), Ok(Some(20)), Ok(Some(20))]);
        assert_eq!(batches.recv().await.unwrap(), [4]);
        go.send(Err(BatchFailed)).await.unwrap();
        assert_eq!(third.await.unwrap(), Err(BatchFailed));
        stop.cancel();
        run.await.unwrap();
    }

    #[tokio::test]
    async fn a_full_batch_is_followed_by_another() {
        let batcher = Arc::new(Batcher::of_at_most(2));
        let (given, mut batches) = mpsc::unbounded_channel();
        let (go, gate) = mpsc::channel(10);
        let stop = CancellationToken::new();
        let submit = |key| {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.submit(key).await })
        };
        let waiters: Vec<_> = [2, 4, 4, 6].map(submit).into();
        tokio::time::sleep(Duration::from_millis(20)).await;
        for _ in 0..2 {
            go.send(Ok(())).await.unwrap();
        }
        let run = {
            let (batcher, stop) = (batcher.clone(), stop.clone());
            tokio::spawn(async move { batcher.run(stop, Slow(given, gate)).await })
        };
        let mut answers = Vec::new();
        for waiter in waiters {
            answers.push(waiter.await.unwrap());
        }
        assert_eq!(answers, [20, 40, 40, 60].map(|answer| Ok(Some(answer))));
        assert_eq!(batches.recv().await.unwrap(), [2, 4]);
        assert_eq!(batches.recv().await.unwrap(), [6]);
        stop.cancel();
        run.await.unwrap();
    }
}
