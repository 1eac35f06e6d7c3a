//! `types`: the client package's TypeScript types and `docs/api.md`, from the procedures and payloads of `calendar-api`.
//!
//! Tests of `calendar-api` compare them in every run of the gate; here the same tests write them. So this program need not
//! be compiled together with a service.

use anyhow::Result;

use crate::cargo::cargo;
use crate::interrupt;

/// The variable with which the tests write their files.
const WRITE: &str = "CALWIRE_WRITE_TYPES";

pub fn run() -> Result<()> {
    interrupt::install()?;
    interrupt::run(
        cargo()
            .args([
                "test",
                "--quiet",
                "--locked",
                // With one package alone, Cargo would compile most dependencies again.
                "--workspace",
                "--test",
                "it",
                "--",
                // Not the test that every procedure is documented: here there may be a new one.
                "the_client_package",
                "docs_api_md",
            ])
            .env(WRITE, "1"),
    )?;
    println!("Wrote web/client/src/generated and docs/api.md");
    Ok(())
}
