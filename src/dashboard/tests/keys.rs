//! Keys and the mouse: what they do to the model, and what they ask for.

use crossterm::event::{KeyEventKind, MouseButton, MouseEvent, MouseEventKind};

use super::given::crowd;
use super::*;
use crate::capture::Place;
use crate::dashboard::layout::panes;
use crate::dashboard::screen::{Focus, Overlay, Screen, Tab};

/// Where the user is, in a line.
fn place(model: &Model) -> String {
    let ui = &model.ui;
    let who = model.opened.as_ref().or(model.selected_row()).and_then(|row| row.latest());
    let user = who.and_then(|id| model.enrollment(id)).and_then(|e| e.user.clone()).unwrap_or_default();
    let user = user.split('@').next().unwrap_or_default().chars().take(6).collect::<String>();
    match (ui.overlay, ui.screen) {
        (Overlay::Help, _) => "help".to_owned(),
        (Overlay::Filter, _) => format!("filter {:?}", ui.filter.value()),
        (_, Screen::Overview) => format!("row {} {user}", ui.row_index),
        (_, Screen::Device) => {
            let at = crate::dashboard::sheet::exchange_index(model);
            let pane = if ui.focus == Focus::List { "list" } else { "sheet" };
            format!("{user} exchange {at} {:?} in {pane}", ui.tab)
        }
    }
}

#[test]
fn keys_lead_where_they_say() {
    let cases = [
        ("", "row 0 田中"),
        ("j", "row 1 eve\u{1b}[2"),
        ("Down Down Up", "row 1 eve\u{1b}[2"),
        ("G", "row 7 "),
        ("End k", "row 6 anna"),
        ("G g", "row 0 田中"),
        ("PageDown", "row 7 "),
        ("k k k", "row 0 田中"),
        ("?", "help"),
        ("? j j ?", "row 0 田中"),
        ("? Esc", "row 0 田中"),
        ("/ b e", "filter \"be\""),
        ("/ b e Backspace", "filter \"b\""),
        ("/ b e C-u", "filter \"\""),
        ("/ q Esc", "row 0 田中"),
        ("/ b e r t Enter", "row 0 bert"),
        ("/ b e r t Enter Esc", "row 4 bert"),
        ("/ B E R T Space c a p Enter", "row 0 bert"),
        ("n", "row 1 eve\u{1b}[2"),
        ("N", "row 6 anna"),
        ("n n n n n n n", "row 0 田中"),
        ("/ b e r t Enter Enter", "bert exchange 7 Findings in list"),
        ("/ b e r t Enter Enter Esc", "row 0 bert"),
        ("/ b e r t Enter Enter Esc Enter", "bert exchange 7 Findings in list"),
        ("/ b e r t Enter Enter Enter", "bert exchange 7 Findings in sheet"),
        ("/ b e r t Enter Enter Enter Esc Esc", "row 0 bert"),
        ("/ b e r t Enter Enter k", "bert exchange 6 Findings in list"),
        ("/ b e r t Enter Enter g", "bert exchange 0 Findings in list"),
        ("/ b e r t Enter Enter Enter [ [", "bert exchange 5 Findings in sheet"),
        ("/ b e r t Enter Enter Tab", "bert exchange 7 Request in list"),
        ("/ b e r t Enter Enter BackTab", "bert exchange 7 Summary in list"),
        ("/ b e r t Enter Enter 5", "bert exchange 7 Decoded in list"),
        ("/ b e r t Enter Enter 6", "bert exchange 7 Causes in list"),
        ("/ b e r t Enter Enter 6 Tab Tab", "bert exchange 7 Summary in list"),
        ("/ b e r t Enter Enter n n", "bert exchange 2 Findings in list"),
        ("/ b e r t Enter Enter N", "bert exchange 6 Findings in list"),
        ("/ b e r t Enter Enter Enter Enter", "bert exchange 7 Decoded in sheet"),
        ("/ b e r t Enter Enter Enter Enter Esc", "bert exchange 7 Findings in sheet"),
        ("/ 2 0 3 . 0 Enter Enter", " exchange 0 Summary in sheet"),
        ("/ 2 0 3 . 0 Enter Enter Esc", "row 0 "),
        // A page is searched: n goes from place to place, not to findings.
        ("/ b e r t Enter Enter Enter 4 / f a u l t Enter n", "bert exchange 7 Response in sheet"),
        ("/ b e r t Enter Enter 4 / f a u l t Enter Esc", "bert exchange 7 Response in sheet"),
        ("/ b e r t Enter Enter 4 / f a u l t Enter Esc Esc", "bert exchange 7 Response in list"),
        ("/ b e r t Enter Enter 4 / f a u l t Esc n", "bert exchange 7 Findings in sheet"),
        ("? / c o p y Enter n n", "help"),
        ("? / c o p y Enter Esc Esc", "row 0 田中"),
    ];
    for (keys, expected) in cases {
        let mut model = model(recorded());
        press(&mut model, keys);
        assert_eq!(place(&model), expected, "{keys}");
    }
}

