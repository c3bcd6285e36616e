//! What was logged and traced within a test, as JSON.

use std::io;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::{EnvFilter, fmt};

/// The lines that `work` writes under this filter; a span that closes is a line too.
pub(super) fn lines_of(filter: &str, work: impl FnOnce()) -> Vec<serde_json::Value> {
    let written = Written::default();
    let writer = written.clone();
    let lines = fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(move || writer.clone())
        .with_span_events(FmtSpan::CLOSE)
        .json();
    tracing::subscriber::with_default(lines.finish(), || {
        // A test beside this one may have met a span for the first time just before there was anybody to write it.
        tracing::callsite::rebuild_interest_cache();
        work();
    });
    let bytes = written.0.lock().expect("not poisoned").clone();
    let text = String::from_utf8(bytes).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
