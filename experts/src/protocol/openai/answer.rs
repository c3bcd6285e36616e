//! An answer in progress: chunks of JSON in, events out. No I/O.

use crate::call::{Event, Finish, Usage};
use crate::error::{ErrorKind, ExpertError};
use crate::protocol::openai::{plain, refusal, usage::usage};
use crate::scrub::Scrub;
use serde_json::{Map, Value};

/// What has been said of the end so far. Whatever follows a finish reason is ignored but for the usage.
#[derive(Default)]
pub(super) struct Answer {
    reason: Option<String>,
    usage: Option<Usage>,
    simulated: bool,
    done: bool,
}

impl Answer {
    /// Takes the data of one server-sent event.
    ///
    /// # Errors
    /// The engine's own error, or [`ErrorKind::Protocol`] for data that isn't JSON.
    pub(super) fn take(&mut self, data: &str, scrub: &Scrub) -> Result<Option<Event>, ExpertError> {
        if data.trim() == "[DONE]" {
            self.done = true;
            return Ok(None);
        }
        if !self.is_complete()
            && let Some(text) = plain::text(data)
        {
            return Ok(Some(Event::Delta { text, json: String::new() }));
        }
        let chunk: Value = serde_json::from_str(data).or_else(|_| match self.is_complete() {
            true => Ok(Value::Null),
            false => Err(ExpertError::new(ErrorKind::Protocol, "the engine sent an event that is not JSON")),
        })?;
        if let Some(error) = refusal::of_json(&chunk, scrub).filter(|_| !self.is_complete()) {
            return Err(error);
        }
        self.note_usage(&chunk);
        let choice = chunk.get("choices").and_then(first_choice);
        let Some(choice) = choice.filter(|_| !self.is_complete()) else { return Ok(None) };
        let event = choice.get("delta").and_then(Value::as_object).and_then(delta);
        self.note_reason(reason(choice))?;
        Ok(event)
    }

    /// Takes a whole answer, from an engine that doesn't stream although it was asked to.
    ///
    /// # Errors
    /// As [`Answer::take`].
    pub(super) fn take_whole(&mut self, body: &[u8], scrub: &Scrub) -> Result<Option<Event>, ExpertError> {
        if let Some(plain) = plain::whole(body) {
            self.usage = usage(&plain.usage);
            self.note_reason(plain.reason.as_deref())?;
            self.done = true;
            return Ok(Some(Event::Delta { text: plain.text, json: String::new() }));
        }
        let odd =
            || ExpertError::new(ErrorKind::Protocol, "the engine sent a body that is no chat completion");
        let body: Value = serde_json::from_slice(body).map_err(|_| odd())?;
        if let Some(error) = refusal::of_json(&body, scrub) {
            return Err(error);
        }
        self.note_usage(&body);
        let choice = body.get("choices").and_then(first_choice).ok_or_else(odd)?;
        let event = choice.get("message").and_then(Value::as_object).and_then(delta);
        self.note_reason(reason(choice))?;
        self.done = true;
        Ok(event)
    }

    /// The engine has said that the answer is complete; its usage may still follow.
    pub(super) fn is_complete(&self) -> bool {
        self.reason.is_some() || self.done
    }

    /// Nothing more follows.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The end of a complete answer.
    pub(super) fn finish(&self) -> Event {
        let reason = self.reason.clone().unwrap_or_else(|| "stop".to_owned());
        Event::Finished(Finish { reason, usage: self.usage, simulated: self.simulated })
    }

    fn note_usage(&mut self, chunk: &Value) {
        // The last one counts: some engines send a running total in every chunk.
        self.usage = chunk.get("usage").and_then(usage).or(self.usage);
        self.simulated |= chunk.pointer("/sluice/simulated") == Some(&Value::Bool(true));
    }

    fn note_reason(&mut self, reason: Option<&str>) -> Result<(), ExpertError> {
        let Some(reason) = reason else { return Ok(()) };
        self.reason = match reason {
            "" => None,
            "abort" | "error" => {
                return Err(ExpertError::new(ErrorKind::Failed, "the engine gave the answer up half-way"));
            }
            "length" | "tool_calls" | "content_filter" => Some(reason.to_owned()),
            "function_call" => Some("tool_calls".to_owned()),
            _ => Some("stop".to_owned()),
        };
        Ok(())
    }
}

/// Why the engine says that it ended.
fn reason(choice: &Map<String, Value>) -> Option<&str> {
    choice.get("finish_reason").and_then(Value::as_str)
}

