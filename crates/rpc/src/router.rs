//! The table of procedures.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ts_rs::TS;

use crate::procedure::{Kind, Output, Procedure};
use crate::{Code, RpcError};

/// The table. `C` is the context that a handler gets beside its input: the caller and the service's state.
#[derive(Debug)]
pub struct Router<C> {
    procedures: BTreeMap<&'static str, Procedure<C>>,
    is_temporary: fn(&(dyn Error + 'static)) -> bool,
    observer: Observer,
    admission: Option<Admission<C>>,
}

/// Lets a call begin when it is its turn. The returned context is the call's, and may hold that turn.
pub type Admission<C> = fn(C) -> BoxFuture<'static, Result<C, RpcError>>;

/// Called after every call with the procedure's path (`unknown` where there is none), the code if it failed, and the duration.
pub type Observer = fn(&'static str, Option<Code>, Duration);

/// The `retry-after` of a temporary internal error.
const TEMPORARY_RETRY_AFTER: Duration = Duration::from_secs(1);

impl<C: Send + 'static> Router<C> {
    pub const fn new() -> Self {
        Self {
            procedures: BTreeMap::new(),
            is_temporary: |_| false,
            observer: |_, _, _| {},
            admission: None,
        }
    }

    /// Makes each call wait for `admission`, also each call of a batch.
    #[must_use]
    pub fn admitted_by(mut self, admission: Admission<C>) -> Self {
        self.admission = Some(admission);
        self
    }

    /// Answers the internal errors for which `is_temporary` holds, such as those of a restarting database, with
    /// SERVICE_UNAVAILABLE and a `retry-after`, and with no more text than the others.
    #[must_use]
    pub fn temporary_errors(mut self, is_temporary: fn(&(dyn Error + 'static)) -> bool) -> Self {
        self.is_temporary = is_temporary;
        self
    }

    /// Calls `observer` after every call, for metrics.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Reports a call of `path` to the observer.
    pub(crate) fn observe<T>(&self, path: &str, result: &Result<T, RpcError>, duration: Duration) {
        let procedure = self.get(path).map_or("unknown", |procedure| procedure.path);
        (self.observer)(procedure, result.as_ref().err().map(|error| error.code), duration);
    }

    /// Adds a procedure that changes nothing.
    ///
    /// Panics if the path is taken.
    #[must_use]
    pub fn query<I, O, F>(
        self,
        path: &'static str,
        handler: impl Fn(C, I) -> F + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned + TS + 'static,
        O: Serialize + TS + 'static,
        F: Future<Output = Result<O, RpcError>> + Send + 'static,
    {
        self.add(path, Kind::Query, handler)
    }

    /// Adds a procedure that changes something: POST only. Panics as [`Router::query`] does.
    #[must_use]
    pub fn mutation<I, O, F>(
        self,
        path: &'static str,
        handler: impl Fn(C, I) -> F + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned + TS + 'static,
        O: Serialize + TS + 'static,
        F: Future<Output = Result<O, RpcError>> + Send + 'static,
    {
        self.add(path, Kind::Mutation, handler)
    }

    /// Marks a procedure whose answer has a secret, such as a token. An answer with one, also that to a batch, is not compressed
    /// and asks proxies not to compress it: its length would help to guess the secret.
    ///
    /// Panics if there is no procedure at the path.
    #[must_use]
    pub fn secret(mut self, path: &str) -> Self {
        match self.procedures.get_mut(path) {
            Some(procedure) => procedure.is_secret = true,
            None => panic!("no procedure at {path}"),
        }
        self
    }

    /// All procedures, by path.
    pub fn procedures(&self) -> impl Iterator<Item = &Procedure<C>> {
        self.procedures.values()
    }

    /// Calls one procedure of this table. A failure is logged here, once.
    pub(crate) async fn call(
        &self,
        procedure: &Procedure<C>,
        context: C,
        input: Option<Value>,
    ) -> Result<Output, RpcError> {
        let admitted = match self.admission {
            Some(admission) => admission(context).await,
            None => Ok(context),
        };
        let mut result = match admitted {
            Ok(context) => procedure.run(context, input).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &mut result {
            error.log(procedure.path);
            if error.code == Code::InternalServerError
                && let Some(source) = &error.source
                && (self.is_temporary)(source.as_ref())
            {
                error.code = Code::ServiceUnavailable;
                error.retry_after = Some(TEMPORARY_RETRY_AFTER);
            }
        }
        result
    }

    /// Whether one of the procedures at `paths` is marked as [`secret`](Self::secret).
    pub(crate) fn has_secret<'p>(&self, paths: impl IntoIterator<Item = &'p str>) -> bool {
        let mut procedures = paths.into_iter().filter_map(|path| self.get(path));
        procedures.any(|procedure| procedure.is_secret)
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Procedure<C>> {
        self.procedures.get(path)
    }

    fn add<I, O, F>(
        mut self,
        path: &'static str,
        kind: Kind,
        handler: impl Fn(C, I) -> F + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned + TS + 'static,
        O: Serialize + TS + 'static,
        F: Future<Output = Result<O, RpcError>> + Send + 'static,
    {
        let procedure = Procedure::new(path, kind, handler);
        let taken = self.procedures.insert(path, procedure);
        assert!(taken.is_none(), "two procedures at {path}");
        self
    }
}

impl<C: Send + 'static> Default for Router<C> {
    fn default() -> Self {
        Self::new()
    }
}
