//! The page as Markdown.

use std::fmt::Write as _;

use event_model::wire::{Change, Message};
use rpc::typescript::Declarations;
use rpc::{Kind, Procedure, Router};

use super::guide::{EVERYWHERE, Entry, Error, GUIDE};

const INTRODUCTION: &str = "\
# API

Written by `cargo xtask types` from the table of procedures; a test compares it.

Procedures are called over HTTP by tRPC 11 at `/trpc` or oRPC 1 at `/rpc-v1`, with the JWT of your application's user in
`Authorization: Bearer`. The TypeScript types below are exported by `@calwire/client`; the README has examples. Without a client:

```sh
curl -H \"Authorization: Bearer $JWT\" 'https://calendar.example.com/trpc/calendar.google.status'
curl -H \"Authorization: Bearer $JWT\" -H 'Content-Type: application/json' -d '{}' 'https://calendar.example.com/trpc/calendar.google.syncNow'
```

A query is a `GET` whose input is JSON in the parameter `input`, a mutation is a `POST` whose input is the body. The answer is
`{\"result\":{\"data\":…}}`, an error `{\"error\":{\"message\",\"code\",\"data\":{\"code\",\"httpStatus\",\"path\",\"reason\"?,\"issues\"?}}}`. Times
are RFC 3339.
";

pub fn page<C: Send + 'static>(router: &Router<C>) -> String {
    let mut declarations = Declarations::of(router);
    declarations.add::<Message>();
    declarations.add::<Change>();
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n## Errors of every procedure\n\n");
    page.push_str(&errors(&[EVERYWHERE]));
    page.push_str("\n## Procedures\n");
    for entry in GUIDE {
        if let Some(found) = router.procedures().find(|each| each.path == entry.path) {
            page.push_str(&procedure(entry, found, &declarations));
        }
    }
    page.push_str("\n## Messages\n\n");
    page.push_str(
        "What Centrifugo publishes on the channel `calendar:<user id>` are values of `Message`: apply `seq` = last + 1, ignore \
         what you\nhave, and load `realtime.getState` again after a gap.\n\n## Types\n",
    );
    for name in declarations.names() {
        let _ = write!(page, "\n### {name}\n\n{}", code(&declarations, name));
    }
    page
}

fn procedure<C: Send + 'static>(
    entry: &Entry,
    procedure: &Procedure<C>,
    declarations: &Declarations,
) -> String {
    let signature = procedure.signature();
    let method = match procedure.kind {
        Kind::Query => "Query, `GET`.",
        Kind::Mutation => "Mutation, `POST`.",
    };
    let mut text = format!("\n### {}\n\n{method} {}\n\n", entry.path, entry.about);
    match &signature.input {
        None => text.push_str("**Input**: none.\n\n"),
        Some(name) => {
            let optional = if signature.needs_input {
                ""
            } else {
                ", may be left out"
            };
            let _ = write!(
                text,
                "**Input**: {}{optional}\n\n{}\n",
                link(name),
                code(declarations, name)
            );
        }
    }
    let _ = write!(
        text,
        "**Output**: {}\n\n{}\n",
        link(&signature.output),
        code(declarations, &signature.output)
    );
    if entry.errors.is_empty() {
        text.push_str("**Errors**: those of every procedure.\n");
    } else {
        text.push_str("**Errors**, beside those of every procedure:\n\n");
        text.push_str(&errors(entry.errors));
    }
    text
}

fn link(name: &str) -> String {
    format!("[`{name}`](#{})", name.to_lowercase())
}

fn code(declarations: &Declarations, name: &str) -> String {
    let declaration = declarations.get(name).unwrap_or_default();
    assert!(!declaration.is_empty(), "{name} is not declared");
    format!("```ts\n{declaration}```\n")
}

fn errors(groups: &[&[Error]]) -> String {
    let mut table = String::from("| code | HTTP | `data.reason` | when |\n|---|---|---|---|\n");
    for Error { code, reason, when } in groups.iter().copied().flatten() {
        let reason = reason.map(|reason| format!("`{reason}`")).unwrap_or_default();
        let _ = writeln!(
            table,
            "| `{}` | {} | {reason} | {when} |",
            code.name(),
            code.status()
        );
    }
    table
}
