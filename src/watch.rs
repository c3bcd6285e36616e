//! What ends or reloads a running gateway: signals, and files that change.

use crate::cmd::Failure;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a gateway heeds.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on these signals no longer end the process by themselves.
    pub(crate) fn new() -> Result<Signals, Failure> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.terminate.recv() => Heard::End,
            _ = self.interrupt.recv() => Heard::End,
            _ = self.hang_up.recv() => Heard::Reload,
        }
    }

    /// Resolves when a signal asks to end.
    pub(crate) async fn end(&mut self) {
        while self.next().await != Heard::End {}
    }

    /// From now on, SIGTERM or Ctrl-C ends the process with 143 or 130.
    #[expect(clippy::disallowed_methods, reason = "this task ends with the process, or ends it")]
    pub(crate) fn end_at_once_on_second(mut self) {
        let watch = async move {
            tokio::select! {
                _ = self.terminate.recv() => std::process::exit(128 + SignalKind::terminate().as_raw_value()),
                _ = self.interrupt.recv() => std::process::exit(128 + SignalKind::interrupt().as_raw_value()),
            }
        };
        drop(tokio::spawn(watch));
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// SIGTERM or Ctrl-C.
    End,
    /// SIGHUP.
    Reload,
}

/// Notices when the configuration or its model is written anew, by looking at size and time of change.
///
/// Looking beats the system's notifications here: a ConfigMap is replaced by a symbolic link elsewhere, which they
/// miss.
pub(crate) struct Changes {
    files: Vec<(PathBuf, Option<Stamp>)>,
}

type Stamp = (SystemTime, u64);

impl Changes {
    /// Starts from how the configuration is now: call it before reading the file, so that no change is missed.
    pub(crate) fn of(config: &Path) -> Changes {
        Changes { files: vec![(config.to_owned(), stamp(config))] }
    }

    /// Looks at the model that the configuration names, too.
    pub(crate) fn and(mut self, model: Option<&Path>) -> Changes {
        self.files.extend(model.map(|path| (path.to_owned(), stamp(path))));
        self
    }

    /// Resolves when a file has changed and has then been still for one look.
    pub(crate) async fn wait(&mut self) {
        let mut changed = false;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match (self.look(), changed) {
                (true, _) => changed = true,
                (false, true) => return,
                (false, false) => {}
            }
        }
    }

    /// Whether a file has changed since the last look.
    fn look(&mut self) -> bool {
        let mut changed = false;
        for (path, last) in &mut self.files {
            let now = stamp(path);
            // A file that is gone is being replaced.
            if now.is_some() && now != *last {
                *last = now;
                changed = true;
            }
        }
        changed
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

const LOOK_EVERY: Duration = Duration::from_millis(500);
