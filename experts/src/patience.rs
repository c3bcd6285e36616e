//! How long a call waits for its engine: for the first event, between events, and in all.

use crate::call::Endpoint;
use crate::error::{ErrorKind, ExpertError};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Longest that a probe waits once connected.
const PROBE: Duration = Duration::from_secs(5);

/// The timers of one call. Nothing but the deadline runs until [`Patience::connected`].
pub(crate) struct Patience {
    first: Duration,
    idle: Duration,
    /// Ends the wait for the next sign of life, and what its end means.
    silence: Option<(Pin<Box<Sleep>>, ErrorKind)>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// For a call.
    ///
    /// # Errors
    /// [`ErrorKind::Deadline`] when no time is left: nothing is to be sent then.
    pub(crate) fn for_call(
        endpoint: &Endpoint,
        time_left: Option<Duration>,
    ) -> Result<Patience, ExpertError> {
        if time_left.is_some_and(|left| left.is_zero()) {
            return Err(ExpertError::new(
                ErrorKind::Deadline,
                "the deadline passed before the call was sent",
            ));
        }
        let deadline = time_left.map(|left| Box::pin(sleep(left)));
        Ok(Patience {
            first: endpoint.first_token_timeout,
            idle: endpoint.idle_timeout,
            silence: None,
            deadline,
        })
    }

    /// For a probe, which asks for no work and so has its answer soon or never.
    pub(crate) fn for_probe(endpoint: &Endpoint) -> Patience {
        let first = endpoint.first_token_timeout.min(PROBE);
        Patience { first, idle: first, silence: None, deadline: None }
    }

    /// From here on the first event may take its time and no longer.
    pub(crate) fn connected(&mut self) {
        self.connected_within(Duration::ZERO);
    }

    /// The first event may take its time, and a connection that must be made before it this long on top.
    pub(crate) fn connected_within(&mut self, connect: Duration) {
        self.silence = Some((Box::pin(sleep(connect + self.first)), ErrorKind::FirstTokenTimeout));
    }

    /// The first event is there: from here on silence counts, anew with each call of this.
    pub(crate) fn alive(&mut self) {
        let within = self.idle;
        self.set(within);
    }

    /// The answer is complete; what may still come is worth only this much waiting.
    pub(crate) fn at_most(&mut self, within: Duration) {
        let within = within.min(self.idle);
        self.set(within);
    }

    fn set(&mut self, within: Duration) {
        match &mut self.silence {
            Some((timer, kind)) => {
                // Later than before, as nearly always: then nothing but a number is written.
                timer.as_mut().reset(sleep(within).deadline());
                *kind = ErrorKind::IdleTimeout;
            }
            none => *none = Some((Box::pin(sleep(within)), ErrorKind::IdleTimeout)),
        }
    }

    /// Waits for `future`, but not beyond what is allowed.
    ///
    /// # Errors
    /// [`ErrorKind::FirstTokenTimeout`], [`ErrorKind::IdleTimeout`] or [`ErrorKind::Deadline`].
    pub(crate) async fn wait<T>(&mut self, future: impl Future<Output = T>) -> Result<T, ExpertError> {
        let (first, idle) = (self.first, self.idle);
        let silence = async {
            match &mut self.silence {
                Some((timer, kind)) => {
                    timer.await;
                    *kind
                }
                None => std::future::pending().await,
            }
        };
        let deadline = async {
            match &mut self.deadline {
                Some(timer) => timer.await,
                None => std::future::pending().await,
            }
        };
        // The timers first: an engine that always has one more empty byte ready must not outlast them.
        tokio::select! {
            biased;
            () = deadline => {
                Err(ExpertError::new(ErrorKind::Deadline, "the deadline passed before the answer was complete"))
            }
            kind = silence => Err(ExpertError::new(kind, match kind {
                ErrorKind::FirstTokenTimeout => format!("no first token within {} ms", first.as_millis()),
                _ => format!("the stream was silent for {} ms", idle.as_millis()),
            })),
            value = future => Ok(value),
        }
    }
}
