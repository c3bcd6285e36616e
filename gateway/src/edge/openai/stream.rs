//! An answer as server-sent events.

use super::Edge;
use super::wire::{About, Chunk, ChunkChoice, Delta, usage};
use crate::door::Door;
use crate::edge::answer::Answer;
use crate::edge::arrival::Arrival;
use crate::edge::{marks, merge, status};
use crate::error::Fault;
use crate::request::OutEvent;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Map;
use sluice_proto::v1;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

/// Silence after which a comment shows that the connection lives, in milliseconds.
const KEEP_ALIVE_MS: u64 = 15_000;

/// Begins the answer. The status line waits for the first event, so that a failure until then has a status of its own.
///
/// # Errors
/// The failure that came instead of a first event.
pub(super) async fn respond(
    edge: &Edge,
    arrival: &Arrival,
    mut answer: Answer,
    asked_model: String,
    includes_usage: bool,
) -> Result<Response, Fault> {
    answer.hold(&*edge.door).await?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    if let Some(OutEvent::Started(started)) = answer.peek() {
        marks::started(headers, started);
    }
    let events = Events {
        id: super::chat_id(arrival),
        created: edge.door.unix_seconds(),
        started: v1::Started { expert: asked_model, floor_held: true, ..Default::default() },
        includes_usage,
        answer,
        ready: VecDeque::new(),
        text_frame: None,
        has_ended: false,
        silence: silence(&edge.door),
        is_silent: true,
        door: edge.door.clone(),
        arrival: arrival.clone(),
    };
    let frames = futures::stream::unfold(events, |mut events| async move {
        events.frame().await.map(|frame| (Ok::<Bytes, Infallible>(frame), events))
    });
    *response.body_mut() = Body::from_stream(frames);
    Ok(response)
}

fn silence(door: &Arc<dyn Door>) -> BoxFuture<'static, ()> {
    door.sleep_until(door.now().plus_ms(KEEP_ALIVE_MS))
}

/// What most frames need.
const FRAME_BYTES: usize = 512;

/// Turns events into frames, one at a time.
struct Events {
    id: String,
    created: u64,
    /// Who answers; until that is known, who was asked.
    started: v1::Started,
    includes_usage: bool,
    answer: Answer,
    ready: VecDeque<Bytes>,
    /// What stands around the text in each frame that is text and nothing else, as nearly all are.
    text_frame: Option<TextFrame>,
    has_ended: bool,
    silence: BoxFuture<'static, ()>,
    /// False when an event came since `silence` began; it is then begun again, which is cheaper than once an event.
    is_silent: bool,
    door: Arc<dyn Door>,
    arrival: Arrival,
}

