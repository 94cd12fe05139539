//! Parses the command line, runs the command, turns its outcome into the exit code.

use std::process::ExitCode;
use std::sync::Arc;

use clap::FromArgMatches as _;
use enrollscope::cli::{self, Cli, Command, ConfigCommand};
use enrollscope::commands::{self, Exit, Output};
use enrollscope::config::{Configured, schema};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = cli::command();
    let words: Vec<_> = std::env::args_os().collect();
    let matches = command.clone().get_matches_from(&words);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let out = Output::new(cli.color);
    let exit = run(&cli, words, command, out).unwrap_or_else(|error| {
        out.note(&format!("error: {}", sentence(&error)));
        Exit::Failed
    });
    ExitCode::from(exit.code())
}

/// The error and its causes; what one has already told of the next is not said twice.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        _ if said.contains(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

fn run(
    cli: &Cli,
    words: Vec<std::ffi::OsString>,
    command: clap::Command,
    out: Output,
) -> anyhow::Result<Exit> {
    let configured = cli.config.as_deref().map(|file| Configured::open(file, words, command)).transpose()?;
    let configured = configured.map(Arc::new);
    let cli = configured.as_ref().map_or(cli, |configured| &configured.reading.cli);
    let saved = configured.as_ref().map(|configured| configured.reading.filters.clone()).unwrap_or_default();
    match &cli.command {
        Command::Demo(args) => commands::demo(args, &saved, out),
        Command::Proxy(args) => commands::proxy(args, configured.as_ref(), out),
        Command::AlertTest(args) => commands::alert_test(args, configured.as_deref(), out),
        Command::Open(args) => commands::open(args, &saved, out),
        Command::Check(args) => commands::check(args, &saved, out),
        Command::Replay(args) => commands::replay(args, out),
        Command::Serve(args) => commands::serve(args, out),
        Command::Suite(suite) => commands::suite(suite, out),
        Command::Diff(args) => commands::diff(args, out),
        Command::Doctor(args) => commands::doctor(args, out),
        Command::Conform(args) => commands::conform(args, out),
        Command::Explain(args) => commands::explain(args, out),
        Command::Rules(args) => commands::rules(args, out),
        Command::Server(args) => commands::server(args, out),
        Command::Enroll(args) => commands::enroll(args, out),
        Command::Certs(certs) => commands::certs(certs, out),
        Command::Repair(args) => commands::repair(args, out),
        Command::Bundle(bundle) => commands::bundle(bundle, &saved, out),
        Command::Redact(args) => commands::redact(args, out),
        Command::Import(args) => commands::import(args, out),
        Command::Export(args) => commands::export(args, out),
        Command::Config(ConfigCommand::Check { file }) => commands::config_check(file, out),
        Command::Config(ConfigCommand::Schema) => {
            out.print(&schema(&cli::command()));
            Ok(Exit::Good)
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut cli::command(), "enrollscope", &mut text);
            out.print(&String::from_utf8_lossy(&text));
            Ok(Exit::Good)
        }
        Command::Man => {
            let mut text = Vec::new();
            clap_mangen::Man::new(cli::command()).render(&mut text)?;
            out.print(&String::from_utf8_lossy(&text));
            Ok(Exit::Good)
        }
    }
}
