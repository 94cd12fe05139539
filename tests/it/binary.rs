//! The real binary: run to its end in a place of its own, or started as a proxy.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use enrollscope::event::Time;
use enrollscope::sim::{self, Key};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_enrollscope");

/// A working directory that is also home, so that nothing of this machine is read or changed.
pub struct Place {
    dir: tempfile::TempDir,
}

/// How a run ended, and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// It could not do its job, and says so in words that contain these.
    pub fn refused(&self, words: &str) {
        assert_eq!(self.code, 2, "{words}: {self:?}");
        assert!(self.err.starts_with("error: ") && self.err.contains(words), "{words}: {self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Everything in the directory, by name.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A certificate for `localhost` that devices trust by [`authority`], as `cert.pem` and `key.pem`.
    pub fn put_certificate(&self) {
        let key = Key::from_pem(&golden_key("server")).unwrap();
        let now = Time(jiff::Timestamp::now().as_millisecond());
        let leaf = authority().server_certificate(&["localhost".to_owned()], &key, now).unwrap();
        let chain: String = authority().chain(&leaf).iter().map(|der| sim::pem(der)).collect();
        self.put("cert.pem", chain);
        self.put("key.pem", golden_key("server"));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.dir.path()).env_clear();
        command
            .env("HOME", self.dir.path().join("home"))
            .env("XDG_STATE_HOME", self.dir.path().join("state"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[], b"")
    }

    pub fn run_with(&self, args: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Ran {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        let output = command
            .envs(variables.iter().copied())
            .write_stdin(input)
            .timeout(std::time::Duration::from_secs(60))
            .output()
            .unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("{args:?} does not end: {output:?}"));
        Ran { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Starts a proxy, and returns once it accepts.
    pub fn start(&self, args: &[&str], listeners: usize) -> Running {
        self.listen(&[&["proxy", "--headless"], args].concat(), listeners)
    }

    /// Starts any command that listens.
    pub fn listen(&self, args: &[&str], listeners: usize) -> Running {
        self.listen_with(args, &[], listeners)
    }

    /// The same, with further variables.
    pub fn listen_with(&self, args: &[&str], variables: &[(&str, &str)], listeners: usize) -> Running {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        // A file, not a pipe: nobody reads along, and the proxy must not wait for that.
        let out = self.path("stdout.txt");
        let mut child = command.stdout(File::create(&out).unwrap()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let mut addresses = Vec::new();
        while addresses.len() < listeners {
            let from = said.len();
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "it ended: {said}");
            if let Some(url) = said[from..].trim_end().strip_prefix("listening ") {
                addresses.push(url.split_once("://").unwrap().1.parse().unwrap());
            }
        }
        Running { child, stderr, said, out, addresses }
    }
}

/// A proxy at work.
pub struct Running {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
    out: PathBuf,
    pub addresses: Vec<SocketAddr>,
}

impl Running {
    /// The rest of a line that it said before it accepted.
    pub fn said(&self, start: &str) -> &str {
        let line = self.said.lines().find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("no line {start:?} in {}", self.said))
    }

    /// How many files, sockets and pipes it has open.
    #[cfg(target_os = "linux")]
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Asks it to look at its files.
    #[cfg(unix)]
    pub fn hang_up(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "HUP", &pid]).status().unwrap().success());
    }

    /// Waits for a line on stderr with these words, and yields it.
    pub fn hear(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.stderr.read_line(&mut line).unwrap(),
                0,
                "it ended before {words:?}: {}",
                self.said
            );
            self.said.push_str(&line);
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Sends the signal, and waits for the end.
    #[cfg(unix)]
    pub fn signal(mut self, name: &str) -> (ExitStatus, String, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        std::io::Read::read_to_string(&mut self.stderr, &mut self.said).unwrap();
        (status, std::fs::read_to_string(&self.out).unwrap(), std::mem::take(&mut self.said))
    }

    /// Stops it as a service manager does; it has to end well.
    #[cfg(unix)]
    pub fn stop(self) -> (String, String) {
        let (status, out, err) = self.signal("TERM");
        assert_eq!(status.code(), Some(0), "{err}");
        (out, err)
    }

    /// No time for anything: SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    /// A test that fails leaves no proxy behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn golden_key(name: &str) -> String {
    std::fs::read_to_string(committed(&format!("captures/golden/keys/{name}.pem"))).unwrap()
}

/// Issues what devices see in these tests.
pub fn authority() -> sim::Authority {
    let key = Key::from_pem(&golden_key("root")).unwrap();
    let day_ago = jiff::Timestamp::now().as_millisecond() - 86_400_000;
    // To the day: two of the same name and key must be the same certificate.
    sim::Authority::new("Device Test Root", key, Time(day_ago / 86_400_000 * 86_400_000)).unwrap()
}

pub fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a new line into a capture as an editor would.
pub fn append(path: &Path, line: &str) {
    let mut file = File::options().append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}