impl Events {
    async fn frame(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            if self.has_ended {
                return None;
            }
            tokio::select! {
                biased;
                event = self.answer.next() => {
                    self.is_silent = false;
                    self.take(event);
                }
                () = &mut self.silence => {
                    self.silence = silence(&self.door);
                    if std::mem::replace(&mut self.is_silent, true) {
                        return Some(Bytes::from_static(b": keep-alive\n\n"));
                    }
                }
            }
        }
    }

    fn take(&mut self, event: OutEvent) {
        match event {
            OutEvent::Started(started) => {
                self.started = *started;
                self.text_frame = None;
                self.push_choice(Delta::Object(merge::plain("".into())), None, None);
            }
            OutEvent::Delta(delta) if delta.delta_json.is_empty() => {
                if !delta.text.is_empty() {
                    self.push_text(&delta.text);
                }
            }
            OutEvent::Delta(delta) => match merge::delta_object(&delta) {
                Ok(object) if object.is_empty() => {}
                Ok(object) => self.push_choice(Delta::Object(object), None, None),
                Err(fault) => self.fail(&fault),
            },
            OutEvent::Finished(finished) => self.finish(&finished),
            OutEvent::Failed(fault) => self.fail(&fault),
        }
    }

    fn finish(&mut self, finished: &v1::Finished) {
        let about = About::new(&self.started, finished);
        if self.includes_usage {
            self.push_choice(Delta::Object(Map::new()), Some(&finished.finish_reason), None);
            let last = frame(&self.chunk(Vec::new(), Some(Some(usage(finished))), Some(about)));
            self.ready.push_back(last);
        } else {
            self.push_choice(Delta::Object(Map::new()), Some(&finished.finish_reason), Some(about));
        }
        self.ready.push_back(Bytes::from_static(b"data: [DONE]\n\n"));
        self.has_ended = true;
    }

    /// A broken stream must not look finished: no `[DONE]`, and the connection is not used again.
    fn fail(&mut self, fault: &Fault) {
        self.ready.push_back(frame(&status::error_body(fault)));
        self.arrival.conn.close_soon();
        self.has_ended = true;
    }

    fn push_text(&mut self, text: &str) {
        if self.text_frame.is_none() {
            self.text_frame = Some(TextFrame::of(&self.choice(Delta::Text { content: "" }, None, None)));
        }
        self.ready.extend(self.text_frame.as_ref().map(|frame| frame.with(text)));
    }

    fn push_choice(&mut self, delta: Delta<'_>, finish_reason: Option<&str>, about: Option<About>) {
        let frame = frame(&self.choice(delta, finish_reason, about));
        self.ready.push_back(frame);
    }

    fn choice<'a>(
        &'a self,
        delta: Delta<'a>,
        finish_reason: Option<&'a str>,
        about: Option<About>,
    ) -> Chunk<'a> {
        let choice = ChunkChoice { index: 0, delta, logprobs: None, finish_reason };
        self.chunk(vec![choice], self.includes_usage.then_some(None), about)
    }

    fn chunk<'a>(
        &'a self,
        choices: Vec<ChunkChoice<'a>>,
        usage: Option<Option<sluice_proto::openai::Usage>>,
        sluice: Option<About>,
    ) -> Chunk<'a> {
        Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.started.expert,
            choices,
            usage,
            sluice,
        }
    }
}

/// A frame with its text left out: all frames of a stream that are text and nothing else differ in it alone.
struct TextFrame {
    before: Bytes,
    after: Bytes,
}

impl TextFrame {
    /// Of a chunk whose text is empty.
    fn of(chunk: &Chunk<'_>) -> TextFrame {
        // Within a string the quotes would have been escaped, so it is found nowhere else.
        const EMPTY: &[u8] = br#""content":"""#;
        let mut before = frame(chunk);
        let at = before.windows(EMPTY.len()).position(|bytes| bytes == EMPTY).expect("it has a text");
        let mut after = before.split_off(at + EMPTY.len() - 2);
        TextFrame { before, after: after.split_off(2) }
    }

    fn with(&self, text: &str) -> Bytes {
        let mut bytes = Vec::with_capacity(self.before.len() + text.len() + ESCAPES + self.after.len());
        bytes.extend_from_slice(&self.before);
        serde_json::to_writer(&mut bytes, text).expect("writing JSON to memory can't fail");
        bytes.extend_from_slice(&self.after);
        Bytes::from(bytes)
    }
}

/// Room for quotes and a few characters that are written longer.
const ESCAPES: usize = 32;

fn frame(value: &impl serde::Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(FRAME_BYTES);
    bytes.extend_from_slice(b"data: ");
    serde_json::to_writer(&mut bytes, value).expect("writing JSON to memory can't fail");
    bytes.extend_from_slice(b"\n\n");
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_text_is_the_chunk_with_that_text() {
        for (model, usage) in [("small", None), ("odd \"content\":\"\" name", Some(None))] {
            let chunk = |content| Chunk {
                id: "chatcmpl-1",
                object: "chat.completion.chunk",
                created: 7,
                model,
                choices: vec![ChunkChoice {
                    index: 0,
                    delta: Delta::Text { content },
                    logprobs: None,
                    finish_reason: None,
                }],
                usage,
                sluice: None,
            };
            let text_frame = TextFrame::of(&chunk(""));
            for text in ["a", "", "\"\n\u{1f600}法", &"\u{1}".repeat(99)] {
                assert_eq!(text_frame.with(text), frame(&chunk(text)), "{text:?}");
            }
        }
    }
}
