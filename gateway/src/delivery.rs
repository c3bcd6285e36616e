//! How an answer reaches its client: a stream event by event; one that is wanted whole when it is complete, so that it
//! may be begun again elsewhere if its engine breaks.

use crate::request::{ClientLeft, OutEvent, Outlet};

/// The way of one try's answer to its client.
pub(crate) struct Delivery<'a> {
    out: &'a mut Outlet,
    /// What has come so far; `None` once events go on as they come.
    kept: Option<Vec<OutEvent>>,
    bytes: usize,
}

impl Delivery<'_> {
    /// To a client that reads a stream, or to one that waits for the whole.
    pub(crate) fn new(out: &mut Outlet, is_stream: bool) -> Delivery<'_> {
        let kept = if is_stream { None } else { Some(Vec::new()) };
        Delivery { out, kept, bytes: 0 }
    }

    /// Whether nothing of the answer has gone to the client.
    pub(crate) fn is_untouched(&self) -> bool {
        self.kept.is_some()
    }

    /// Hands an event on, or keeps it back. `Err` means that the client has left.
    pub(crate) async fn send(&mut self, event: OutEvent) -> Result<(), ClientLeft> {
        let Some(kept) = &mut self.kept else { return self.out.send(event).await };
        let is_last = matches!(event, OutEvent::Finished(_) | OutEvent::Failed(_));
        self.bytes = self.bytes.saturating_add(bytes(&event));
        kept.push(event);
        if is_last || self.bytes > MOST_BYTES {
            for event in self.kept.take().into_iter().flatten() {
                self.out.send(event).await?;
            }
        }
        Ok(())
    }
}

/// What an event takes in memory, about.
fn bytes(event: &OutEvent) -> usize {
    let own = match event {
        OutEvent::Delta(delta) => delta.text.len() + delta.delta_json.len(),
        OutEvent::Started(_) | OutEvent::Finished(_) | OutEvent::Failed(_) => 0,
    };
    size_of::<OutEvent>() + own
}

/// An answer that holds more than this is handed on as it comes, and ends with its engine: what is kept back for all
/// requests together must stay small beside what they are.
const MOST_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_proto::v1;

    fn delta(bytes: usize) -> OutEvent {
        OutEvent::Delta(v1::TextDelta { text: "x".repeat(bytes), ..v1::TextDelta::default() })
    }

    #[tokio::test]
    async fn a_whole_answer_goes_when_it_is_complete_and_a_stream_as_it_comes() {
        for is_stream in [true, false] {
            let (mut out, mut events) = Outlet::new();
            let mut delivery = Delivery::new(&mut out, is_stream);
            delivery.send(OutEvent::Started(Box::default())).await.expect("the client is there");
            delivery.send(delta(10)).await.expect("the client is there");
            assert_eq!((events.try_recv().is_ok(), delivery.is_untouched()), (is_stream, !is_stream));
            delivery.send(OutEvent::Finished(Box::default())).await.expect("the client is there");
            let left = std::iter::from_fn(|| events.try_recv().ok()).count();
            assert_eq!((left, delivery.is_untouched()), (if is_stream { 2 } else { 3 }, false));
        }
    }

    #[tokio::test]
    async fn what_is_too_large_to_be_kept_back_goes_at_once() {
        let (mut out, mut events) = Outlet::new();
        let mut delivery = Delivery::new(&mut out, false);
        delivery.send(delta(MOST_BYTES / 2)).await.expect("the client is there");
        assert!(delivery.is_untouched() && events.try_recv().is_err());
        delivery.send(delta(MOST_BYTES / 2)).await.expect("the client is there");
        delivery.send(delta(1)).await.expect("the client is there");
        assert!(!delivery.is_untouched());
        assert_eq!(std::iter::from_fn(|| events.try_recv().ok()).count(), 3);
    }
}
