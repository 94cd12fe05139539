//! The real binary in a pseudo-terminal: it draws, answers keys, and leaves the terminal as it was.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use enrollscope::capture::{self, Header, Redaction};
use enrollscope::dashboard::Status;
use enrollscope::event;
use enrollscope::terminal;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

#[path = "../../src/dashboard/tests/fleet.rs"]
mod fleet;

/// The fleet as a capture.
fn capture(dir: &Path) -> PathBuf {
    let mut out = Vec::new();
    let redaction = Redaction { level: "secrets".to_owned(), key: None };
    let header = Header { version: 1, tool: "0.1.0".to_owned(), started: fleet::START, redaction, after: 0 };
    capture::encode::header(&mut out, &header);
    for seen in fleet::Fleet::of_all_fates().events {
        match seen {
            event::Event::Exchange(exchange) => capture::encode::exchange(&mut out, &exchange),
            event::Event::Connection(connection) => capture::encode::connection(&mut out, &connection),
            // Nothing of the others is recorded here; ticks are told from the times.
            _ => {}
        }
    }
    let path = dir.join("fleet.jsonl");
    std::fs::write(&path, out).unwrap();
    path
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

/// A program on an emulated terminal.
struct Screen {
    master: Box<dyn MasterPty>,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    grid: vt100::Parser,
    /// Everything that was written to the terminal.
    raw: Vec<u8>,
}

impl Screen {
    fn open(capture: &Path, width: u16, height: u16) -> Self {
        Self::run(&[OsStr::new("open"), capture.as_os_str()], width, height)
    }

    fn run(args: &[&OsStr], width: u16, height: u16) -> Self {
        Self::spawn(OsStr::new(env!("CARGO_BIN_EXE_enrollscope")), args, width, height)
    }

    fn spawn(program: &OsStr, args: &[&OsStr], width: u16, height: u16) -> Self {
        let size = PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        let set = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("LC_ALL", ""), ("TZ", "UTC")];
        for (name, value) in set {
            command.env(name, value);
        }
        command.env(CRASHES, crashes());
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().unwrap();
        let grid = vt100::Parser::new(cells(height), cells(width), 0);
        Self { master: pair.master, child, writer, output, grid, raw: Vec::new() }
    }

    fn take_in(&mut self, wait: Duration) {
        if let Ok(bytes) = self.output.recv_timeout(wait) {
            self.grid.process(&bytes);
            self.raw.extend(bytes);
        }
    }

    fn text(&self) -> String {
        self.grid.screen().contents()
    }

    /// Waits until the screen is as wanted.
    fn until(&mut self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !wanted(self) {
            assert!(began.elapsed() < Duration::from_secs(20), "no {what}:\n{}", self.text());
            self.take_in(Duration::from_millis(20));
        }
    }

    fn shows(&mut self, text: &str) {
        self.until(text, |screen| screen.text().contains(text));
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.grid.screen_mut().set_size(cells(height), cells(width));
        self.master.resize(PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits for the end, and says how it ended.
    fn end(&mut self) -> u32 {
        self.until("end", |screen| !screen.grid.screen().alternate_screen());
        let status = self.child.wait().unwrap();
        self.take_in(Duration::from_millis(200));
        status.exit_code()
    }

    fn is_restored(&self) -> bool {
        let screen = self.grid.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    }
}

#[test]
fn a_recording_is_opened_read_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut screen = Screen::open(&capture(dir.path()), 80, 24);
    screen.shows("anna@contoso.example");
    screen.shows("read to its end");
    assert!(screen.grid.screen().alternate_screen() && screen.grid.screen().hide_cursor());
    screen.press("?");
    // The frame's last line: it is drawn whole.
    screen.shows("Esc back");
    screen.press("\x1b");
    // Not before the help is gone: Escape and a key in one read are another key to every terminal program.
    screen.until("help gone", |screen| !screen.text().contains("Esc back"));
    screen.shows("verdict");
    screen.press("/bert");
    screen.shows("/bert");
    screen.until("only bert", |screen| !screen.text().contains("anna@contoso.example"));
    screen.press("\r\r");
    screen.shows("LAPTOP-BERT");
    screen.shows("CSR-006");
    screen.press("n");
    screen.shows("> info FAULT-011");
    screen.press("4");
    screen.shows("HTTP/1.1 500 Not OK");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    assert!(screen.is_restored());
    let bare = String::from_utf8_lossy(&screen.raw).replace("\x1b[2J", "");
    assert!(!bare.contains('\u{202e}') && !bare.contains('\u{9b}'), "hostile text got through");
}

#[test]
fn what_is_chosen_is_saved_copied_and_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let mut screen = Screen::open(&capture(dir.path()), 120, 40);
    screen.shows("read to its end");
    screen.press("/bert\r");
    screen.until("only bert", |screen| !screen.text().contains("anna@contoso.example"));
    let name = |ending: &str| dir.path().join(format!("bert.{ending}"));
    for ending in ["html", "md", "jsonl", "har", "zip"] {
        screen.press("E");
        screen.shows("save to bert-2023");
        // All of it is deleted.
        screen.press("\x15");
        screen.press(&format!("{}\r", name(ending).display()));
        screen.shows(&format!("bert.{ending}"));
        screen.until("saved", |screen| screen.text().contains("saved"));
        screen.press("j");
        screen.until("the word gone", |screen| !screen.text().contains("saved"));
    }
    let read = |ending: &str| std::fs::read(name(ending)).unwrap();
    let text = |ending: &str| String::from_utf8(read(ending)).unwrap();
    for ending in ["html", "md", "jsonl", "har"] {
        assert!(text(ending).contains("bert@contoso.example"), "{ending}");
        assert!(!text(ending).contains("anna@contoso.example"), "{ending}");
    }
    assert!(read("zip").starts_with(b"PK"));
    // What is saved is a capture like any other, of this device.
    let mut check = assert_cmd::Command::cargo_bin("enrollscope").unwrap();
    let run = check.args(["check", "--format=json"]).arg(name("jsonl")).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(told["summary"]["exchanges"], 8, "{told}");
    assert_eq!(told["enrollments"][0]["hresult"], "0x80180013");
    // Nothing is written over.
    let before = read("html");
    screen.press(&format!("E\x15{}\r", name("html").display()));
    screen.shows("is there already");
    assert_eq!(read("html"), before);
    screen.press("\x1b");
    screen.until("the page gone", |screen| !screen.text().contains("is there already"));
    screen.press("Y");
    screen.shows("copied");
    let raw = String::from_utf8_lossy(&screen.raw).into_owned();
    assert!(raw.contains("\x1b]52;c;"), "nothing went to the clipboard");
    // A port on which nobody listens: what comes of it is told on a page.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    screen.press(&format!("R\x15--to http://127.0.0.1:{port}\r"));
    screen.shows("Esc leaves it");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    assert!(screen.is_restored());
}

