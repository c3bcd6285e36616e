//! An answer in one piece.

use super::Edge;
use super::wire::{About, Whole, WholeChoice, usage};
use crate::edge::answer::{Answer, Complete};
use crate::edge::arrival::Arrival;
use crate::edge::marks;
use crate::edge::merge::plain;
use crate::error::Fault;
use axum::response::Response;

/// Waits for the whole answer.
///
/// # Errors
/// The failure that came instead of its end.
pub(super) async fn respond(
    edge: &Edge,
    arrival: &Arrival,
    answer: Answer,
    asked_model: String,
) -> Result<Response, Fault> {
    let Complete { started, message, finished } = answer.complete().await?;
    let (text, object) = message.finish();
    let choice = WholeChoice {
        index: 0,
        message: object.unwrap_or_else(|| plain(text.into())),
        logprobs: None,
        finish_reason: finished.finish_reason.clone(),
    };
    let whole = Whole {
        id: super::chat_id(arrival),
        object: "chat.completion",
        created: edge.door.unix_seconds(),
        model: if started.expert.is_empty() { asked_model } else { started.expert.clone() },
        choices: [choice],
        usage: usage(&finished),
        sluice: About::new(&started, &finished),
    };
    let mut response = super::json(&whole);
    marks::started(response.headers_mut(), &started);
    marks::finished(response.headers_mut(), &finished);
    Ok(response)
}