#[test]
fn the_filter_looks_at_everything_that_names_a_device() {
    let cases = [
        ("anna", 1),
        ("DESKTOP-28", 1),
        ("0a0b0c0d", 1),
        ("devicecapreached", 1),
        ("0x80180013", 1),
        ("POL-RSP-001", 2),
        ("policy-not-well-formed contoso", 2),
        ("198.51.100.2", 6),
        ("203.0.113.9", 1),
        ("unknown_ca", 1),
        ("failed", 1),
        ("stalled", 2),
        ("株式会社", 1),
        ("enterpriseenrollment.contoso", 7),
        ("nobody", 0),
        ("anna bert", 0),
    ];
    for (filter, rows) in cases {
        let mut model = model(recorded());
        model.ui.filter = filter.into();
        model.refresh();
        assert_eq!(model.rows.len(), rows, "{filter}");
    }
}

#[test]
fn the_selection_stays_on_its_device_while_others_come() {
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    let mut model = Model::new(recorded(), jiff::tz::TimeZone::UTC);
    let mut events = Fleet::of_all_fates().events.into_iter();
    for event in events.by_ref().take(5) {
        model.apply(engine.observe(event), None);
    }
    model.refresh();
    press(&mut model, "j");
    assert_eq!(place(&model), "row 0 anna");
    for event in events {
        model.apply(engine.observe(event), None);
        model.refresh();
    }
    assert_eq!(place(&model), "row 6 anna");
}

#[test]
fn following_stays_on_the_newest_until_a_row_is_chosen() {
    let mut model = model(live());
    assert_eq!(place(&model), "row 0 田中");
    assert!(model.ui.follow);
    press(&mut model, "s");
    assert_eq!(place(&model), "row 4 田中", "trouble first");
    press(&mut model, "j");
    assert!(!model.ui.follow);
    press(&mut model, "f");
    assert_eq!(place(&model), "row 4 田中");
}

#[test]
fn attempts_of_one_device_share_a_row() {
    let mut model = model(recorded());
    let bert =
        model.enrollments.values().find(|t| t.enrollment.user.as_deref() == Some("bert@contoso.example"));
    let mut again = bert.unwrap().enrollment.clone();
    let first = again.id;
    again.id = EnrollmentId(99);
    again.outcome = crate::enrollment::Outcome::Enrolled;
    let tick = event::Event::Tick(model.now);
    let mut seen = Engine::new(Profile::Field, Deadlines::default()).observe(tick);
    seen.changed.push(again);
    let before = model.totals;
    model.apply(seen, None);
    model.refresh();
    assert_eq!((model.totals.devices, model.totals.enrolled), (before.devices, before.enrolled + 1));
    press(&mut model, "/ b e r t Enter Right");
    assert_eq!(model.rows.len(), 3);
    assert_eq!(model.rows[0].attempts.len(), 2);
    press(&mut model, "j Enter");
    assert_eq!(model.opened.as_ref().unwrap().attempts, [first]);
    press(&mut model, "Esc Left");
    assert_eq!((model.rows.len(), place(&model)), (1, "row 0 bert".to_owned()));
}