/// The choice with index 0: one answer is asked for, and one is read.
fn first_choice(choices: &Value) -> Option<&Map<String, Value>> {
    let choice = |value: &Value| value.get("index").and_then(Value::as_u64).unwrap_or(0) == 0;
    choices.as_array()?.iter().find(|value| choice(value))?.as_object()
}

/// A delta with something in it. A role alone is nothing yet.
fn delta(delta: &Map<String, Value>) -> Option<Event> {
    let text = sluice_proto::openai::content_text(delta);
    let more =
        |(name, value): (&String, &Value)| !matches!(name.as_str(), "role" | "content") && !is_empty(value);
    let json = if delta.iter().any(more) { Value::Object(delta.clone()).to_string() } else { String::new() };
    (!text.is_empty() || !json.is_empty()).then_some(Event::Delta { text, json })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts and jsons of an answer, and its end if there is one.
    type Got = (Vec<(String, String)>, Option<Finish>);

    fn run(chunks: &[&str]) -> Result<Got, ErrorKind> {
        let scrub = Scrub::new(Vec::new(), None);
        let mut answer = Answer::default();
        let mut deltas = Vec::new();
        for chunk in chunks {
            match answer.take(chunk, &scrub).map_err(|error| error.kind)? {
                Some(Event::Delta { text, json }) => deltas.push((text, json)),
                Some(Event::Finished(_)) => panic!("only `finish` ends"),
                None => {}
            }
        }
        let finish = answer.is_complete().then(|| match answer.finish() {
            Event::Finished(finish) => finish,
            Event::Delta { .. } => unreachable!(),
        });
        Ok((deltas, finish))
    }

    const ROLE: &str =
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]}"#;
    const TEXT: &str =
        r#"{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}],"usage":null}"#;
    const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}"#;

    #[test]
    fn a_whole_stream_gives_text_reason_and_usage() {
        let (deltas, finish) = run(&[ROLE, TEXT, TEXT, STOP, USAGE, "[DONE]"]).unwrap();
        assert_eq!(deltas, [("hi".to_owned(), String::new()), ("hi".to_owned(), String::new())]);
        let usage = Some(Usage { prompt: 5, cached: 3, cache_write: 0, output: 2 });
        assert_eq!(finish, Some(Finish { reason: "stop".into(), usage, simulated: false }));
    }

    #[test]
    fn an_answer_without_a_terminal_signal_is_not_complete() {
        assert_eq!(run(&[ROLE, TEXT, USAGE]).unwrap().1, None);
        assert_eq!(run(&[TEXT, "[DONE]"]).unwrap().1.unwrap().reason, "stop");
    }

    #[test]
    fn what_follows_the_finish_is_ignored() {
        let (deltas, finish) =
            run(&[TEXT, STOP, TEXT, "garbage", r#"{"error":{"code":500}}"#, USAGE]).unwrap();
        assert_eq!(deltas.len(), 1);
        assert_eq!(finish.unwrap().usage.unwrap().output, 2);
    }

    #[test]
    fn a_delta_with_more_than_text_is_kept_whole() {
        let tool =
            r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0}]}}]}"#;
        let thought = r#"{"choices":[{"delta":{"content":"a","reasoning_content":"b"}}]}"#;
        let (deltas, _) = run(&[tool, thought]).unwrap();
        assert_eq!(
            deltas[0],
            (String::new(), r#"{"role":"assistant","content":null,"tool_calls":[{"index":0}]}"#.into())
        );
        assert_eq!(deltas[1], ("a".into(), r#"{"content":"a","reasoning_content":"b"}"#.into()));
    }

    #[test]
    fn odd_shapes_are_nothing_and_other_data_is_an_error() {
        let odd = [
            "{}",
            "[]",
            "1",
            r#"{"choices":null}"#,
            r#"{"choices":[1]}"#,
            r#"{"choices":[{"delta":7}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"other"},"finish_reason":"stop"}]}"#,
        ];
        assert_eq!(run(&odd).unwrap(), (vec![], None));
        assert_eq!(run(&["<html>"]).unwrap_err(), ErrorKind::Protocol);
        assert_eq!(run(&[&"[".repeat(10_000)]).unwrap_err(), ErrorKind::Protocol);
        assert_eq!(
            run(&[TEXT, r#"{"error":{"message":"cuda","code":500}}"#]).unwrap_err(),
            ErrorKind::Failed
        );
        assert_eq!(
            run(&[r#"{"choices":[{"delta":{},"finish_reason":"abort"}]}"#]).unwrap_err(),
            ErrorKind::Failed
        );
    }
}
