//! What the screen shows, as pictures of it.

use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;

use super::given::{alarmed, crowd};
use super::*;
use crate::dashboard::{Colours, Theme, draw};

fn buffer(model: &Model, theme: Theme) -> Buffer {
    let Size { width, height } = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model, theme)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = crate::dashboard::text::width(symbol).saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn picture(model: &Model) -> String {
    text(&buffer(model, Theme::default()))
}

/// A picture at each size, after these keys. `name` names the file.
fn check(name: &str, make: impl Fn() -> Model, keys: &str) {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut model = make();
        resize(&mut model, width, height);
        press(&mut model, keys);
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            assert_snapshot!(format!("{name}-{width}x{height}"), picture(&model));
        });
    }
}

macro_rules! pictures {
    ($($name:ident: $status:expr, $keys:expr;)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name), || model($status), $keys);
        })*
    };
}

pictures! {
    overview: recorded(), "";
    overview_live: live(), "";
    overview_with_alarms: alarmed(), "j j j";
    overview_only_failed: recorded(), "e";
    overview_filtered: recorded(), "/ b e r t";
    overview_filtered_by_field: recorded(), "/ s t a g e : p o l Enter";
    overview_filter_misread: recorded(), "/ s t a g : p o l i c y";
    overview_filtered_to_nothing: recorded(), "/ z z z Enter";
    overview_filter_completed: filtered(), "/ u s e r : b Space @ c Tab";
    help_saved_filters: filtered(), "? G";
    overview_only_stuck: recorded(), "t";
    site: recorded(), "w";
    explained_row: recorded(), "/ b e r t Enter x";
    explained_finding: recorded(), "/ b e r t Enter Enter Enter 2 x";
    help: recorded(), "?";
    device_summary: recorded(), "j j j j Enter 1";
    device_findings: recorded(), "/ b e r t Enter Enter Enter 2";
    device_request: recorded(), "/ b e r t Enter Enter Enter 3";
    device_response_with_place: recorded(), "/ b e r t Enter Enter g j j Enter 2 Enter";
    device_response_raw: recorded(), "/ b e r t Enter Enter Enter 4 r";
    device_decoded_token: recorded(), "/ a n n a Enter Enter G k Enter 5 PageDown";
    device_decoded_provisioning: recorded(), "/ a n n a Enter Enter G k 2 Enter j Enter";
    device_fault_decoded: recorded(), "/ b e r t Enter Enter G Enter 5";
    device_causes: recorded(), "/ b e r t Enter Enter Enter 6";
    device_withheld_sync: recorded(), "/ a n n a Enter Enter G Enter 3";
    device_time: recorded(), "/ b e r t Enter Enter 7";
    device_decoded_folded: recorded(), "/ a n n a Enter Enter G k Enter 5 - G";
    device_searched: recorded(), "/ b e r t Enter Enter 4 / f a u l t Enter n";
    device_saved: recorded(), "/ b e r t Enter Enter E";
    compared: recorded(), "/ b e r t Enter m / C-u a n n a Enter m c";
    paused: live(), "j m p";
    refused: recorded(), "/ 2 0 3 . 0 Enter Enter";
    strays: recorded(), "G Enter";
}

#[test]
fn nothing_yet() {
    check("nothing_yet", || Model::new(live(), jiff::tz::TimeZone::UTC), "");
}

#[test]
fn the_widest_screen_has_every_column() {
    let mut model = model(live());
    resize(&mut model, 300, 80);
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
        assert_snapshot!("overview_live-300x80", picture(&model));
    });
}

/// Three hundred devices on a Monday morning.
#[test]
fn a_crowd_stays_readable() {
    check("crowd", crowd, "s");
    check("crowd_only_failed", crowd, "e");
    check("crowd_one_of_each", crowd, "e o");
    check("crowd_causes", crowd, "w");
    check("crowd_device", crowd, "e j j Enter");
}

#[test]
fn marks_that_every_font_has_and_no_colour() {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
        let mut model = model(recorded());
        let theme = Theme { colours: Colours::None, ascii: true };
        let overview = buffer(&model, theme);
        assert_snapshot!("ascii_overview-80x24", text(&overview));
        press(&mut model, "/ b e r t Enter Enter");
        let device = buffer(&model, theme);
        assert_snapshot!("ascii_device-80x24", text(&device));
        for cell in overview.content.iter().chain(&device.content) {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
        // What others wrote stays as they wrote it; all that is ours is ASCII.
        let ours: String = text(&overview).replace("田中@株式会社", "");
        assert!(ours.is_ascii(), "{ours}");
    });
}