#[test]
fn effects_are_asked_for() {
    let quit = vec![Effect::Quit];
    for keys in ["q", "C-c", "? q", "/ C-c q", "Enter q"] {
        assert_eq!(press(&mut model(recorded()), keys), quit, "{keys}");
    }
    assert_eq!(press(&mut model(recorded()), "C-z"), [Effect::Suspend]);
    let mut proxy = model(live());
    assert_eq!(press(&mut proxy, "C-z"), []);
    assert!(proxy.ui.notice.unwrap().contains("traffic"));
    let copied = press(&mut model(recorded()), "/ b e r t Enter y");
    let [Effect::Copy(text)] = &copied[..] else { panic!("{copied:?}") };
    assert!(text.contains("bert@contoso.example") && text.contains("0x80180013"), "{text}");
    // Of several findings the one that is selected, with all that it teaches.
    let copied = press(&mut model(recorded()), "/ b e r t Enter Enter Enter j y");
    let [Effect::Copy(text)] = &copied[..] else { panic!("{copied:?}") };
    assert!(text.contains("FAULT-011") && !text.contains("CSR-006"), "{text}");
    let copied = press(&mut model(recorded()), "/ e v e Enter y");
    let [Effect::Copy(text)] = &copied[..] else { panic!("{copied:?}") };
    assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
    assert_eq!(press(&mut model(recorded()), "/ z z z Enter y"), []);
}

#[test]
fn bodies_out_of_memory_are_read_again() {
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    let mut model = Model::new(recorded(), jiff::tz::TimeZone::UTC);
    let place = Place { segment: 0, offset: 7, length: 9 };
    let large = |event| match event {
        event::Event::Exchange(exchange) => {
            let mut exchange = (*exchange).clone();
            exchange.request.headers.push(event::Header::new("X", "y"));
            exchange.response.as_mut().unwrap().body = event::Body::full(vec![b'x'; 2 << 20]);
            event::Event::Exchange(exchange.into())
        }
        other => other,
    };
    for event in Fleet::of_all_fates().events.into_iter().map(large) {
        model.apply(engine.observe(event), Some(place));
    }
    let effects = press(&mut model, "G k Enter g");
    assert_eq!(effects.last(), Some(&Effect::ReadBody(0, place)));
    press(&mut model, "1");
    assert!(model.sheet.page.text().contains("number"));
    press(&mut model, "4");
    assert_eq!(model.sheet.page.text(), "Reading it …\n");
    model.read_back = Some((0, Err("the file is gone".to_owned())));
    model.refresh();
    assert!(model.sheet.page.text().contains("the file is gone"));
    let exchange =
        event::Exchange { response: Some(event::Response::default()), ..event::Exchange::default() };
    model.read_back = Some((0, Ok(exchange.into())));
    model.refresh();
    assert!(model.sheet.page.text().starts_with("HTTP/1.1 0"));
}

#[test]
fn the_mouse_selects_opens_and_scrolls() {
    let mouse =
        |kind, column, row| Terminal::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    let click = MouseEventKind::Down(MouseButton::Left);
    let mut model = model(recorded());
    let list = panes(&model).list;
    update(&mut model, &mouse(click, 10, list.y + 1 + 4));
    assert_eq!(place(&model), "row 4 bert");
    update(&mut model, &mouse(MouseEventKind::ScrollUp, 10, list.y + 1));
    assert_eq!(place(&model), "row 1 eve\u{1b}[2");
    update(&mut model, &mouse(click, 10, list.y + 1 + 4));
    update(&mut model, &mouse(click, 10, list.y + 1 + 4));
    assert_eq!(place(&model), "bert exchange 7 Findings in list");
    let sheet = panes(&model).sheet;
    update(&mut model, &mouse(MouseEventKind::ScrollDown, 10, sheet.y + 2));
    assert_eq!(model.ui.scroll, 3);
    update(&mut model, &mouse(click, 10, sheet.y + 2));
    assert_eq!(model.ui.focus, Focus::Sheet);
    assert_eq!(model.ui.tab, Tab::Findings);
    let titles = model.findings_here();
    let mut at = sheet.x;
    for tab in Tab::ALL {
        let sheet = panes(&model).sheet;
        update(&mut model, &mouse(click, at + 2, sheet.y));
        assert_eq!(model.ui.tab, *tab);
        at += u16::try_from(tab.label(titles).len()).unwrap();
    }
}

