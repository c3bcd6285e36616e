//! The worker as a native engine: gRPC `sluice.v1.Expert`.

use crate::answering::{Answering, Desk, Piece, Refusal};
use crate::clock::instant_in;
use futures::stream::{BoxStream, StreamExt as _, unfold};
use sluice_proto::openai::content_text;
use sluice_proto::v1;
use sluice_proto::v1::expert_event::Event;
use sluice_proto::v1::expert_server::{Expert, ExpertServer};
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Load is told no more often than this.
const LEAST_EVERY: Duration = Duration::from_millis(100);

/// The native face of a worker.
pub(crate) struct Native(pub(crate) Arc<Desk>);

pub(crate) fn service(desk: Arc<Desk>) -> ExpertServer<Native> {
    ExpertServer::new(Native(desk)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

#[tonic::async_trait]
impl Expert for Native {
    type GenerateStream = BoxStream<'static, Result<v1::ExpertEvent, Status>>;
    type StatusStream = BoxStream<'static, Result<v1::ExpertStatus, Status>>;

    async fn status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Result<Response<Self::StatusStream>, Status> {
        if !self.0.admits(request.metadata().as_ref()) {
            return Err(Status::unauthenticated("wrong or missing API key"));
        }
        let every = Duration::from_millis(request.get_ref().every_ms.into()).max(LEAST_EVERY);
        let told = unfold((self.0.clone(), true), move |(desk, is_first)| async move {
            let mut closing = desk.closing.clone();
            if !is_first && tokio::time::timeout(every, closing.changed()).await.is_ok() {
                return None;
            }
            Some((Ok(load(&desk)), (desk, false)))
        });
        Ok(Response::new(told.boxed()))
    }

    async fn generate_batch(
        &self,
        request: Request<v1::ExpertBatch>,
    ) -> Result<Response<v1::ExpertBatchAnswer>, Status> {
        if !self.0.admits(request.metadata().as_ref()) {
            return Err(Status::unauthenticated("wrong or missing API key"));
        }
        let deadline = deadline(request.metadata());
        let answered = crate::grpc_batch::answer(&self.0, request.into_inner());
        tokio::time::timeout(deadline, answered).await.map_err(|_| late())?
    }

    async fn generate(
        &self,
        request: Request<v1::ExpertRequest>,
    ) -> Result<Response<Self::GenerateStream>, Status> {
        if !self.0.admits(request.metadata().as_ref()) {
            return Err(Status::unauthenticated("wrong or missing API key"));
        }
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        check(&request)?;
        let texts: Vec<String> = request.messages.iter().map(text).collect();
        let prompt = texts.join("\n");
        let salt = cache_salt(&request.extra_json);
        let opened =
            tokio::time::timeout(deadline, self.0.open(&prompt, salt.as_deref(), request.max_tokens));
        // The time of the queue counts too, so the stream gets what is left: both end at one instant.
        let until = instant_in(deadline);
        let answering = match opened.await {
            Err(_) => return Err(late()),
            Ok(Err(Refusal::HangUp)) => return Ok(broken()),
            Ok(Err(refusal)) => return Err(status(&refusal)),
            Ok(Ok(answering)) => answering,
        };
        Ok(stream(answering, until))
    }
}

/// What no engine can answer.
pub(crate) fn check(request: &v1::ExpertRequest) -> Result<(), Status> {
    if request.messages.is_empty() || request.max_tokens == 0 {
        return Err(Status::invalid_argument("at least one message and one token are needed"));
    }
    Ok(())
}

fn load(desk: &Desk) -> v1::ExpertStatus {
    let gauges = desk.gauges();
    v1::ExpertStatus {
        running: u32::try_from(gauges.running).unwrap_or(u32::MAX),
        waiting: u32::try_from(gauges.waiting).unwrap_or(u32::MAX),
        memory_used: Some(gauges.kv_usage),
    }
}

fn stream(answering: Answering, until: tokio::time::Instant) -> Response<<Native as Expert>::GenerateStream> {
    let cut = answering.cut.clone();
    let events = unfold(Some(answering), move |answering| async move {
        let mut answering = answering?;
        match tokio::time::timeout_at(until, answering.next()).await {
            Err(_) => Some((Err(late()), None)),
            Ok(piece) => Some((Ok(event(piece?)), Some(answering))),
        }
    });
    let mut response = Response::new(events.boxed());
    response.extensions_mut().insert(cut);
    response
}

/// A response whose connection breaks before its head.
fn broken() -> Response<<Native as Expert>::GenerateStream> {
    let mut response = Response::new(futures::stream::empty().boxed());
    response.extensions_mut().insert(crate::answering::Cut::thrown());
    response
}

fn event(piece: Piece) -> v1::ExpertEvent {
    let event = match piece {
        Piece::Text(text) => Event::Text(v1::TextDelta { text, delta_json: String::new() }),
        Piece::End { reason, input, cached, output, is_simulated } => {
            Event::Finished(finished(reason, (input, cached, output), is_simulated))
        }
    };
    v1::ExpertEvent { event: Some(event) }
}

pub(crate) fn finished(
    reason: &str,
    (input, cached, output): (u32, u32, u32),
    simulated: bool,
) -> v1::ExpertFinished {
    let usage = v1::Usage {
        prompt_tokens: input,
        cached_tokens: cached,
        output_tokens: output,
        ..v1::Usage::default()
    };
    v1::ExpertFinished { finish_reason: reason.to_owned(), usage: Some(usage), simulated }
}

/// A message's text: its own field, else what its JSON holds.
pub(crate) fn text(message: &v1::Message) -> String {
    match (message.content.is_empty(), serde_json::from_str(&message.json)) {
        (true, Ok(json)) => content_text(&json),
        _ => message.content.clone(),
    }
}

/// As in an OpenAI request for vLLM.
fn cache_salt(extra_json: &str) -> Option<String> {
    let extra: serde_json::Value = serde_json::from_str(extra_json).ok()?;
    Some(extra.get("cache_salt")?.as_str()?.to_owned())
}

fn late() -> Status {
    Status::deadline_exceeded("the deadline passed before the answer was complete")
}

pub(crate) fn status(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::TooLong { need, capacity } => Status::out_of_range(format!(
            "the maximum context length is {capacity} tokens, this needs {need}"
        )),
        Refusal::Busy(wait) => busy(*wait),
        Refusal::Status(status) => Status::new(code(*status), "a failure that was ordered"),
        Refusal::HangUp => Status::unavailable("hung up"),
    }
}

pub(crate) fn busy(wait: Option<Duration>) -> Status {
    let mut metadata = MetadataMap::new();
    if let Some(wait) = wait
        && let Ok(millis) = wait.as_millis().to_string().parse()
    {
        metadata.insert("grpc-retry-pushback-ms", millis);
    }
    Status::with_metadata(Code::ResourceExhausted, "the queue is full", metadata)
}

pub(crate) fn code(status: u16) -> Code {
    match status {
        400 | 422 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        402 | 403 => Code::PermissionDenied,
        404 => Code::NotFound,
        409 => Code::Aborted,
        413 | 429 => Code::ResourceExhausted,
        501 => Code::Unimplemented,
        502 | 503 => Code::Unavailable,
        504 => Code::DeadlineExceeded,
        _ => Code::Internal,
    }
}

/// The time that `grpc-timeout` leaves: up to 8 digits and a unit. A day when absent or odd.
fn deadline(metadata: &MetadataMap) -> Duration {
    const DAY: Duration = Duration::from_secs(86_400);
    let parse = || {
        let text = metadata.get("grpc-timeout")?.to_str().ok()?;
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
        match unit {
            "H" => Some(Duration::from_secs(count * 3_600)),
            "M" => Some(Duration::from_secs(count * 60)),
            "S" => Some(Duration::from_secs(count)),
            "m" => Some(Duration::from_millis(count)),
            "u" => Some(Duration::from_micros(count)),
            "n" => Some(Duration::from_nanos(count)),
            _ => None,
        }
    };
    parse().unwrap_or(DAY).min(DAY)
}
