//! The TypeScript side of a table: what its payloads are, and what an unchanged `@trpc/client` or `@orpc/client` has to
//! be told to know its procedures.
//!
//! The payloads are one module of declarations, [`Declarations`]. The clients' types, [`trpc_router`] and
//! [`orpc_client`], are a module each that imports from it; they have no code, only types. All are laid out as Prettier
//! lays them out at 120 columns with single quotes.

mod layout;

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ts_rs::{Config, TS, TypeVisitor};

use crate::{Code, Issue, Kind, Procedure, Router};

/// What ts-rs makes of a struct without fields.
const NO_FIELDS: &str = "Record<symbol, never>";

/// TypeScript types by name, with all that they are made of.
#[derive(Debug)]
pub struct Declarations {
    by_name: BTreeMap<String, Declaration>,
}

#[derive(Debug)]
struct Declaration {
    of: TypeId,
    docs: Option<String>,
    /// What stands behind `type Name =`.
    definition: String,
}

impl Declarations {
    /// The inputs and outputs of all procedures, and what is said about a wrong input.
    pub fn of<C: Send + 'static>(router: &Router<C>) -> Self {
        let mut declarations = Self {
            by_name: BTreeMap::new(),
        };
        declarations.add::<Issue>();
        for procedure in router.procedures() {
            procedure.declare_types(&mut declarations);
        }
        declarations
    }

    /// Adds a type that goes another way than through a procedure, or a union that others flatten.
    ///
    /// Panics when another type has its name in TypeScript.
    pub fn add<T: TS + 'static + ?Sized>(&mut self) {
        let config = config();
        if T::output_path().is_none() || T::inline(&config) == NO_FIELDS {
            T::visit_generics(self);
            return;
        }
        let name = T::ident(&config);
        if let Some(known) = self.by_name.get(&name) {
            assert!(known.of == TypeId::of::<T>(), "two types are called {name}");
            return;
        }
        let declaration = Declaration {
            of: TypeId::of::<T>(),
            docs: T::docs(),
            definition: T::inline(&config),
        };
        self.by_name.insert(name, declaration);
        T::visit_dependencies(self);
    }

    /// The module that exports them all.
    pub fn module(&self) -> String {
        let declarations: Vec<_> = self.names().filter_map(|name| self.get(name)).collect();
        declarations.join("\n")
    }

    /// The names of all types, in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// One type, as the module exports it.
    pub fn get(&self, name: &str) -> Option<String> {
        let declaration = self.by_name.get(name)?;
        let docs = declaration.docs.as_deref();
        let mut text = docs.map(|docs| layout::comment(docs, 0)).unwrap_or_default();
        text.push_str(&layout::declaration(
            name,
            &self.by_reference(name, &declaration.definition),
        ));
        Some(text)
    }

    /// A union that another type flattens is written out there, in parentheses; its name says it better.
    fn by_reference(&self, name: &str, definition: &str) -> String {
        let others = self.by_name.iter().filter(|(other, _)| *other != name);
        others.fold(definition.to_owned(), |definition, (other, declaration)| {
            definition.replace(&format!("({})", declaration.definition), other)
        })
    }
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        self.add::<T>();
    }
}

pub(crate) fn config() -> Config {
    // What JSON.parse makes of it.
    Config::default().with_large_int("number")
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
/** What an error's `shape` is: `data.reason` is a word for programs, `data.issues` tells what is wrong with the input. */
export interface ErrorShape extends TRPCDefaultErrorShape {
  data: TRPCDefaultErrorShape['data'] & { reason?: string; issues?: InputIssue[] };
}

/** Plain JSON: a client with a transformer does not fit. */
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

/** The table of procedures, as `createTRPCClient` wants to know it. */
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

/// A module with `AppClient`, the type of a client that `createORPCClient` of `@orpc/client` 1 makes. `types` is where
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

/** What `isDefinedError` recognises: an error with a word for programs. */
export type DefinedError = ORPCError<ErrorCode, { reason: string; issues?: InputIssue[] }>;

type Procedure<Input, Output> = Client<Record<never, never>, Input, Output, Error | DefinedError>;

/** The table of procedures, as a client of `createORPCClient`. */
export type AppClient = {
",
    );
    module.push_str(&tree(router, 1, |_, input, output| {
        format!("Procedure<{input}, {output}>")
    }));
    module.push_str("};\n");
    module
}

/// The import of the names that a client's module uses, in the order of the alphabet.
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

/// None where there is nothing to say.
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

/// Whether an input has any field at all.
pub(crate) fn has_fields<I: TS>(config: &Config) -> bool {
    I::inline(config) != NO_FIELDS
}

#[cfg(test)]
mod tests;
