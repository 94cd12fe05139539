//! The shape of the crate, as a test: which module may import which, what is pure, how long a file may be.

use std::fs;
use std::path::{Path, PathBuf};

/// The way of the data. A module imports only itself and modules before it.
const ORDER: &[&str] = &[
    "event",
    "xml",
    "message",
    "redact",
    "capture",
    "dialogue",
    "rules",
    "enrollment",
    "diagnosis",
    "engine",
    "compare",
    "filter",
    "metrics",
    "report",
    "alert",
    "dashboard",
    "sink",
    "net",
    "proxy",
    "sim",
    "replay",
    "doctor",
    "conform",
    "terminal",
    "cli",
    "config",
    "commands",
];

/// Everything up to here computes and does nothing else.
const LAST_PURE: &str = "dashboard";

/// Pairs that the order would allow, and the design does not: they meet in the wiring only.
const STRANGERS: &[(&str, &str)] = &[
    ("proxy", "dashboard"),
    ("dashboard", "report"),
    ("dashboard", "alert"),
    ("sim", "proxy"),
    ("net", "dashboard"),
    ("sink", "dashboard"),
];

const IMPURE: &[&str] = &[
    "tokio::",
    "hyper::",
    "hyper_util::",
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "::now()",
    "println!",
    "print!(",
    "dbg!",
    "rand::",
    "now_v7",
    "new_v4",
];

const LONGEST_FILE: usize = 600;
const LONGEST_MOD: usize = 80;

struct Source {
    name: String,
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in rust_files(&src) {
        let name = path.strip_prefix(&src).unwrap().display().to_string().replace('\\', "/");
        let module = name.split(['/', '.']).next().unwrap().to_owned();
        found.push(Source { text: fs::read_to_string(&path).unwrap(), module, name });
    }
    found
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|m| *m == module)
}

/// Every `crate::name` in code; comments may name whom they like.
fn imports(text: &str) -> Vec<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn imports_follow_the_data() {
    for source in sources().iter().filter(|s| !["lib", "main"].contains(&s.module.as_str())) {
        let mine = rank(&source.module).unwrap_or_else(|| panic!("{}: add it to ORDER", source.module));
        for used in imports(&source.text) {
            let theirs =
                rank(used).unwrap_or_else(|| panic!("{}: crate::{used} is not in ORDER", source.name));
            assert!(theirs <= mine, "{}: {} must not import {used}", source.name, source.module);
            let strangers = STRANGERS.contains(&(source.module.as_str(), used))
                || STRANGERS.contains(&(used, source.module.as_str()));
            assert!(!strangers, "{}: {} and {used} meet in commands/ only", source.name, source.module);
        }
    }
}

#[test]
fn pure_modules_do_no_io_and_read_no_clock() {
    let last = rank(LAST_PURE).unwrap();
    for source in sources() {
        if rank(&source.module).is_none_or(|r| r > last) {
            continue;
        }
        // Tests at a file's foot, and files of tests, may do what they need.
        if source.name.ends_with("tests.rs") || source.name.contains("/tests/") {
            continue;
        }
        let code = source.text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
            for word in IMPURE {
                assert!(!line.contains(word), "{}: {word} in a pure module: {line}", source.name);
            }
        }
    }
}

#[test]
fn files_say_what_they_are_for_and_stay_short() {
    for source in sources() {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//!") || first.starts_with("#![doc"),
            "{}: say in one line what this file is for",
            source.name
        );
        let lines = source.text.lines().count();
        let limit = if source.name.ends_with("/mod.rs") { LONGEST_MOD } else { LONGEST_FILE };
        assert!(lines <= limit, "{}: {lines} lines, at most {limit}", source.name);
        assert!(!source.text.contains("super::super"), "{}: use crate::", source.name);
    }
}
