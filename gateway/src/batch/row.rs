//! One request's row: what it is to the batcher, what it is told, and how it waits.

use futures::future::{BoxFuture, Shared};
use sluice_experts::{Answer, Call, ErrorKind, ExpertError};
use sluice_router::{Item, Row, Tick};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use tokio::sync::mpsc;

/// One who waits for its batch.
pub(super) struct Caller {
    pub(super) call: Call,
    pub(super) told: mpsc::Sender<Told>,
}

impl Caller {
    pub(super) fn tell(&self, told: Told) {
        // Whoever has left needs no answer: it is dropped.
        let _ = self.told.try_send(told);
    }
}

/// What a row is told.
pub(super) enum Told {
    /// Its batch is under way, and is carried out by those who wait for it.
    Drive(Drive),
    /// Its answer.
    Done(Result<Answer, ExpertError>),
}

/// A batch, carried out by whoever polls it.
pub(super) type Drive = Shared<BoxFuture<'static, ()>>;

/// Messages that one row is told at most: a batch of 4,096 is halved twelve times.
pub(super) const MOST_TOLD: usize = 16;

/// Waits for the answer, and carries the batch out meanwhile.
pub(super) async fn hear(hears: &mut mpsc::Receiver<Told>) -> Result<Answer, ExpertError> {
    let mut drive: Option<Drive> = None;
    loop {
        let driving = async {
            match &mut drive {
                Some(drive) => drive.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            told = hears.recv() => match told {
                Some(Told::Drive(next)) => drive = Some(next),
                Some(Told::Done(outcome)) => return outcome,
                None => return Err(ExpertError::new(ErrorKind::Truncated, "the batch was lost")),
            },
            () = driving => drive = None,
        }
    }
}

/// The call as it goes to the engine now.
pub(super) fn call(row: &Row<Caller>, now: Tick) -> Call {
    let left = row.item.deadline.map(|deadline| Duration::from_micros(deadline.since_us(now)));
    Call { time_left: left, ..row.who.call.clone() }
}

/// A call as the batcher sees it. Only those with the same sampling settings share a batch, since engines set them for
/// a batch as a whole.
pub(crate) fn item(call: &Call, prompt_tokens: u32, priority: u8, now: Tick) -> Item {
    let mut kind = DefaultHasher::new();
    call.body.temperature.map(f32::to_bits).hash(&mut kind);
    call.body.top_p.map(f32::to_bits).hash(&mut kind);
    call.body.extra_json.hash(&mut kind);
    let left_us = call.time_left.map(|left| u64::try_from(left.as_micros()).unwrap_or(u64::MAX));
    Item {
        deadline: left_us.map(|us| Tick(now.0.saturating_add(us))),
        priority,
        kind: kind.finish(),
        cost: u64::from(prompt_tokens) + u64::from(call.max_tokens),
    }
}

/// It can't be answered by its deadline.
pub(super) fn late(by_ms: u32) -> ExpertError {
    let detail = "the batches ahead take longer than the deadline allows";
    ExpertError::new(ErrorKind::Late { by_ms }, detail)
}

/// Its deadline has passed.
pub(super) fn out_of_time() -> ExpertError {
    ExpertError::new(ErrorKind::Deadline, "the deadline passed before the answer was complete")
}