#[test]
fn saved_filters_are_there_wherever_there_is_a_screen() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("f.toml");
    std::fs::write(&config, "[filters]\nbert = 'user:bert'\n").unwrap();
    let capture = capture(dir.path());
    let with = |words: &[&OsStr]| {
        let options = [OsStr::new("--config"), config.as_os_str()];
        Screen::run(&[&options, words].concat(), 100, 30)
    };
    let mut screen = with(&[OsStr::new("open"), capture.as_os_str()]);
    screen.shows("read to its end");
    screen.press("/");
    screen.shows("Tab @bert");
    screen.press("@b\t");
    screen.shows("/@bert");
    screen.until("only bert", |screen| !screen.text().contains("anna@contoso.example"));
    screen.press("\r");
    screen.shows("LAPTOP-BERT");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    let mut screen = with(&["demo", "--devices", "1"].map(OsStr::new));
    screen.shows("1 simulated devices");
    screen.press("/\t");
    screen.shows("/@bert");
    // In a line it leaves the line; what is under it goes on.
    screen.press("\x03");
    screen.until("the line gone", |screen| !screen.text().contains("/@bert"));
    screen.press("\x03");
    assert_eq!(screen.end(), 0);
}

#[test]
fn the_screen_stands_still_and_goes_on() {
    let args = ["demo", "--devices", "12", "--seed", "5"].map(OsStr::new);
    let mut screen = Screen::run(&args, 120, 40);
    screen.shows("exchanges");
    screen.press("p");
    screen.shows("The screen stands still");
    screen.until("events that wait", |screen| screen.text().contains("in the meantime"));
    screen.press("p");
    screen.until("it goes on", |screen| !screen.text().contains("The screen stands still"));
    screen.press("q");
    assert_eq!(screen.end(), 0);
    assert!(screen.is_restored());
}

