//! `cargo xtask`: the whole product on one machine, and its gate.

mod bench;
mod cargo;
mod chaos;
mod checked;
mod config;
mod dates;
mod demo;
mod google_check;
mod http;
mod interrupt;
mod nextest;
mod node;
mod page;
mod passed_on;
mod ports;
mod prepare;
mod secrets;
mod services;
mod simulate;
mod stack;
mod supervisor;
mod test;
mod token;
mod tools;
mod types;
mod up;
mod words;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Calwire on one machine: run it, test it, measure it.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring up Postgres, Centrifugo, the Google emulator, the services and the page, with three demo users; Ctrl-C
    /// stops all.
    Up(up::Args),
    /// Run the gate: format, lints, docs, SQL metadata, dependencies, configuration, the web packages, every test.
    Test(test::Args),
    /// Build with optimisations and run the benchmarks.
    Bench(bench::Args),
    /// Run all services in one process from a seed, inject every kind of fault, and check that their promises hold.
    Simulate(passed_on::Args),
    /// Run all services as processes, break them, their links, Postgres, Centrifugo and Google by a seed's plan, and check
    /// that nothing was lost.
    Chaos(passed_on::Args),
    /// Run the end-to-end tests, in a browser too, on days when a calendar is easily wrong: month ends, changes of clocks.
    Dates(dates::Args),
    /// Check the beliefs about Google Calendar against a real account, and clean up.
    GoogleCheck(passed_on::Args),
    /// Print a signed JWT of a demo user, alone on standard output. Needs a stack that `up` has started once.
    Token(token::Args),
    /// Write `.sqlx`, the metadata by which SQL is checked without a database. Run it after changing SQL.
    Prepare(prepare::Args),
    /// Write the client package's TypeScript types and docs/api.md. Run it after changing a procedure or a payload.
    Types,
    /// Count the patterns of unclear prose that docs/contributing.md asks to avoid.
    Words(words::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Up(args) => up::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Chaos(args) => chaos::run(&args),
        Command::Dates(args) => dates::run(&args),
        Command::GoogleCheck(args) => google_check::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Prepare(args) => prepare::run(&args),
        Command::Types => types::run(),
        Command::Words(args) => words::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
