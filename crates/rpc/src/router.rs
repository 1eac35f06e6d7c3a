//! The table of procedures, and how one of them is called.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use ts_rs::TS;

use crate::typescript::Declarations;
use crate::{Code, RpcError, input, typescript};

/// Reads come from a database and take milliseconds; longer than this and nobody is waiting any more.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Mutations may ask another system, with timeouts of its own, more than once.
const MUTATION_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Query,
    Mutation,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
        }
    }

    const fn timeout(self) -> Duration {
        match self {
            Self::Query => QUERY_TIMEOUT,
            Self::Mutation => MUTATION_TIMEOUT,
        }
    }
}

/// A handler's output as JSON; `None` for `()`, which is `undefined` to a client.
pub(crate) type Output = Option<Box<RawValue>>;

type Handler<C> = dyn Fn(C, Option<Value>) -> BoxFuture<'static, Result<Output, RpcError>> + Send + Sync;

/// One row of the table.
pub struct Procedure<C> {
    /// Dotted, as clients write it: `calendar.google.getEvents`.
    pub path: &'static str,
    pub kind: Kind,
    handler: Arc<Handler<C>>,
    types: Types,
}

/// The types of a procedure by their names in TypeScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// None: there is nothing to say.
    pub input: Option<String>,
    /// A call without an input is refused.
    pub needs_input: bool,
    pub output: String,
}

/// The TypeScript side of a procedure, for [`typescript`].
struct Types {
    input: fn(&ts_rs::Config) -> String,
    has_input: fn(&ts_rs::Config) -> bool,
    needs_input: fn() -> bool,
    output: fn(&ts_rs::Config) -> String,
    declare: fn(&mut Declarations),
}

impl<C> Procedure<C> {
    /// The TypeScript name of the input type.
    pub fn input_type(&self, config: &ts_rs::Config) -> String {
        (self.types.input)(config)
    }

    /// The TypeScript name of the output type.
    pub fn output_type(&self, config: &ts_rs::Config) -> String {
        (self.types.output)(config)
    }

    /// What it takes and answers, for people who read about it.
    pub fn signature(&self) -> Signature {
        let config = typescript::config();
        Signature {
            input: self.has_input(&config).then(|| self.input_type(&config)),
            needs_input: self.needs_input(),
            output: self.output_type(&config),
        }
    }

    /// Whether the input has any field.
    pub(crate) fn has_input(&self, config: &ts_rs::Config) -> bool {
        (self.types.has_input)(config)
    }

    /// Whether a call without an input is refused.
    pub(crate) fn needs_input(&self) -> bool {
        (self.types.needs_input)()
    }

    /// Declares both types and all they are made of.
    pub(crate) fn declare_types(&self, declarations: &mut Declarations) {
        (self.types.declare)(declarations);
    }

    /// Runs the handler: bounded in time, a panic caught.
    async fn run(&self, context: C, input: Option<Value>) -> Result<Output, RpcError> {
        let call = AssertUnwindSafe(async { (self.handler)(context, input).await }).catch_unwind();
        match tokio::time::timeout(self.kind.timeout(), call).await {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => Err(RpcError::internal("the handler panicked")),
            Err(_elapsed) => {
                Err(RpcError::of(Code::Timeout).with_source("the handler took longer than it may"))
            }
        }
    }
}

impl<C> fmt::Debug for Procedure<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Procedure")
            .field("path", &self.path)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// The table. `C` is what a handler is told beside its input: who calls, and the service's state.
#[derive(Debug)]
pub struct Router<C> {
    procedures: BTreeMap<&'static str, Procedure<C>>,
    passing: fn(&(dyn Error + 'static)) -> bool,
    observer: Observer,
    admission: Option<Admission<C>>,
}

/// Lets a call begin when it is its turn: the context that it gives back is the call's, and may hold that turn.
pub type Admission<C> = fn(C) -> BoxFuture<'static, Result<C, RpcError>>;

/// Is told of every call: the procedure's path (`unknown` where there is none), the code if it failed, and its duration.
pub type Observer = fn(&'static str, Option<Code>, Duration);

/// What a client is asked to wait when the cause of an internal error passes by itself.
const PASSING_RETRY_AFTER: Duration = Duration::from_secs(1);

impl<C: Send + 'static> Router<C> {
    pub const fn new() -> Self {
        Self {
            procedures: BTreeMap::new(),
            passing: |_| false,
            observer: |_, _, _| {},
            admission: None,
        }
    }

    /// Has each call wait for `admission`, each of a batch for itself.
    #[must_use]
    pub fn admitted_by(mut self, admission: Admission<C>) -> Self {
        self.admission = Some(admission);
        self
    }

    /// Tells which internal errors pass by themselves, such as a database that restarts: they are answered with
    /// SERVICE_UNAVAILABLE and a `retry-after`, and no more text than the others.
    #[must_use]
    pub fn passing_errors(mut self, passing: fn(&(dyn Error + 'static)) -> bool) -> Self {
        self.passing = passing;
        self
    }

    /// Tells `observer` of every call that names a procedure, for metrics.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// A call of `path` has been answered.
    pub(crate) fn observe<T>(&self, path: &str, answer: &Result<T, RpcError>, duration: Duration) {
        let procedure = self.get(path).map_or("unknown", |procedure| procedure.path);
        (self.observer)(procedure, answer.as_ref().err().map(|error| error.code), duration);
    }

    /// Adds a procedure that changes nothing.
    ///
    /// Panics if the path is taken: the table is written down once, in code.
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
                && (self.passing)(source.as_ref())
            {
                error.code = Code::ServiceUnavailable;
                error.retry_after = Some(PASSING_RETRY_AFTER);
            }
        }
        result
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
        let handler = move |context, input| -> BoxFuture<'static, Result<Output, RpcError>> {
            match input::parse::<I>(input) {
                Ok(input) => handler(context, input).map(|output| encode(&output?)).boxed(),
                Err(error) => std::future::ready(Err(error)).boxed(),
            }
        };
        let procedure = Procedure {
            path,
            kind,
            handler: Arc::new(handler),
            types: Types {
                input: I::name,
                has_input: typescript::has_fields::<I>,
                needs_input: || input::parse::<I>(None).is_err(),
                output: O::name,
                declare: |declarations| {
                    declarations.add::<I>();
                    declarations.add::<O>();
                },
            },
        };
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

fn encode<O: Serialize + 'static>(output: &O) -> Result<Output, RpcError> {
    if TypeId::of::<O>() == TypeId::of::<()>() {
        return Ok(None);
    }
    serde_json::value::to_raw_value(output)
        .map(Some)
        .map_err(RpcError::internal)
}