#[test]
fn a_released_key_does_nothing() {
    let mut model = model(recorded());
    let mut key = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
    key.kind = KeyEventKind::Release;
    assert_eq!(update(&mut model, &Terminal::Key(key)), []);
}

#[test]
fn tab_completes_saved_filters_and_goes_through_them() {
    for (keys, line, rows) in [
        ("Tab", "@anna", 1),
        ("Tab Tab Tab Tab", "@anna", 1),
        ("BackTab", "@capped", 1),
        ("@ c Tab", "@cap", 1),
        ("@ c Tab Tab Tab", "@cap", 1),
        ("@ c Tab Tab BackTab", "@cap", 1),
        ("x @ c Tab", "x@c @anna", 0),
        ("! @ a n Tab", "!@anna", 6),
        ("( b e r t | Tab )", "(bert|@anna)", 2),
        ("@ c a p Left Tab", "@capped", 1),
        ("z z q q Left Left Tab", "zz @anna qq", 0),
        ("@ x Tab", "@x", 8),
        // What was typed in between begins anew.
        ("@ c Tab Space Tab", "@cap @anna", 0),
        ("@ c Tab p Tab", "@capped", 1),
    ] {
        let mut model = model(filtered());
        press(&mut model, &format!("/ {keys}"));
        assert_eq!(model.ui.filter.value(), line, "{keys}");
        assert_eq!(model.rows.len(), rows, "{keys}");
    }
    let mut model = model(recorded());
    press(&mut model, "/ a Tab");
    assert_eq!(model.ui.filter.value(), "a", "there is nothing to complete");
}

#[test]
fn a_saved_filter_that_changes_is_shown_as_it_is_now() {
    let mut model = model(filtered());
    press(&mut model, "/ @ c a p Enter");
    assert_eq!(model.rows.len(), 1);
    model.status.filters =
        crate::filter::Saved::new([("cap".to_owned(), "contoso".to_owned())].into()).unwrap();
    model.refresh();
    assert_eq!(model.rows.len(), 7);
    model.status = recorded();
    model.refresh();
    let misread = model.ui.misread.as_ref().unwrap();
    assert!(misread.words.starts_with("there is no @cap"), "{misread}");
}

/// Any keys in any order, at changing sizes: no panic, and always something to draw.
#[test]
fn random_keys_break_nothing() {
    let keys = "j k g G Enter Enter Esc Tab BackTab 1 2 3 4 5 6 7 n N e t o f s r ] [ Left Right PageDown Home ? / a Down Backspace w x m c E R Y p z + - @ ! &";
    let keys: Vec<_> = keys.split(' ').collect();
    let mut model = model(filtered());
    let mut state = 42_u64;
    for _ in 0..3_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = (state >> 33) as usize;
        press(&mut model, keys[pick % keys.len()]);
        if pick.is_multiple_of(97) {
            resize(&mut model, 1 + (pick % 210) as u16, 1 + (pick % 70) as u16);
        }
        assert!(model.ui.scroll <= model.sheet.page.lines.len());
        assert!(model.rows.is_empty() || model.ui.row_index < model.rows.len());
    }
}

