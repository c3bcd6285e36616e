//! Sluice's own dialect: gRPC `sluice.v1.Expert`, its health by `grpc.health.v1`.
//!
//! One HTTP/2 connection per endpoint, opened on first use and again when it breaks or falls silent. A call is sent once.

mod batch;

use crate::call::{Answers, Call, Endpoint, Engine, Event, Events, Finish, Reports, Usage};
use crate::channel::{Connector, Version, address, causes};
use crate::error::{ErrorKind, ExpertError};
use crate::patience::Patience;
use crate::protocol::{EndpointError, Row};
use crate::report::LoadReport;
use crate::retry_after::retry_after;
use crate::scrub::Scrub;
use crate::wire::Wire as Connection;
use futures::future::BoxFuture;
use futures::stream::{StreamExt as _, TryStreamExt as _, empty, once, try_unfold};
use http::HeaderMap;
use sluice_proto::v1;
use sluice_proto::v1::expert_client::ExpertClient;
use sluice_proto::v1::expert_event::Event as Wire;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

pub(super) const ROW: Row = Row {
    name: "native",
    connect: |endpoint| Ok(Arc::new(Native(Arc::new(Inner::new(endpoint)?)))),
    about: "gRPC sluice.v1.Expert: Sluice's own workers and the simulator",
};

const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of one answer that wait for a client who reads slowly; its engine is held back then.
const STREAM_WINDOW: u32 = 64 << 10;
/// The same for all answers of one connection: so many that 256 who don't read at all keep nobody else waiting.
const CONNECTION_WINDOW: u32 = 256 * STREAM_WINDOW;
/// Most bytes of one message.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// How tonic words its own refusal of a larger one, whose code an engine uses for prompts that are too long.
const TOO_LARGE: &str = "Error, decoded message length too large";
/// `grpc-timeout` has eight digits; a longer time than this is no deadline to speak of.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(99_999_999);
/// The name that the health service knows the expert by.
const SERVICE: &str = "sluice.v1.Expert";

struct Native(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    wire: Connection,
    metadata: MetadataMap,
}

impl Engine for Native {
    fn generate(&self, call: Call) -> BoxFuture<'static, Result<Events, ExpertError>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.generate(call).await })
    }

    fn generate_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Result<Answers, ExpertError>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.generate_batch(calls).await })
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), ExpertError>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.probe().await })
    }

    fn reports(&self, every: Duration) -> Reports {
        let inner = self.0.clone();
        let opened = async move { inner.reports(every).await };
        Box::pin(once(opened).try_flatten())
    }
}

impl Inner {
    fn new(endpoint: Endpoint) -> Result<Inner, EndpointError> {
        let uri = address(&endpoint)?;
        if !matches!(uri.path(), "" | "/") {
            let why = "a native engine has no path".to_owned();
            return Err(EndpointError::Url { url: endpoint.url.clone(), why });
        }
        // TLS is the connector's. With tonic's own TLS features on, tonic would refuse https without its configuration.
        let connector = Connector::new(Version::Http2, &endpoint);
        let builder = Channel::builder(uri)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let wire = Connection::new(move || builder.connect_with_connector_lazy(connector.clone()));
        let metadata = metadata(&endpoint)?;
        Ok(Inner { endpoint, wire, metadata })
    }

    async fn generate(self: Arc<Inner>, call: Call) -> Result<Events, ExpertError> {
        let scrub = Scrub::new(vec![call.body.clone()], self.endpoint.api_key.clone());
        let mut patience = Patience::for_call(&self.endpoint, call.time_left)?;
        // The connection is the channel's affair; its own bound comes on top of the wait for the first event.
        patience.connected_within(self.endpoint.connect_timeout);
        let line = self.wire.line();
        let mut client = ExpertClient::new(line.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = self.request(call);
        let response = self.wire.ended(&line, patience.wait(client.generate(request)).await)?;
        let stream = response.map_err(|status| error_of(&status, &scrub))?.into_inner();
        let mut reading = Reading { stream, scrub, patience, begun: false, ended: false };
        let first = self.wire.ended(&line, reading.next().await)?;
        let Some(first) = first else { return Err(truncated()) };
        reading.begun = true;
        let rest = try_unfold((reading, self, line), |(mut reading, inner, line)| async move {
            let next = inner.wire.ended(&line, reading.next().await)?;
            Ok(next.map(|event| (event, (reading, inner, line))))
        });
        Ok(once(std::future::ready(Ok(first))).chain(rest).boxed())
    }

    fn request(&self, call: Call) -> Request<v1::ExpertRequest> {
        let mut metadata = self.metadata.clone();
        if let Ok(id) = call.request_id.parse() {
            metadata.insert("x-request-id", id);
        }
        let time_left = call.time_left;
        self.timed(self.message(call), metadata, time_left)
    }

    fn timed<T>(&self, message: T, metadata: MetadataMap, time_left: Option<Duration>) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = metadata;
        if let Some(left) = time_left {
            request.set_timeout(left.min(LONGEST_TIMEOUT));
        }
        request
    }

