//! Reads the configuration file. A flag or an ENROLLSCOPE_* variable wins over it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::hosts::{Host, HostError, SCHEMA};
use crate::filter::{Filter, FilterError, Saved, SavedError};

/// What is wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("could not read {}; check the name and the permissions", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is not TOML: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    #[error("{}: [{table}] is no command that takes a configuration; there are: {known}, and [filters]", path.display())]
    Table { path: PathBuf, table: String, known: String },
    #[error("{}: [{table}] {key} is no option; `enrollscope {table} --help` lists them", path.display())]
    Key { path: PathBuf, table: String, key: String },
    #[error("{}: [{table}] {key}: a text, a number, true, false or a list of those is wanted", path.display())]
    Value { path: PathBuf, table: String, key: String },
    #[error("{}: {message}", path.display())]
    Options { path: PathBuf, message: String },
    #[error("{}: [proxy.hosts]: a table for each name is wanted, like [proxy.hosts.\"enroll.contoso.com\"]", path.display())]
    Hosts { path: PathBuf },
    #[error("{}: [proxy.hosts.{name:?}]: {source}", path.display())]
    Host { path: PathBuf, name: String, source: HostError },
    #[error("{}: [filters]: a text for each name is wanted, like monday = \"age<12h & outcome:failed\"", path.display())]
    Filters { path: PathBuf },
    #[error("{}: [filters] {source}", path.display())]
    Saved { path: PathBuf, source: SavedError },
    #[error("{}: [{table}] filter: {source}", path.display())]
    Filter { path: PathBuf, table: String, source: FilterError },
}

/// The key under which the hosts' tables are.
const HOSTS: &str = "hosts";

/// The table of the saved filters.
const FILTERS: &str = "filters";

/// Commands whose options can stand in the file.
const TABLES: &[&str] = &["proxy", "check", "open", "demo"];

/// A file that was read and whose names exist.
#[derive(Debug)]
pub(super) struct Config {
    tables: Vec<Table>,
    hosts: Vec<Host>,
    filters: Saved,
}

#[derive(Debug)]
struct Table {
    command: String,
    /// Long names and their values.
    options: Vec<(String, Vec<String>)>,
}

impl Config {
    pub(super) fn parse(path: &Path, text: &str, command: &Command) -> Result<Self, ConfigError> {
        let document: toml::Table = text.parse().map_err(|e: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            message: without_paths(&e.to_string()),
        })?;
        let (mut tables, mut hosts, mut filters) = (Vec::new(), Vec::new(), Saved::default());
        for (table, entries) in document {
            if table == FILTERS {
                filters = read_filters(path, entries)?;
                continue;
            }
            let sub = command.find_subcommand(&table).filter(|_| TABLES.contains(&table.as_str()));
            let (Some(sub), toml::Value::Table(entries)) = (sub, entries) else {
                return Err(ConfigError::Table { path: path.to_owned(), table, known: TABLES.join(", ") });
            };
            let mut options = Vec::new();
            for (key, value) in entries {
                if table == "proxy" && key == HOSTS {
                    hosts = read_hosts(path, value)?;
                    continue;
                }
                if !sub.get_arguments().any(|a| a.get_long() == Some(key.as_str())) {
                    return Err(ConfigError::Key { path: path.to_owned(), table, key });
                }
                let Some(values) = values(&value) else {
                    return Err(ConfigError::Value { path: path.to_owned(), table, key });
                };
                options.push((key, values));
            }
            tables.push(Table { command: table, options });
        }
        let config = Self { tables, hosts, filters };
        config.try_filters(path)?;
        Ok(config)
    }

    /// Those that commands have of the file: they may use saved ones, which are known only now.
    fn try_filters(&self, path: &Path) -> Result<(), ConfigError> {
        for Table { command, options } in &self.tables {
            for line in options.iter().filter(|(key, _)| key == "filter").flat_map(|(_, lines)| lines) {
                let wrong =
                    |source| ConfigError::Filter { path: path.to_owned(), table: command.clone(), source };
                Filter::read(line, &self.filters).map_err(wrong)?;
            }
        }
        Ok(())
    }

    /// The tables of the public names, and the saved filters.
    pub(super) fn into_parts(self) -> (Vec<Host>, Saved) {
        (self.hosts, self.filters)
    }

    /// The command line with the file's options behind it, where neither flag nor variable says otherwise.
    pub(super) fn extend(
        &self,
        mut line: Vec<OsString>,
        command: &Command,
        matches: &ArgMatches,
    ) -> Vec<OsString> {
        let Some((name, given)) = matches.subcommand() else { return line };
        let Some(table) = self.tables.iter().find(|table| table.command == name) else { return line };
        for (key, values) in &table.options {
            let Some(argument) = command
                .find_subcommand(name)
                .and_then(|sub| sub.get_arguments().find(|a| a.get_long() == Some(key.as_str())))
            else {
                continue;
            };
            let source = given.value_source(argument.get_id().as_str());
            if matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable)) {
                continue;
            }
            for value in values {
                if argument.get_action().takes_values() {
                    line.push(format!("--{key}={value}").into());
                } else if value == "true" {
                    line.push(format!("--{key}").into());
                }
            }
        }
        line
    }
}

