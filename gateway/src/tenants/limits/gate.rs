//! All limits of one level.

use super::place::Place;
use super::rate::Rate;
use super::running::RunningCount;
use std::sync::Arc;

/// The limits of one level, as this gateway holds them.
pub(super) struct Gate {
    pub(super) requests: Rate,
    pub(super) tokens: Rate,
    pub(super) running: Arc<RunningCount>,
}

impl Gate {
    pub(super) fn new(level: &str) -> Gate {
        let key = |what: &str| format!("limit/{level}/{what}");
        Gate {
            requests: Rate::new(key("requests")),
            tokens: Rate::new(key("tokens")),
            running: Arc::new(RunningCount::new(key("concurrent"))),
        }
    }

    /// Gives back what lies idle, keeps what is in use.
    pub(super) async fn look_after(&self, place: &Place) {
        self.requests.look_after(place).await;
        self.tokens.look_after(place).await;
        self.running.look_after(place).await;
    }

    /// Whether anybody asked since then, in milliseconds since 1970.
    pub(super) fn is_used_since(&self, unix_ms: i64) -> bool {
        let rates = self.requests.used_ms().max(self.tokens.used_ms());
        rates > unix_ms || self.running.is_used_since(unix_ms)
    }
}