#[test]
fn a_larger_terminal_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let mut screen = Screen::open(&capture(dir.path()), 80, 24);
    screen.shows("read to its end");
    assert!(!screen.text().contains("discov."));
    screen.resize(200, 60);
    screen.shows("discov.");
    screen.shows("get-policies-request");
    screen.resize(80, 24);
    screen.until("narrow", |screen| {
        screen.text().contains("DPCMS") && !screen.text().contains("get-policies-request")
    });
    screen.press("\x03");
    assert_eq!(screen.end(), 0);
    assert!(screen.is_restored());
}

/// Set for programs on the emulated terminal: the file that has them crash once it is there.
const CRASHES: &str = "ENROLLSCOPE_TEST_CRASHES";

fn crashes() -> PathBuf {
    std::env::temp_dir().join(format!("enrollscope-crash-{}", std::process::id()))
}

/// The dashboard's own thread panics: what it is asked for its status does. This test is its own child then.
#[test]
fn a_crash_leaves_the_terminal_as_it_was() {
    if let Some(file) = std::env::var_os(CRASHES) {
        let (_sender, updates) = std::sync::mpsc::sync_channel(1);
        let status = || {
            assert!(!Path::new(&file).exists(), "a mistake in the dashboard");
            Status { title: "about to crash".to_owned(), ..Status::default() }
        };
        let _ = terminal::run(updates, status, &terminal::Options::default());
        return;
    }
    let own = std::env::current_exe().unwrap();
    let args = ["--exact", "screen::a_crash_leaves_the_terminal_as_it_was", "--nocapture"].map(OsStr::new);
    let mut screen = Screen::spawn(own.as_os_str(), &args, 80, 24);
    screen.shows("about to crash");
    assert!(screen.grid.screen().alternate_screen());
    std::fs::write(crashes(), "").unwrap();
    let code = screen.end();
    std::fs::remove_file(crashes()).unwrap();
    assert_ne!(code, 0);
    // A backtrace may have scrolled it away.
    let words = b"a mistake in the dashboard";
    screen.until("its words", |screen| screen.raw.windows(words.len()).any(|part| part == words));
    assert!(screen.is_restored());
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut screen = Screen::open(&capture(dir.path()), 80, 24);
    screen.shows("read to its end");
    let id = screen.child.process_id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(screen.end(), 0);
    assert!(screen.is_restored());
}

#[test]
fn what_is_no_capture_never_touches_the_screen() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let empty = dir.path().join("none");
    std::fs::create_dir(&empty).unwrap();
    let newer =
        r#"{"enrollscope":"capture","version":99,"tool":"9.0.0","started":"2030-01-01T00:00:00.000Z"}"#;
    let cases = [
        (write("empty.jsonl", ""), "empty"),
        (write("notes.txt", "to do: nothing\n"), "not a capture"),
        (write("newer.jsonl", &format!("{newer}\n")), "version 99"),
        (dir.path().join("absent.jsonl"), "No such file"),
        (empty, "there is no capture"),
    ];
    for (path, said) in cases {
        let mut screen = Screen::open(&path, 80, 24);
        let status = screen.child.wait().unwrap();
        screen.shows("error:");
        screen.take_in(Duration::from_millis(100));
        let text = screen.text().replace('\n', " ");
        assert_eq!(status.exit_code(), 2, "{text}");
        assert!(text.contains(said), "{}: {text}", path.display());
        assert!(!screen.raw.contains(&0x1b), "{text}");
    }
}

#[test]
fn without_a_terminal_another_command_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let run =
        assert_cmd::Command::cargo_bin("enrollscope").unwrap().arg("open").arg(capture(dir.path())).assert();
    let run = run.code(2);
    let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(said.contains("open needs a terminal; use `enrollscope check"), "{said}");
    assert!(run.get_output().stdout.is_empty());
}
