//! `chaos`: two of each service as processes, broken by a plan. Postgres, Centrifugo and the proxies are the run's own.

use anyhow::Result;
use provision::centrifugo;

use crate::cargo::{build_binaries, run_e2e};
use crate::node::Npm;
use crate::services::PACKAGES;
use crate::{interrupt, workspace};

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// As the run takes them; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    interrupt::install()?;
    build_binaries(&PACKAGES, false)?;
    // One page of each user is the real client.
    Npm::find()?.install(&workspace::root().join("web/conformance"))?;
    let centrifugo = centrifugo::binary(&mut |line| println!("{line}"))?;
    interrupt::run(
        run_e2e("chaos")
            .arg("--")
            .args(&args.arguments)
            .env("CENTRIFUGO_BIN", centrifugo),
    )
}