/// The message shows the line that is meant, and behind a URL's host may be a secret.
fn without_paths(message: &str) -> String {
    let Some((before, rest)) = message.split_once("://") else { return message.to_owned() };
    let (line, lines) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
    let shown = match line.find(['/', '?', '#']) {
        // A user and password come first.
        _ if line.contains('@') => "…".to_owned(),
        Some(at) => format!("{}…", line.get(..=at).unwrap_or_default()),
        None => line.to_owned(),
    };
    format!("{before}://{shown}{}", without_paths(lines))
}

fn read_hosts(path: &Path, value: toml::Value) -> Result<Vec<Host>, ConfigError> {
    let toml::Value::Table(tables) = value else { return Err(ConfigError::Hosts { path: path.to_owned() }) };
    let read = |(name, table): (String, toml::Value)| {
        if !table.is_table() {
            return Err(ConfigError::Hosts { path: path.to_owned() });
        }
        let given = format!("[proxy.hosts.{name:?}] in {}", path.display());
        Host::read(&name, table, given).map_err(|source| ConfigError::Host {
            path: path.to_owned(),
            name,
            source,
        })
    };
    tables.into_iter().map(read).collect()
}

fn read_filters(path: &Path, value: toml::Value) -> Result<Saved, ConfigError> {
    let filters: BTreeMap<String, String> =
        value.try_into().map_err(|_| ConfigError::Filters { path: path.to_owned() })?;
    Saved::new(filters).map_err(|source| ConfigError::Saved { path: path.to_owned(), source })
}

