//! Runs the binary, to its end or until it is ready.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The binary with these arguments, in this folder, with a state home of its own.
pub(crate) fn sluice(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(args).current_dir(folder).env("XDG_STATE_HOME", folder).env_remove("RUST_LOG");
    command
}

/// An empty folder of this test's own.
pub(crate) fn folder(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("sluice-cli-{}-{number}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    folder
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs to the end.
pub(crate) fn run(folder: &Path, args: &[&str]) -> Ended {
    run_with(folder, args, b"")
}

/// Runs to the end with this on stdin.
pub(crate) fn run_with(folder: &Path, args: &[&str], stdin: &[u8]) -> Ended {
    let mut child = sluice(folder, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    let mut input = child.stdin.take().expect("piped");
    let stdin = stdin.to_vec();
    // A command that doesn't read its stdin closes it, which is no mistake.
    let writer = std::thread::spawn(move || drop(input.write_all(&stdin)));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("the writer ends");
    let text = |bytes| String::from_utf8(bytes).expect("output is text");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Sends a signal by its name.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// A `sluice serve` that is ready.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) data: String,
    pub(crate) admin: String,
}

impl Served {
    /// Serves `config` in `folder`.
    pub(crate) fn start(folder: &Path, config: &str) -> Served {
        let mut child = sluice(folder, &["serve", "--config", config])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary is built");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut line).expect("it prints");
        let field = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            found.unwrap_or_else(|| panic!("no {name} in {line:?}")).to_owned()
        };
        let (data, admin) = (field("data="), field("admin="));
        std::thread::spawn(move || drop(out.read_to_string(&mut String::new())));
        Served { child, data, admin }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("it is ours")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that fails must not leave it behind; one that has ended is no mistake.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP/1.1 exchange on a connection of its own: status and body; status 0 when nobody answers.
pub(crate) fn http(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let Ok(mut stream) = std::net::TcpStream::connect(address) else { return (0, String::new()) };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: sluice\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = Vec::new();
    // A server that goes away in the middle gives what it gave.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}
