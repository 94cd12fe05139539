//! How the dashboard looks.

use clap::{Args, ValueEnum};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThemeFlag {
    /// As the terminal's background is, where COLORFGBG tells it; else dark
    Auto,
    /// For a dark background
    Dark,
    /// For a light background
    Light,
    /// White and strong colours on black, bold
    HighContrast,
    /// No colours: bold, dim and reverse only
    None,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct LookArgs {
    /// The dashboard's colours; with NO_COLOR, or `--color never`, each theme is `none`
    #[arg(long, value_name = "THEME", default_value = "auto")]
    pub theme: ThemeFlag,
    /// Draw the dashboard with ASCII only (so it is, too, where the locale is not UTF-8)
    #[arg(long)]
    pub ascii: bool,
}
