//! The events of one answer as an edge reads them: one end, always, and never later than the deadline.

use crate::door::Door;
use crate::edge::merge::Message;
use crate::error::{Fault, FaultCode};
use crate::request::{OutEvent, Request};
use futures::future::BoxFuture;
use sluice_proto::v1;
use tokio::sync::mpsc;

/// How long the spine has to end a request whose deadline passed before the edge does, in milliseconds: its verdict
/// is the one that is also booked.
const GRACE_MS: u64 = 100;

/// How long the status line waits for the first event, in milliseconds: until then a failure is a true error status.
pub(crate) const HOLD_MS: u64 = 15_000;

/// An answer that is complete.
pub(crate) struct Complete {
    pub(crate) started: v1::Started,
    pub(crate) message: Message,
    pub(crate) finished: v1::Finished,
}

/// One answer. Dropping it says that the client has left.
pub(crate) struct Answer {
    events: mpsc::Receiver<OutEvent>,
    cut: Option<BoxFuture<'static, ()>>,
    held: Option<OutEvent>,
}

impl Answer {
    /// Hands `request` in.
    pub(crate) fn open(door: &dyn Door, request: Request) -> Answer {
        let cut = request.deadline.map(|deadline| door.sleep_until(deadline.plus_ms(GRACE_MS)));
        Answer { events: door.submit(request), cut, held: None }
    }

    /// Waits for the first event, [`HOLD_MS`] at most, and returns a fault when that is what came. Otherwise
    /// [`Answer::next`] gives the event; `peek` looks at it.
    pub(crate) async fn hold(&mut self, door: &dyn Door) -> Result<(), Fault> {
        let patience = door.sleep_until(door.now().plus_ms(HOLD_MS));
        tokio::select! {
            biased;
            event = self.next() => match event {
                OutEvent::Failed(fault) => Err(*fault),
                event => {
                    self.held = Some(event);
                    Ok(())
                }
            },
            () = patience => Ok(()),
        }
    }

    /// Reads the answer to its end.
    ///
    /// # Errors
    /// The failure that came instead of its end.
    pub(crate) async fn complete(mut self) -> Result<Complete, Fault> {
        let mut started = v1::Started { floor_held: true, ..Default::default() };
        let mut message = Message::default();
        loop {
            match self.next().await {
                OutEvent::Started(who) => started = *who,
                OutEvent::Delta(delta) => message.push(delta)?,
                OutEvent::Finished(finished) => {
                    return Ok(Complete { started, message, finished: *finished });
                }
                OutEvent::Failed(fault) => return Err(*fault),
            }
        }
    }

    /// The event that [`Answer::hold`] waited for, when it came.
    pub(crate) fn peek(&self) -> Option<&OutEvent> {
        self.held.as_ref()
    }

    /// The next event. After `Finished` or `Failed` there is none; asking again gives a fault.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub(crate) async fn next(&mut self) -> OutEvent {
        if let Some(event) = self.held.take() {
            return event;
        }
        let cut = async {
            match &mut self.cut {
                Some(cut) => cut.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = self.events.recv() => event.unwrap_or_else(|| {
                failed(FaultCode::Internal, "the answer ended without saying how")
            }),
            () = cut => {
                self.events.close();
                self.cut = None;
                failed(FaultCode::DeadlineExceeded, "the deadline passed")
            }
        }
    }
}

fn failed(code: FaultCode, why: &str) -> OutEvent {
    OutEvent::Failed(Box::new(Fault::new(code, why)))
}