    fn message(&self, call: Call) -> v1::ExpertRequest {
        let body = Arc::unwrap_or_clone(call.body);
        v1::ExpertRequest {
            request_id: call.request_id,
            model: self.endpoint.model.clone(),
            messages: body.messages,
            max_tokens: call.max_tokens,
            temperature: body.temperature,
            top_p: body.top_p,
            stop: body.stop,
            seed: body.seed,
            extra_json: body.extra_json,
        }
    }

    async fn probe(&self) -> Result<(), ExpertError> {
        let mut patience = Patience::for_probe(&self.endpoint);
        patience.connected_within(self.endpoint.connect_timeout);
        let scrub = Scrub::new(Vec::new(), self.endpoint.api_key.clone());
        let mut request = Request::new(HealthCheckRequest { service: SERVICE.to_owned() });
        *request.metadata_mut() = self.metadata.clone();
        let line = self.wire.line();
        let mut client = HealthClient::new(line.channel.clone());
        let answer = self.wire.ended(&line, patience.wait(client.check(request)).await)?;
        let answer = answer.map_err(|status| error_of(&status, &scrub))?;
        match answer.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            other => {
                Err(ExpertError::new(ErrorKind::Failed, format!("the engine says {}", other.as_str_name())))
            }
        }
    }
}

impl Inner {
    /// The engine's own stream of reports; an empty one where it has none.
    async fn reports(&self, every: Duration) -> Result<Reports, ExpertError> {
        let mut patience = Patience::for_probe(&self.endpoint);
        patience.connected_within(self.endpoint.connect_timeout);
        let scrub = Scrub::new(Vec::new(), self.endpoint.api_key.clone());
        let every_ms = u32::try_from(every.as_millis()).unwrap_or(u32::MAX);
        let mut request = Request::new(v1::StatusRequest { every_ms });
        *request.metadata_mut() = self.metadata.clone();
        let line = self.wire.line();
        let mut client = ExpertClient::new(line.channel.clone());
        let opened = match self.wire.ended(&line, patience.wait(client.status(request)).await)? {
            Err(status) if status.code() == Code::Unimplemented => return Ok(empty().boxed()),
            opened => opened.map_err(|status| error_of(&status, &scrub))?.into_inner(),
        };
        let report = move |status: Result<v1::ExpertStatus, Status>| {
            status.map(report).map_err(|status| error_of(&status, &scrub))
        };
        Ok(opened.map(report).boxed())
    }
}

fn report(status: v1::ExpertStatus) -> LoadReport {
    let memory = status.memory_used.filter(|share| share.is_finite()).map(|share| share.clamp(0.0, 1.0));
    LoadReport { running: status.running, waiting: status.waiting, memory }
}

fn metadata(endpoint: &Endpoint) -> Result<MetadataMap, EndpointError> {
    let mut metadata = MetadataMap::new();
    let mut add = |name: &str, value: &str| {
        let wrong = || EndpointError::Header(name.to_owned());
        // gRPC keeps these for itself.
        if name.starts_with("grpc-") || name.ends_with("-bin") || name == "te" || name == "content-type" {
            return Err(wrong());
        }
        let key: MetadataKey<Ascii> = name.parse().map_err(|_| wrong())?;
        let mut value: MetadataValue<Ascii> = value.parse().map_err(|_| wrong())?;
        value.set_sensitive(true);
        metadata.insert(key, value);
        Ok(())
    };
    for (name, value) in &endpoint.headers {
        add(name, value)?;
    }
    if let Some(key) = &endpoint.api_key {
        add("authorization", &format!("Bearer {}", key.reveal()))?;
    }
    Ok(metadata)
}

