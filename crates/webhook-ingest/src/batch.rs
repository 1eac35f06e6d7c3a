//! One statement for all who wait.
//!
//! Callers [`submit`](Batcher::submit) keys; a single [`run`](Batcher::run) takes all that have gathered, does the work
//! once for the lot, and wakes everybody. There is no timer: a batch is taken as soon as the last one is done, so it holds
//! one key when little goes on and hundreds under load.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The work for a batch could not be done. Its cause has been logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

/// What is done for a batch.
pub trait Work<K, V>: Send {
    /// Answers what there is to say about some of `keys`; a key that is not in the answer has none.
    fn work(&mut self, keys: Vec<K>) -> impl Future<Output = Result<HashMap<K, V>, Failed>> + Send;
}

pub struct Batcher<K, V> {
    open: Mutex<Open<K, V>>,
    filled: Notify,
}

/// The batch that is gathering.
struct Open<K, V> {
    keys: HashSet<K>,
    outcome: Arc<Outcome<K, V>>,
}

/// What those who wait for a batch share.
struct Outcome<K, V> {
    result: OnceLock<Result<HashMap<K, V>, Failed>>,
    done: Arc<Notify>,
}

impl<K: Eq + Hash + Clone, V: Clone> Batcher<K, V> {
    pub fn new() -> Self {
        Self {
            open: Mutex::new(Open::new()),
            filled: Notify::new(),
        }
    }

    /// Joins the batch that is gathering and waits until it has been worked on. A key that others have submitted to the
    /// same batch is worked on once.
    pub async fn submit(&self, key: K) -> Result<Option<V>, Failed> {
        let (outcome, done) = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.keys.insert(key.clone());
            // Made while the batch cannot be taken, so that its end is not missed.
            (open.outcome.clone(), open.outcome.done.clone().notified_owned())
        };
        self.filled.notify_one();
        done.await;
        match outcome.result.get() {
            Some(Ok(answers)) => Ok(answers.get(&key).cloned()),
            Some(Err(Failed)) | None => Err(Failed),
        }
    }

    /// Works on batch after batch until `stop`; who waits then is told that it failed.
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
        if let Some(last) = self.take() {
            last.outcome.finish(Err(Failed));
        }
    }

    fn take(&self) -> Option<Open<K, V>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        (!open.keys.is_empty()).then(|| std::mem::replace(&mut *open, Open::new()))
    }
}

impl<K, V> Open<K, V> {
    fn new() -> Self {
        Self {
            keys: HashSet::new(),
            outcome: Arc::new(Outcome {
                result: OnceLock::new(),
                done: Arc::new(Notify::new()),
            }),
        }
    }
}

impl<K, V> Outcome<K, V> {
    fn finish(&self, result: Result<HashMap<K, V>, Failed>) {
        // Nobody else sets it.
        let _ = self.result.set(result);
        self.done.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    /// Works at the pace of the test, and says what it was given.
    struct Slow(
        mpsc::UnboundedSender<Vec<u32>>,
        mpsc::Receiver<Result<(), Failed>>,
    );

    impl Work<u32, u32> for Slow {
        async fn work(&mut self, mut keys: Vec<u32>) -> Result<HashMap<u32, u32>, Failed> {
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
    async fn what_gathers_during_a_batch_is_the_next_one() {
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
        assert_eq!(batches.recv().await.unwrap(), [2, 3], "equal keys share");
        let third = submit(4);
        go.send(Ok(())).await.unwrap();
        let mut answers = Vec::new();
        for waiter in second {
            answers.push(waiter.await.unwrap());
        }
        assert_eq!(answers, [Ok(Some(20)), Ok(None), Ok(Some(20)), Ok(Some(20))]);
        assert_eq!(batches.recv().await.unwrap(), [4]);
        go.send(Err(Failed)).await.unwrap();
        assert_eq!(third.await.unwrap(), Err(Failed));
        stop.cancel();
        run.await.unwrap();
    }
}
