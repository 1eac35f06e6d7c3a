//! `chaos`: two of each service as processes, broken by a plan, with their own Postgres, Centrifugo and proxies.

use anyhow::Result;
use provision::centrifugo;

use crate::cargo::{Profile, build_binaries, e2e};
use crate::node::Npm;
use crate::passed_on::Args;
use crate::services::PACKAGES;
use crate::{interrupt, workspace};

pub fn run(args: &Args) -> Result<()> {
    interrupt::install()?;
    build_binaries(&PACKAGES, Profile::Debug)?;
    // One page of each user is the real client.
    Npm::find()?.install(&workspace::root().join("web/conformance"))?;
    let centrifugo = centrifugo::binary(&mut |line| println!("{line}"))?;
    interrupt::run(
        e2e("chaos", Profile::Debug)?
            .args(&args.arguments)
            .env("CENTRIFUGO_BIN", centrifugo),
    )
}
