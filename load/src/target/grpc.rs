//! gRPC `sluice.v1.Gateway`: `Generate` for streams, `GenerateOnce` for whole answers.

use super::address::{Address, TargetError};
use super::failure::Failure;
use super::{Ask, Manner, Target, Trail};
use crate::sample::FaultKind;
use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::HttpConnector;
use sluice_proto::v1;
use sluice_proto::v1::gateway_client::GatewayClient;
use sluice_proto::v1::generate_event::Event;
use std::sync::atomic::{AtomicUsize, Ordering};
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Streams on one connection before the next is used: below the limit of usual servers, 100 to 1,024.
const STREAMS: usize = 500;
/// Connections that are used from the start, so that one connection's window bounds nothing.
const FEWEST: usize = 4;
/// Connections at most, unless asked for.
const MOST: usize = 64;

/// Some connections to one gateway.
pub(super) struct Grpc {
    /// At least one.
    connections: Vec<Connection>,
    metadata: MetadataMap,
    model: String,
    streams: bool,
    extra_json: String,
    /// Whether the number of connections is the user's.
    is_fixed: bool,
}

impl Grpc {
    pub(super) fn new(address: &Address, manner: Manner) -> Result<Grpc, TargetError> {
        let connections = manner.connections.unwrap_or(MOST).max(1);
        let channel = || {
            let mut tcp = HttpConnector::new();
            tcp.enforce_http(false);
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(Some(manner.connect_timeout));
            let tls = hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http();
            Channel::builder(address.uri.clone())
                .connect_with_connector_lazy(tls.enable_http2().wrap_connector(tcp))
        };
        let extra = serde_json::Value::Object(manner.extra.clone());
        Ok(Grpc {
            connections: (0..connections).map(|_| Connection::new(channel())).collect(),
            metadata: metadata(&manner)?,
            streams: manner.streams,
            extra_json: if manner.extra.is_empty() { String::new() } else { extra.to_string() },
            is_fixed: manner.connections.is_some(),
            model: manner.model,
        })
    }

    /// The least busy connection, out of as many as the open requests need.
    fn connection(&self) -> &Connection {
        let open: usize = self.connections.iter().map(Connection::open).sum();
        let needed = (open / STREAMS + 1).max(FEWEST);
        let used = if self.is_fixed { self.connections.len() } else { needed.min(self.connections.len()) };
        self.connections[..used].iter().min_by_key(|one| one.open()).unwrap_or(&self.connections[0])
    }

    fn request(&self, ask: Ask) -> Request<v1::GenerateRequest> {
        let message = |(role, content)| v1::Message { role, content, json: String::new() };
        let mut request = Request::new(v1::GenerateRequest {
            model: self.model.clone(),
            messages: ask.prompt.messages.into_iter().map(message).collect(),
            max_tokens: ask.prompt.max_tokens.unwrap_or(0),
            extra_json: self.extra_json.clone(),
            ..Default::default()
        });
        *request.metadata_mut() = self.metadata.clone();
        if !ask.tenant.is_empty()
            && let Ok(tags) = format!("tenant={}", ask.tenant).parse()
        {
            request.metadata_mut().insert("x-sluice-tags", tags);
        }
        request
    }

    async fn answer(&self, ask: Ask, trail: &mut Trail) -> Result<(), Failure> {
        let connection = self.connection();
        let _open = Open::new(&connection.open);
        let mut client = GatewayClient::new(connection.channel.clone()).max_decoding_message_size(64 << 20);
        trail.who.route.clone_from(&self.model);
        let request = self.request(ask);
        let failed = |status: Status, trail: &Trail| Failure::of_grpc(&status, trail.first.is_some());
        if self.streams {
            let response = client.generate(request).await.map_err(|status| failed(status, trail))?;
            let mut events = response.into_inner();
            let mut is_complete = false;
            while let Some(event) = events.message().await.map_err(|status| failed(status, trail))? {
                match event.event {
                    Some(Event::Started(started)) => take_started(trail, started),
                    Some(Event::Text(delta)) if delta.text.is_empty() && delta.delta_json.is_empty() => {}
                    Some(Event::Text(delta)) => trail.piece(&delta.text),
                    Some(Event::Finished(finished)) => {
                        take_finished(trail, &finished);
                        is_complete = true;
                    }
                    None => {}
                }
            }
            let cut = || {
                Failure::new(
                    FaultKind::Broken,
                    "truncated",
                    "the stream ended without saying that it is complete",
                )
            };
            return is_complete.then_some(()).ok_or_else(cut);
        }
        let answer =
            client.generate_once(request).await.map_err(|status| failed(status, trail))?.into_inner();
        answer.started.into_iter().for_each(|started| take_started(trail, started));
        answer.finished.iter().for_each(|finished| take_finished(trail, finished));
        trail.keep(&answer.text);
        Ok(())
    }
}

impl Target for Grpc {
    fn send<'a>(&'a self, ask: Ask, trail: &'a mut Trail) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.answer(ask, trail))
    }
}

/// A connection and the requests that are open on it.
struct Connection {
    channel: Channel,
    open: AtomicUsize,
}

impl Connection {
    fn new(channel: Channel) -> Connection {
        Connection { channel, open: AtomicUsize::new(0) }
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// Counts a request while it lives.
struct Open<'a>(&'a AtomicUsize);

impl Open<'_> {
    fn new(count: &AtomicUsize) -> Open<'_> {
        count.fetch_add(1, Ordering::Relaxed);
        Open(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn take_started(trail: &mut Trail, started: v1::Started) {
    trail.who.expert = started.expert;
    trail.who.replica = (!started.pool.is_empty()).then_some(started.replica);
    trail.who.pool = started.pool;
    if !started.route.is_empty() {
        trail.who.route = started.route;
    }
}

fn take_finished(trail: &mut Trail, finished: &v1::Finished) {
    if let Some(usage) = finished.usage {
        trail.input_tokens = Some(usage.prompt_tokens);
        trail.cached_tokens = usage.cached_tokens;
        trail.output_tokens = Some(usage.output_tokens);
    }
    trail.cost_nanousd = Some(finished.cost_nanousd);
    trail.baseline_nanousd = Some(finished.baseline_nanousd);
}

fn metadata(manner: &Manner) -> Result<MetadataMap, TargetError> {
    let mut metadata = MetadataMap::new();
    let key = manner.key.iter().map(|key| ("authorization", format!("Bearer {key}")));
    let headers = manner.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
    for (name, value) in headers.chain(key) {
        let wrong = || TargetError::Header(name.to_owned());
        // gRPC keeps these for itself.
        if name.starts_with("grpc-") || name == "te" || name == "content-type" {
            return Err(wrong());
        }
        let parsed: MetadataKey<Ascii> = name.to_lowercase().parse().map_err(|_| wrong())?;
        let mut value: MetadataValue<Ascii> = value.parse().map_err(|_| wrong())?;
        value.set_sensitive(true);
        metadata.insert(parsed, value);
    }
    Ok(metadata)
}
