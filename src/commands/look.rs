//! How the dashboard is to look, from what the command line says.

use super::output::Output;
use crate::cli::{LookArgs, ThemeFlag};
use crate::dashboard::{Colours, Theme};
use crate::terminal;

pub(super) fn theme(look: LookArgs, out: Output) -> Theme {
    let colours = match look.theme {
        // NO_COLOR, or --color never.
        _ if !out.colour() => Some(Colours::None),
        ThemeFlag::Auto => None,
        ThemeFlag::Dark => Some(Colours::Dark),
        ThemeFlag::Light => Some(Colours::Light),
        ThemeFlag::HighContrast => Some(Colours::HighContrast),
        ThemeFlag::None => Some(Colours::None),
    };
    terminal::theme(colours, look.ascii)
}
