//! The response's bytes as events, with patience.

use crate::call::{Event, Events};
use crate::channel::causes;
use crate::codec::{SseEvent, SseParser};
use crate::error::{ErrorKind, ExpertError};
use crate::http1::{Body, Response};
use crate::patience::Patience;
use crate::protocol::openai::answer::Answer;
use crate::protocol::openai::refusal;
use crate::scrub::Scrub;
use futures::stream::{StreamExt as _, once, try_unfold};
use http::header::CONTENT_TYPE;
use std::collections::VecDeque;
use std::time::Duration;

/// Most bytes of an answer that comes in one piece.
const MAX_WHOLE_BYTES: usize = 8 << 20;
/// How long the usage may follow a finish reason.
const TAIL: Duration = Duration::from_secs(2);
/// How long the end of the body may follow `[DONE]`. It nearly always comes with it; a body read to its end leaves the
/// connection fit for the next request, and no answer waits longer than this for that.
const LAST_BYTES: Duration = Duration::from_millis(20);

/// Waits for the first event of a response with status 200, and gives back the whole stream.
///
/// # Errors
/// As [`crate::Engine::generate`].
pub(super) async fn open(
    response: Response,
    scrub: Scrub,
    patience: Patience,
) -> Result<Events, ExpertError> {
    let kind = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = kind.starts_with("application/json");
    // No type at all is let pass: what it holds will show.
    if !is_json && !kind.is_empty() && !kind.starts_with("text/event-stream") {
        return Err(ExpertError::new(
            ErrorKind::Protocol,
            format!("the engine answered with {}", scrub.clean(kind)),
        ));
    }
    // In a box, as the stream hands it on from event to event.
    let mut reading = Box::new(Reading {
        body: response.body,
        parser: SseParser::new(),
        records: VecDeque::new(),
        answer: Answer::default(),
        scrub,
        patience,
        begun: false,
        ended: false,
    });
    let first = if is_json { reading.whole().await? } else { reading.next().await? };
    let Some(first) = first else { return Err(truncated("before its first event")) };
    reading.begun = true;
    let rest =
        try_unfold(
            reading,
            |mut reading| async move { Ok(reading.next().await?.map(|event| (event, reading))) },
        );
    Ok(once(std::future::ready(Ok(first))).chain(rest).boxed())
}

struct Reading {
    body: Body,
    parser: SseParser,
    records: VecDeque<SseEvent>,
    answer: Answer,
    scrub: Scrub,
    patience: Patience,
    /// The first event has been told: from now on silence is bounded, not the time to the first token.
    begun: bool,
    /// The end has been told.
    ended: bool,
}

impl Reading {
    /// The next event; `None` after the end.
    async fn next(&mut self) -> Result<Option<Event>, ExpertError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            if self.answer.is_done() {
                return Ok(Some(self.finish().await));
            }
            if let Some(record) = self.records.pop_front() {
                let was_complete = self.answer.is_complete();
                let event = self.answer.take(&record.data, &self.scrub)?;
                if self.answer.is_complete() && !was_complete {
                    self.patience.at_most(TAIL);
                }
                if event.is_some() {
                    return Ok(event);
                }
                continue;
            }
            match self.more().await {
                Ok(true) => {}
                // Complete is complete: a connection that breaks while only the usage is missing changes nothing.
                Ok(false) | Err(_) if self.answer.is_complete() => return Ok(Some(self.finish().await)),
                Ok(false) => return Err(self.cut()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads on. False at the end of the body.
    async fn more(&mut self) -> Result<bool, ExpertError> {
        if self.begun && !self.answer.is_complete() {
            self.patience.alive();
        }
        match self.patience.wait(self.body.next()).await? {
            Ok(None) => Ok(false),
            Ok(Some(bytes)) => {
                let fits = self.parser.push(bytes, &mut self.records);
                fits.map_err(|error| ExpertError::new(ErrorKind::Protocol, error.to_string()))?;
                Ok(true)
            }
            Err(error) => Err(truncated(&format!("in the middle: {}", causes(&error)))),
        }
    }

    /// An answer in one piece; what it holds is the first event, its end the next.
    async fn whole(&mut self) -> Result<Option<Event>, ExpertError> {
        let body = self.patience.wait(self.body.rest(MAX_WHOLE_BYTES)).await?;
        let body = body.map_err(|error| truncated(&format!("in the middle: {}", causes(&error))))?;
        match self.answer.take_whole(&body, &self.scrub)? {
            Some(event) => Ok(Some(event)),
            None => self.next().await,
        }
    }

    async fn finish(&mut self) -> Event {
        self.ended = true;
        if self.body.is_over() {
            return self.answer.finish(); // no timer for what needs none
        }
        self.patience.at_most(LAST_BYTES);
        while let Ok(Ok(Some(_))) = self.patience.wait(self.body.next()).await {}
        self.answer.finish()
    }

    /// The body ended although the answer isn't complete: with an error body that no event carried, or just so.
    fn cut(&self) -> ExpertError {
        let stray = serde_json::from_str(&self.parser.stray()).ok();
        let told = stray.and_then(|value| refusal::of_json(&value, &self.scrub));
        told.unwrap_or_else(|| truncated("without saying that the answer is complete"))
    }
}

fn truncated(how: &str) -> ExpertError {
    ExpertError::new(ErrorKind::Truncated, format!("the engine's stream ended {how}"))
}
