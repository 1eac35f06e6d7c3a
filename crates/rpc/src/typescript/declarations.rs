//! The declarations of the payload types.

use std::any::TypeId;
use std::collections::BTreeMap;

use ts_rs::{Config, TS, TypeVisitor};

use super::layout;

/// The type that ts-rs writes for a struct without fields.
const NO_FIELDS: &str = "Record<symbol, never>";

/// TypeScript types by name, with all their dependencies.
#[derive(Debug)]
pub struct Declarations {
    by_name: BTreeMap<String, Declaration>,
}

#[derive(Debug)]
struct Declaration {
    of: TypeId,
    docs: Option<String>,
    /// The right side of `type Name =`.
    definition: String,
}

impl Declarations {
    pub(crate) fn new() -> Self {
        Self {
            by_name: BTreeMap::new(),
        }
    }

    /// Adds a type that no procedure has, or a union that others flatten.
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

    /// The names of all types, sorted.
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

    /// ts-rs writes out a union that another type flattens, in parentheses; replaces it by its name.
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
    // As JSON.parse reads it.
    Config::default().with_large_int("number")
}

/// Whether an input has any field at all.
pub(crate) fn has_fields<I: TS>(config: &Config) -> bool {
    I::inline(config) != NO_FIELDS
}
