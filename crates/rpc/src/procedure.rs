//! One procedure: its handler and its types.

use std::any::TypeId;
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

use crate::typescript::declarations::{self, Declarations};
use crate::{Code, RpcError, input};

/// Queries read from a database and take milliseconds; after this long no caller is waiting any more.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Mutations may call another system, with its own timeouts, more than once.
const MUTATION_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    Query,
    Mutation,
}

impl Kind {
    pub fn name(self) -> &'static str {
        self.into()
    }

    pub(crate) const fn allowed_methods(self) -> &'static [&'static str] {
        match self {
            Self::Query => &["GET", "POST"],
            Self::Mutation => &["POST"],
        }
    }

    const fn timeout(self) -> Duration {
        match self {
            Self::Query => QUERY_TIMEOUT,
            Self::Mutation => MUTATION_TIMEOUT,
        }
    }
}

/// A handler's output as JSON. None: `()`, which is `undefined` to a client.
pub(crate) type Output = Option<Box<RawValue>>;

type Handler<C> = dyn Fn(C, Option<Value>) -> BoxFuture<'static, Result<Output, RpcError>> + Send + Sync;

/// One entry of the table.
pub struct Procedure<C> {
    /// Dotted, as clients write it: `calendar.google.getEvents`.
    pub path: &'static str,
    pub kind: Kind,
    /// Its answer has a secret: see [`Router::secret`](crate::Router::secret).
    pub is_secret: bool,
    handler: Arc<Handler<C>>,
    types: Types,
}

/// The names of a procedure's types in TypeScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// None: it has no fields.
    pub input: Option<String>,
    /// A call without an input is rejected.
    pub needs_input: bool,
    pub output: String,
}

/// The TypeScript side of a procedure, for [`typescript`](crate::typescript).
struct Types {
    input: fn(&ts_rs::Config) -> String,
    has_input: fn(&ts_rs::Config) -> bool,
    needs_input: fn() -> bool,
    output: fn(&ts_rs::Config) -> String,
    declare: fn(&mut Declarations),
    declare_output: fn(&mut Declarations),
}

impl<C> Procedure<C> {
    /// A procedure with the types of its handler.
    pub(crate) fn new<I, O, F>(
        path: &'static str,
        kind: Kind,
        handler: impl Fn(C, I) -> F + Send + Sync + 'static,
    ) -> Self
    where
        C: Send + 'static,
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
        Self {
            path,
            kind,
            is_secret: false,
            handler: Arc::new(handler),
            types: Types {
                input: I::name,
                has_input: declarations::has_fields::<I>,
                needs_input: || input::parse::<I>(None).is_err(),
                output: O::name,
                declare: |declarations| {
                    declarations.add::<I>();
                    declarations.add::<O>();
                },
                declare_output: Declarations::add::<O>,
            },
        }
    }

    /// The TypeScript name of the input type.
    pub fn input_type(&self, config: &ts_rs::Config) -> String {
        (self.types.input)(config)
    }

    /// The TypeScript name of the output type.
    pub fn output_type(&self, config: &ts_rs::Config) -> String {
        (self.types.output)(config)
    }

    /// The output type and all its dependencies.
    pub fn output_declarations(&self) -> Declarations {
        let mut declarations = Declarations::new();
        (self.types.declare_output)(&mut declarations);
        declarations
    }

    /// Its input and output, for documentation.
    pub fn signature(&self) -> Signature {
        let config = declarations::config();
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

    /// Whether a call without an input is rejected.
    pub(crate) fn needs_input(&self) -> bool {
        (self.types.needs_input)()
    }

    /// Declares both types and all their dependencies.
    pub(crate) fn declare_types(&self, declarations: &mut Declarations) {
        (self.types.declare)(declarations);
    }

    /// Runs the handler with a timeout; catches a panic.
    pub(crate) async fn run(&self, context: C, input: Option<Value>) -> Result<Output, RpcError> {
        let call = AssertUnwindSafe(async { (self.handler)(context, input).await }).catch_unwind();
        match tokio::time::timeout(self.kind.timeout(), call).await {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => Err(RpcError::internal("the handler panicked")),
            Err(_elapsed) => Err(RpcError::of(Code::Timeout).with_source("the handler timed out")),
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

fn encode<O: Serialize + 'static>(output: &O) -> Result<Output, RpcError> {
    if TypeId::of::<O>() == TypeId::of::<()>() {
        return Ok(None);
    }
    serde_json::value::to_raw_value(output)
        .map(Some)
        .map_err(RpcError::internal)
}
