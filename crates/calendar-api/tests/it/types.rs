//! The TypeScript types of the client package match the table of procedures and the socket's messages.

use std::fs;
use std::path::Path;

use calendar_api::procedures;
use event_model::wire::{Change, Message};
use rpc::typescript::{Declarations, orpc_client, trpc_router};

/// Set by `cargo xtask types`: write the files instead of comparing with them.
const WRITE: &str = "CALWIRE_WRITE_TYPES";

#[test]
fn the_client_package_has_the_types_of_this_service() {
    let router = procedures::router();
    let mut declarations = Declarations::of(&router);
    declarations.add::<Message>();
    declarations.add::<Change>();
    let modules = [
        ("types.ts", declarations.module()),
        ("trpc.ts", trpc_router(&router, "./types.js")),
        ("orpc.ts", orpc_client(&router, "./types.js")),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/client/src/generated");
    for (name, module) in modules {
        let path = folder.join(name);
        assert!(!module.contains("bigint"), "JSON has no such numbers: {name}");
        let module = format!("// Written by `cargo xtask types`.\n\n{module}");
        if std::env::var_os(WRITE).is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, module).unwrap();
        } else {
            let written = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                written == module,
                "web/client/src/generated/{name} is not up to date: run `cargo xtask types` and commit it"
            );
        }
    }
}