#[test]
fn what_is_searched_comes_into_view_and_is_counted() {
    let mut model = model(recorded());
    press(&mut model, "? / m a r k");
    let top = |model: &Model| model.ui.over_scroll;
    let shown = |model: &Model| {
        let found = model.ui.found.unwrap();
        assert!(model.over.page.lines[found].text().to_lowercase().contains("mark"));
        assert!((top(model)..top(model) + 22).contains(&found));
        found
    };
    let first = shown(&model);
    press(&mut model, "Enter");
    let all = model.ui.notice.clone().unwrap();
    assert!(all.starts_with("line 1 of "), "{all}");
    press(&mut model, "n");
    assert!(shown(&model) > first);
    press(&mut model, "N N");
    assert!(model.ui.notice.clone().unwrap().starts_with("line "), "around the end");
    press(&mut model, "Esc");
    assert_eq!((model.ui.overlay, model.ui.search.value()), (Overlay::Help, ""));
    press(&mut model, "/ u n m a r k Enter");
    let copied = press(&mut model, "y");
    let [Effect::Copy(text)] = &copied[..] else { panic!("{copied:?}") };
    assert!(text.contains("again to unmark") && text.lines().count() == 1, "{text}");
    press(&mut model, "Esc");
    press(&mut model, "/ \u{7} x y z z y Enter");
    assert!(model.ui.notice.clone().unwrap().contains("is not on this page"));
}

#[test]
fn a_page_over_the_screen_is_turned_by_its_own_height() {
    let mut model = model(recorded());
    press(&mut model, "? PageDown");
    // 24 lines without footer and title, and one that stays in view.
    assert_eq!(model.ui.over_scroll, 21);
}

#[test]
fn something_can_be_done_with_what_is_chosen() {
    use crate::dashboard::Wish;
    let all = |effects: &[Effect]| match effects {
        [Effect::Do(wish, serials)] => (wish.clone(), serials.len()),
        other => panic!("{other:?}"),
    };
    let effects = press(&mut model(recorded()), "/ b e r t Enter Y");
    assert_eq!(all(&effects), (Wish::Ticket, 8));
    let effects = press(&mut model(recorded()), "/ b e r t Enter Enter E Enter");
    assert_eq!(all(&effects), (Wish::Save("bert-20230129-1347.html".to_owned()), 8));
    let effects = press(&mut model(recorded()), "/ b e r t Enter E C-u a . z i p Enter");
    assert_eq!(all(&effects), (Wish::Save("a.zip".to_owned()), 8));
    // Names that devices choose do not lead elsewhere.
    let mut hostile = model(recorded());
    assert_eq!(press(&mut hostile, "/ e v e Enter E"), []);
    assert!(!hostile.ui.entry.value().contains(['/', '\\', '\u{1b}']), "{}", hostile.ui.entry.value());
    // Marked ones are meant together, and may be hidden by the filter by now.
    let mut model = model(recorded());
    press(&mut model, "/ b e r t Enter m / C-u a n n a Enter m");
    assert_eq!(model.ui.marked.len(), 2);
    let effects = press(&mut model, "R x Enter");
    assert_eq!(all(&effects), (Wish::Replay("--to https://x".to_owned()), 13));
    assert_eq!(press(&mut model, "R Enter").len(), 1, "what was written last time is there");
    press(&mut model, "c");
    assert_eq!(model.ui.overlay, Overlay::Compared);
    press(&mut model, "Esc m");
    assert_eq!(model.ui.marked.len(), 1);
    press(&mut model, "c");
    assert_eq!(model.ui.overlay, Overlay::Compared, "the marked one and this");
    press(&mut model, "Esc Esc Esc c");
    assert_eq!((model.ui.overlay, model.ui.marked.len()), (Overlay::None, 0));
    assert!(model.ui.notice.as_deref().unwrap().contains("mark two"));
}

#[test]
fn time_stands_still_while_the_screen_does() {
    let mut model = model(live());
    let before = model.now;
    press(&mut model, "p");
    model.tick(before.plus_millis(60_000));
    assert_eq!((model.ui.paused, model.now), (true, before));
    press(&mut model, "p");
    model.tick(before.plus_millis(60_000));
    assert_eq!((model.ui.paused, model.now), (false, before.plus_millis(60_000)));
}