fn values(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(flag) => Some(vec![flag.to_string()]),
        toml::Value::Array(items) => {
            let all: Option<Vec<_>> = items.iter().map(values).collect();
            Some(all?.into_iter().flatten().collect())
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// Everything that can stand in the file, as a commented example.
pub fn schema(command: &Command) -> String {
    let mut out = String::from("# enrollscope.toml: every option of a command by its long name.\n");
    for table in TABLES {
        let Some(sub) = command.find_subcommand(table) else { continue };
        out.push_str(&format!("\n[{table}]\n"));
        for argument in sub.get_arguments().filter(|a| !a.is_global_set()) {
            let Some(long) = argument.get_long().filter(|l| *l != "help" && *l != "version") else {
                continue;
            };
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let default = argument.get_default_values().first().map(|d| d.to_string_lossy().into_owned());
            let value = match (argument.get_action().takes_values(), default) {
                (false, _) => "false".to_owned(),
                (true, Some(default)) => format!("\"{default}\""),
                (true, None) => "\"…\"".to_owned(),
            };
            out.push_str(&format!("# {help}\n# {long} = {value}\n"));
        }
        if *table == "proxy" {
            out.push_str(SCHEMA);
        }
    }
    out.push_str(FILTERS_SCHEMA);
    out
}

const FILTERS_SCHEMA: &str = r#"
# Filters under names, to be used wherever there is a filter: `@monday & user:anna`. They may use each other.
[filters]
# monday = "age<12h & outcome:failed"
# cap = "rule:FAULT-011 | ~b DeviceCapReached"
"#;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn line(config: &str, words: &[&str]) -> Result<Vec<String>, ConfigError> {
        let command = Cli::command();
        let config = Config::parse(Path::new("f.toml"), config, &command)?;
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let matches = command.clone().get_matches_from(&words);
        let line = config.extend(words, &command, &matches);
        Ok(line.into_iter().map(|w| w.to_string_lossy().into_owned()).collect())
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let config = "[proxy]\nupstream = 'https://a.example'\nrewrite = true\nlisten = ['127.0.0.1:1', '127.0.0.1:2']\n";
        let words = ["enrollscope", "proxy", "--upstream", "https://b.example"];
        let expected = [&words[..], &["--rewrite", "--listen=127.0.0.1:1", "--listen=127.0.0.1:2"]].concat();
        let mut found = line(config, &words).unwrap();
        found.sort();
        let mut expected: Vec<_> = expected.iter().map(|w| (*w).to_owned()).collect();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (config, words) in [
            ("[proxy]\nupstraem = 'x'", "[proxy] upstraem is no option"),
            ("[prosy]\n", "[prosy] is no command"),
            ("[proxy\n", "is not TOML"),
            ("[proxy]\nlisten = 1.5", "a text, a number"),
            ("[proxy]\nhosts = 1", "a table for each name"),
            ("[proxy.hosts]\n'a.b' = 1", "a table for each name"),
            ("[proxy.hosts.'a b']\nmode = 'refuse'", "is no host name"),
            ("[proxy.hosts.'a.b']\n", "[proxy.hosts.\"a.b\"]: there is no upstream"),
            ("[proxy.hosts.'a.b']\nupstraem = 'x'", "unknown field `upstraem`"),
            ("[proxy.hosts.'a.b']\nmode = 'relay'", "unknown variant `relay`"),
            ("[proxy.hosts.'a.b']\nupstream = 'mdm.example'", "upstream: \"mdm.example\" is no origin"),
            ("[proxy.hosts.'a.b']\nupstream = 'http://s'\nupstream-connect = 's:1'", "is no ADDR:PORT"),
            (
                "[proxy.hosts.'a.b']\nupstream = 'http://s'\nclient-certificates = 'often'",
                "none of auto, ask and never",
            ),
            (
                "[proxy.hosts.'a.b']\nupstream = 'http://s'\nclient-certificate-header = 'x'",
                "client-certificate-header: it is one of",
            ),
            ("[proxy.hosts.'a.b']\nupstream = 'http://s'\ntls-cert = 'c'", "belong together"),
            (
                "[proxy.hosts.'a.b']\nupstream = 'http://s'\ntls-cert = 'c'\ntls-pfx = 'p'",
                "exclude each other",
            ),
            ("[proxy.hosts.'a.b']\nupstream = 'http://s'\ntls-pfx-password-env = 'P'", "there is none"),
            ("[proxy.hosts.'a.b']\nmode = 'refuse'\nupstream = 'http://s'", "says nothing with mode"),
            ("[proxy.hosts.'a.b']\nmode = 'passthrough'\ntls-cert = 'c'", "tls-cert says nothing"),
            ("filters = 'x'", "a text for each name"),
            ("[filters]\nmonday = 1", "a text for each name"),
            ("[filters]\n'a b' = 'x'", "f.toml: [filters] \"a b\" is no name"),
            (
                "[filters]\na = '@b'\nb = 'x & user:'",
                "[filters] b: what is user to be?\n  x & user:\n           ^",
            ),
            (
                "[check]\nfilter = '@a'\n[filters]\nb = 'x'",
                "[check] filter: there is no @a; there are @b\n  @a\n  ^",
            ),
        ] {
            let error = line(config, &["enrollscope", "check", "x"]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_schema_names_every_option_and_can_be_read() {
        let text = schema(&Cli::command());
        assert!(text.contains("# upstream-ca = ") && text.contains("# [proxy.hosts."));
        Config::parse(Path::new("f.toml"), &text, &Cli::command()).unwrap();
        // Every key of the hosts' table is one, and none is missing.
        let at = text.find("# [proxy.hosts.").unwrap();
        let hosts = text[at..].lines().map(|line| line.trim_start_matches("# "));
        let keys: Vec<_> =
            hosts.take_while(|l| !l.starts_with("[check")).filter_map(|l| l.split_once(" = ")).collect();
        assert_eq!(keys.len(), 15);
        // What stands in comments is as good.
        let at = text.find("[filters]").unwrap();
        let filters = text[at..].replace("\n# ", "\n");
        let read = Config::parse(Path::new("f.toml"), &filters, &Cli::command()).unwrap();
        assert_eq!(read.into_parts().1.beginning(""), ["@cap", "@monday"]);
        for (key, _) in keys {
            let line = format!("[proxy.hosts.'a.b']\n{key} = []");
            let error = Config::parse(Path::new("f.toml"), &line, &Cli::command()).unwrap_err().to_string();
            assert!(error.contains("invalid type"), "{key}: {error}");
        }
    }
}
