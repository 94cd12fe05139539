//! Parses the command line, runs the command, turns its outcome into the exit code.

use std::process::ExitCode;

use clap::FromArgMatches as _;
use enrollscope::cli::{self, Cli, Command, ConfigCommand};
use enrollscope::commands::{self, Exit, Output};
use enrollscope::config::{Config, Host, schema};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = cli::command();
    let line: Vec<_> = std::env::args_os().collect();
    let matches = command.clone().get_matches_from(&line);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let out = Output::new(cli.color);
    let exit = with_config(cli, &command, line, &matches)
        .and_then(|(cli, hosts)| run(&cli, &hosts, out))
        .unwrap_or_else(|error| {
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

/// The command line again, with the configuration file's options behind it; and the file's tables of hosts.
fn with_config(
    cli: Cli,
    command: &clap::Command,
    line: Vec<std::ffi::OsString>,
    matches: &clap::ArgMatches,
) -> anyhow::Result<(Cli, Vec<Host>)> {
    let Some(path) = &cli.config else { return Ok((cli, Vec::new())) };
    let config = Config::read(path, command)?;
    let line = config.extend(line, command, matches);
    let matches = command.clone().get_matches_from(line);
    Ok((Cli::from_arg_matches(&matches)?, config.into_hosts()))
}

fn run(cli: &Cli, hosts: &[Host], out: Output) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Demo(args) => commands::demo(args, out),
        Command::Proxy(args) => commands::proxy(args, hosts, out),
        Command::Open(args) => commands::open(args, out),
        Command::Check(args) => commands::check(args, out),
        Command::Rules(args) => commands::rules(args, out),
        Command::Server(args) => commands::server(args, out),
        Command::Enroll(args) => commands::enroll(args, out),
        Command::Certs(certs) => commands::certs(certs, out),
        Command::Repair(args) => commands::repair(args, out),
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