#[test]
fn one_stands_for_all_with_the_same_trouble() {
    let mut model = crowd();
    let all = model.rows.len();
    press(&mut model, "s o");
    let alike: u64 = model.rows.iter().map(|row| row.alike).sum();
    assert_eq!(model.rows.len() as u64 + alike, all as u64);
    // 31 with too many devices, 12 that stopped after discovery.
    let of: Vec<_> = model.rows.iter().map(|row| row.alike).filter(|alike| *alike > 0).collect();
    assert_eq!(of, [30, 11]);
    press(&mut model, "Esc");
    assert_eq!((model.ui.one_of_each, model.rows.len()), (false, all));
}

#[test]
fn parts_of_a_document_are_folded() {
    let mut model = model(recorded());
    resize(&mut model, 120, 40);
    press(&mut model, "/ a n n a Enter Enter G k Enter 5");
    let all = model.sheet.page.lines.len();
    let has = |model: &Model, text: &str| model.sheet.page.text().contains(text);
    assert!(has(&model, "BOOTSTRAP") || has(&model, "APPLICATION"), "{}", model.sheet.page.text());
    press(&mut model, "-");
    let folded = model.sheet.page.lines.len();
    assert!(folded < all && has(&model, "inside)"));
    // Down goes to the first part in view: the document; the next is a part of it.
    press(&mut model, "G j");
    assert_eq!(model.ui.node.as_deref(), Some("0"));
    press(&mut model, "j Enter");
    assert_eq!(model.ui.node.as_deref(), Some("0/0"));
    assert!(model.sheet.page.lines.len() > folded);
    press(&mut model, "Enter");
    assert_eq!(model.sheet.page.lines.len(), folded);
    press(&mut model, "k Enter");
    assert!(model.sheet.page.lines.len() < folded, "all of it is folded");
    press(&mut model, "+");
    assert_eq!(model.sheet.page.lines.len(), all);
    // Another exchange is another document.
    press(&mut model, "- [ ]");
    assert_eq!(model.sheet.page.lines.len(), all);
    // The mouse does it, too.
    let (line, node) = model.sheet.page.nodes[0].clone();
    model.ui.scroll = line;
    let sheet = panes(&model).sheet;
    let click = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: sheet.x + 5,
        row: sheet.y + 1,
        modifiers: KeyModifiers::NONE,
    };
    model.refresh();
    let row = sheet.y + 1 + u16::try_from(line - model.ui.scroll).unwrap();
    update(&mut model, &Terminal::Mouse(MouseEvent { row, ..click }));
    assert!(model.ui.folded.contains(&node));
    press(&mut model, "1 -");
    assert!(model.ui.notice.as_deref().unwrap().contains("nothing to fold"));
}

#[test]
fn what_was_asked_for_stays_meant_while_rows_come_and_go() {
    let mut model = model(recorded());
    press(&mut model, "/ b e r t Enter E");
    // The selection goes elsewhere; a click means nothing while a name is written.
    model.ui.filter = "anna".into();
    model.refresh();
    let list = panes(&model).list;
    let click = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: 10,
        row: list.y + 1,
        modifiers: KeyModifiers::NONE,
    };
    update(&mut model, &Terminal::Mouse(click));
    let effects = press(&mut model, "Enter");
    let [Effect::Do(_, serials)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(serials.len(), 8, "bert's, as the name says");
}

#[test]
fn pasted_text_is_one_line_and_no_keys() {
    let mut model = model(recorded());
    let paste = |model: &mut Model, text: &str| update(model, &Terminal::Paste(text.to_owned()));
    assert_eq!(paste(&mut model, "q\rq"), []);
    press(&mut model, "/");
    assert_eq!(paste(&mut model, "bert\nq\r\n"), []);
    assert_eq!((model.ui.filter.value(), model.ui.overlay), ("bert q", Overlay::Filter));
    paste(&mut model, &"x".repeat(1 << 20));
    assert!(model.ui.filter.value().len() < 3_000);
}
