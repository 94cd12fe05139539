//! Parses the command line, runs the command, turns its outcome into the exit code.

fn main() {}