/// Every view, every tab and every page over them.
const TOUR: &[&str] = &[
    "j",
    "t",
    "t",
    "e",
    "e",
    "w",
    "Esc",
    "?",
    "PageDown",
    "Esc",
    "x",
    "Esc",
    "/ s t a g : x",
    "Esc",
    "/ b e r t Enter Enter",
    "Enter",
    "1",
    "2",
    "x",
    "Esc",
    "3",
    "r",
    "r",
    "4",
    "G",
    "r",
    "5",
    "6",
    "Esc",
    "Esc",
    "Esc",
    "/ a n n a Enter Enter G Enter",
    "1",
    "2",
    "Enter",
    "3",
    "5",
    "6",
    "Esc",
    "Esc",
    "Esc",
    "/ 2 0 3 . 0 Enter Enter",
    "x",
    "Esc",
    "Esc",
    "Esc",
    "G Enter",
    "1",
    "3",
    "4",
];

/// Every view, drawn in that theme.
fn tour(theme: Theme, mut see: impl FnMut(&Buffer, &str)) {
    for (status, width, height) in [(recorded(), 80, 24), (live(), 120, 34), (alarmed(), 200, 60)] {
        let mut model = model(status);
        resize(&mut model, width, height);
        see(&buffer(&model, theme), "");
        for keys in TOUR {
            press(&mut model, keys);
            see(&buffer(&model, theme), keys);
        }
    }
}

#[test]
fn the_ascii_form_draws_nothing_else() {
    // One user's name has letters that are not; they stay as they are.
    let plain = |c: char| (' '..='~').contains(&c) || "田中株式会社".contains(c);
    tour(Theme { colours: Colours::Dark, ascii: true }, |shown, keys| {
        let ours = shown.content.iter().all(|cell| cell.symbol().chars().all(plain));
        assert!(ours, "{keys}:\n{}", text(shown));
    });
}

#[test]
fn every_text_can_be_read_on_what_is_behind_it() {
    for colours in [Colours::Dark, Colours::Light, Colours::HighContrast, Colours::None] {
        tour(Theme { colours, ascii: false }, |shown, keys| {
            let own = Color::Reset;
            assert!(shown.content.iter().all(|c| c.fg != c.bg || c.fg == own), "{colours:?} {keys}");
            // Behind a character of two cells the second is left alone.
            let wide = |cell: &Cell| crate::dashboard::text::width(cell.symbol()) > 1;
            let grounded = shown.content.windows(2).all(|c| wide(&c[0]) || c[1].fg != own && c[1].bg != own);
            assert_eq!(grounded, colours == Colours::HighContrast, "{colours:?} {keys}");
        });
    }
}

#[test]
fn failures_are_red_and_the_background_is_the_terminals_own() {
    let model = model(recorded());
    let buffer = buffer(&model, Theme::default());
    assert!(buffer.content.iter().any(|cell| cell.fg == Color::Red && cell.symbol() == "✖"));
    assert!(buffer.content.iter().all(|cell| cell.bg == Color::Reset));
}

/// Every screen, at every size, with every tab: nothing of what strangers wrote steers the terminal.
#[test]
fn nothing_hostile_reaches_the_terminal() {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}')
    };
    for (width, height) in [(80, 24), (120, 30), (200, 60), (40, 10), (39, 9), (1, 1)] {
        let mut model = model(recorded());
        resize(&mut model, width, height);
        for keys in [
            "j",
            "/ e v e Enter",
            "Enter",
            "Enter",
            "1",
            "2",
            "3",
            "r",
            "4",
            "5",
            "6",
            "G",
            "?",
            "Esc",
            "w",
            "x",
            "Esc",
            "x",
            "Esc",
            "/ e Enter",
            "Esc Esc Esc Esc C-u",
            "m j m c",
            "Esc E",
            "Esc R",
            "Esc",
            "Enter",
        ] {
            press(&mut model, keys);
            for cell in &buffer(&model, Theme::default()).content {
                assert!(!cell.symbol().chars().any(steers), "{keys}: {:?}", cell.symbol());
            }
        }
        assert!(width < 80 || model.opened.is_some());
    }
}
