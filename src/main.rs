//! Parses the command line, runs the command, turns its outcome into the exit code.

use std::process::ExitCode;

use clap::Parser as _;
use enrollscope::cli::{Cli, Command};
use enrollscope::commands::{self, Exit, Output};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output::new(cli.color);
    let ended = match &cli.command {
        Command::Check(args) => commands::check(args, out),
        Command::Open(args) => commands::open(args, out),
        Command::Rules(args) => commands::rules(args, out),
        Command::Repair(args) => commands::repair(args, out),
        _ => Ok(Exit::Failed),
    };
    let exit = ended.unwrap_or_else(|error| {
        out.note(&format!("error: {error:#}"));
        Exit::Failed
    });
    ExitCode::from(exit.code())
}