struct Reading {
    stream: Streaming<v1::ExpertEvent>,
    scrub: Scrub,
    patience: Patience,
    begun: bool,
    ended: bool,
}

impl Reading {
    /// The next event; `None` after the end.
    async fn next(&mut self) -> Result<Option<Event>, ExpertError> {
        while !self.ended {
            if self.begun {
                self.patience.alive();
            }
            let message = self.patience.wait(self.stream.message()).await?;
            let message = message.map_err(|status| error_of(&status, &self.scrub))?.ok_or_else(truncated)?;
            match message.event {
                Some(Wire::Text(delta)) if delta.text.is_empty() && delta.delta_json.is_empty() => {}
                Some(Wire::Text(delta)) => {
                    return Ok(Some(Event::Delta { text: delta.text, json: delta.delta_json }));
                }
                Some(Wire::Finished(finished)) => {
                    self.ended = true;
                    return Ok(Some(Event::Finished(finish(finished))));
                }
                // An event of a newer engine.
                None => {}
            }
        }
        Ok(None)
    }
}

fn finish(finished: v1::ExpertFinished) -> Finish {
    let usage = finished.usage.map(|usage| Usage {
        prompt: usage.prompt_tokens,
        cached: usage.cached_tokens.min(usage.prompt_tokens),
        cache_write: usage.cache_write_tokens.min(usage.prompt_tokens.saturating_sub(usage.cached_tokens)),
        output: usage.output_tokens,
    });
    let reason = if finished.finish_reason.is_empty() { "stop".to_owned() } else { finished.finish_reason };
    Finish { reason, usage, simulated: finished.simulated }
}

fn truncated() -> ExpertError {
    ExpertError::new(
        ErrorKind::Truncated,
        "the engine's stream ended without saying that the answer is complete",
    )
}

/// A status that the engine sent, or that stands for a connection which failed.
fn error_of(status: &Status, scrub: &Scrub) -> ExpertError {
    if let Some(source) = std::error::Error::source(status) {
        let kind = match source {
            _ if has::<tonic::ConnectError>(source) => ErrorKind::Unreachable,
            _ if has::<tonic::TimeoutExpired>(source) => ErrorKind::Deadline,
            _ => ErrorKind::Truncated,
        };
        return ExpertError::new(kind, format!("the connection failed: {}", causes(source)));
    }
    if status.message().starts_with(TOO_LARGE) {
        return ExpertError::new(ErrorKind::Protocol, "the engine's message is larger than 1 MiB");
    }
    let kind = kind_of(status.code(), status.metadata().as_ref());
    let said = if kind == ErrorKind::Unauthorised { String::new() } else { scrub.clean(status.message()) };
    let code = status.code();
    let detail = match said.is_empty() {
        true => format!("the engine answered {code:?}"),
        false => format!("the engine answered {code:?}: {said}"),
    };
    ExpertError::new(kind, detail)
}

fn kind_of(code: Code, metadata: &HeaderMap) -> ErrorKind {
    match code {
        // A native engine is ours: what is used up is its own room.
        Code::ResourceExhausted => ErrorKind::Busy { retry_after: retry_after(metadata), is_quota: false },
        Code::OutOfRange => ErrorKind::ContextTooLong,
        Code::InvalidArgument | Code::FailedPrecondition => ErrorKind::Rejected { status: 400 },
        Code::NotFound => ErrorKind::Rejected { status: 404 },
        Code::AlreadyExists | Code::Aborted => ErrorKind::Rejected { status: 409 },
        Code::Unauthenticated | Code::PermissionDenied => ErrorKind::Unauthorised,
        Code::DeadlineExceeded => ErrorKind::Deadline,
        Code::Cancelled => ErrorKind::Truncated,
        Code::Unimplemented => ErrorKind::Protocol,
        Code::Ok | Code::Unknown | Code::Internal | Code::Unavailable | Code::DataLoss => ErrorKind::Failed,
    }
}

/// Whether the error or a cause of it is an `E`.
fn has<E: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<E>())
}
