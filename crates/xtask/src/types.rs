//! `types`: the client package's TypeScript types, from the procedures and payloads of `calendar-api`.
//!
//! A test of `calendar-api` knows them and compares them in every run of the gate; here the same test writes. So this
//! program need not be compiled together with a service.

use anyhow::Result;

use crate::cargo::cargo;
use crate::interrupt;

/// Tells the test to write.
const WRITE: &str = "CALWIRE_WRITE_TYPES";

pub fn run() -> Result<()> {
    interrupt::install()?;
    interrupt::run(
        cargo()
            .args([
                "test",
                "--quiet",
                "--locked",
                "--package",
                "calendar-api",
                "--test",
                "types",
            ])
            .env(WRITE, "1"),
    )?;
    println!("Wrote web/client/src/generated");
    Ok(())
}
