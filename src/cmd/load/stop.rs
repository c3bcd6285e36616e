//! When a run is told to stop: Ctrl-C, or the SIGTERM of whatever runs it.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for either signal.
pub(super) async fn told_to_stop() {
    let signals = signal(SignalKind::interrupt()).and_then(|one| Ok((one, signal(SignalKind::terminate())?)));
    let Ok((mut interrupt, mut terminate)) = signals else {
        // Without signals there is only the plan's own end.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
