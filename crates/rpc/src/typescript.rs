//! The TypeScript types of a table: its payloads, and its procedures for an unchanged `@trpc/client` or `@orpc/client`.
//!
//! The payloads are one module of declarations, [`Declarations`]. The clients' types, [`trpc_router`] and [`orpc_client`],
//! are a module each that imports from it. They have only types, laid out as by Prettier at 120 columns with single quotes.

pub(crate) mod declarations;
mod layout;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ts_rs::{Config, TS};

use crate::{Code, Issue, Kind, Procedure, Router};

pub use declarations::Declarations;
use declarations::config;

impl Declarations {
    /// The inputs and outputs of all procedures, and the issues of an invalid input.
    pub fn of<C: Send + 'static>(router: &Router<C>) -> Self {
        let mut declarations = Self::new();
        declarations.add::<Issue>();
        for procedure in router.procedures() {
            procedure.declare_types(&mut declarations);
        }
        declarations
    }
}

/// A module with `AppRouter`, for `createTRPCClient<AppRouter>` of `@trpc/client` 11. `types` is where the module of
/// [`Declarations`] is.
pub fn trpc_router<C: Send + 'static>(router: &Router<C>, types: &str) -> String {
    let mut module = String::from(
        "import type { TRPCBuiltRouter, TRPCDefaultErrorShape, TRPCMutationProcedure, TRPCQueryProcedure } from '@trpc/server';\n",
    );
    module.push_str(&imports(router, types));
    module.push_str(
        "
/** What an error's `shape` is: `data.reason` is a code for programs, `data.issues` lists the problems of the input. */
export interface ErrorShape extends TRPCDefaultErrorShape {
  data: TRPCDefaultErrorShape['data'] & { reason?: string; issues?: InputIssue[] };
}

/** Plain JSON: clients with a transformer are not supported. */
interface Root {
  ctx: object;
  meta: object;
  errorShape: ErrorShape;
  transformer: false;
}

interface Definition<Input, Output> {
  input: Input;
  output: Output;
  meta: object;
  errorShape: ErrorShape;
}

type Query<Input, Output> = TRPCQueryProcedure<Definition<Input, Output>>;
type Mutation<Input, Output> = TRPCMutationProcedure<Definition<Input, Output>>;

/** The table of procedures, for `createTRPCClient`. */
export type AppRouter = TRPCBuiltRouter<
  Root,
  {
",
    );
    module.push_str(&tree(router, 2, |kind, input, output| match kind {
        Kind::Query => format!("Query<{input}, {output}>"),
        Kind::Mutation => format!("Mutation<{input}, {output}>"),
    }));
    module.push_str("  }\n>;\n");
    module
}

/// A module with `AppClient`, the type of a client that `createORPCClient` of `@orpc/client` 1 returns. `types` is where
/// the module of [`Declarations`] is.
pub fn orpc_client<C: Send + 'static>(router: &Router<C>, types: &str) -> String {
    let mut module = String::from("import type { Client, ORPCError } from '@orpc/client';\n");
    module.push_str(&imports(router, types));
    module.push_str("\nexport type ErrorCode =");
    for code in Code::ALL {
        let _ = write!(module, "\n  | '{}'", code.name());
    }
    module.push_str(
        ";

/** An error that `isDefinedError` recognises: one with a `reason`. */
export type DefinedError = ORPCError<ErrorCode, { reason: string; issues?: InputIssue[] }>;

type Procedure<Input, Output> = Client<Record<never, never>, Input, Output, Error | DefinedError>;

/** The table of procedures, for `createORPCClient`. */
export type AppClient = {
",
    );
    module.push_str(&tree(router, 1, |_, input, output| {
        format!("Procedure<{input}, {output}>")
    }));
    module.push_str("};\n");
    module
}

/// The import of the names that a client's module uses, sorted.
fn imports<C: Send + 'static>(router: &Router<C>, types: &str) -> String {
    let config = config();
    let mut names = BTreeSet::from([Issue::name(&config)]);
    for procedure in router.procedures() {
        names.extend(input_name(procedure, &config));
        names.insert(procedure.output_type(&config));
    }
    let names: Vec<String> = names.into_iter().collect();
    let line = format!("import type {{ {} }} from '{types}';\n", names.join(", "));
    if line.len() <= layout::WIDTH {
        return line;
    }
    format!("import type {{\n  {},\n}} from '{types}';\n", names.join(",\n  "))
}

/// None: it has no fields.
fn input_name<C>(procedure: &Procedure<C>, config: &Config) -> Option<String> {
    procedure.has_input(config).then(|| procedure.input_type(config))
}

/// The procedures by the segments of their paths, a nested object.
fn tree<C: Send + 'static>(
    router: &Router<C>,
    depth: usize,
    procedure_type: impl Fn(Kind, &str, &str) -> String,
) -> String {
    let config = config();
    let indent = |level: usize| "  ".repeat(depth + level);
    let mut text = String::new();
    let mut open: Vec<&str> = Vec::new();
    for procedure in router.procedures() {
        let mut place: Vec<&str> = procedure.path.split('.').collect();
        let name = place.pop().unwrap_or_default();
        while !place.starts_with(&open) {
            open.pop();
            let _ = writeln!(text, "{}}};", indent(open.len()));
        }
        for segment in &place[open.len()..] {
            let _ = writeln!(text, "{}{segment}: {{", indent(open.len()));
            open.push(segment);
        }
        let input = match input_name(procedure, &config) {
            None => "undefined".to_owned(),
            Some(name) if procedure.needs_input() => name,
            Some(name) => format!("{name} | undefined"),
        };
        let output = procedure.output_type(&config);
        let procedure_type = procedure_type(procedure.kind, &input, &output);
        let _ = writeln!(text, "{}{name}: {procedure_type};", indent(open.len()));
    }
    while open.pop().is_some() {
        let _ = writeln!(text, "{}}};", indent(open.len()));
    }
    text
}

#[cfg(test)]
mod tests;
