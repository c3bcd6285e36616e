//! The demo's client: every prompt once through the gateway's own gRPC port.

use crate::cmd::Failure;
use anyhow::{Context as _, anyhow};
use futures::StreamExt as _;
use sluice_lab::Stopwatch;
use sluice_proto::v1;
use sluice_proto::v1::gateway_client::GatewayClient;
use sluice_proto::v1::generate_event::Event;
use std::net::SocketAddr;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// One prompt to send.
pub(crate) struct Prompt {
    pub(crate) text: String,
    pub(crate) seed: u64,
}

/// What came back for one prompt.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) decision_id: String,
    pub(crate) expert: String,
    pub(crate) cost_nanousd: i64,
    pub(crate) decide_us: u32,
    pub(crate) request_ms: f64,
}

/// Sends every prompt, some at once; replies come in the prompts' order.
pub(crate) async fn send_all(
    gateway: SocketAddr,
    prompts: Vec<Prompt>,
    mut progress: impl FnMut(usize),
) -> Result<Vec<Result<Reply, String>>, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{gateway}"))?.tcp_nodelay(true);
    let channel = endpoint.connect().await.context("the demo's own gateway can't be reached")?;
    let calls = prompts.into_iter().map(|prompt| send(channel.clone(), prompt));
    let mut replies = Vec::new();
    let mut stream = futures::stream::iter(calls).buffered(AT_ONCE);
    while let Some(reply) = stream.next().await {
        replies.push(reply.map_err(|error| format!("{error:#}")));
        progress(replies.len());
    }
    Ok(replies)
}

async fn send(channel: Channel, prompt: Prompt) -> anyhow::Result<Reply> {
    let clock = Stopwatch::start();
    let message = v1::Message { role: "user".to_owned(), content: prompt.text, json: String::new() };
    let request = v1::GenerateRequest {
        model: "auto".to_owned(),
        messages: vec![message],
        seed: Some(prompt.seed.cast_signed()),
        ..v1::GenerateRequest::default()
    };
    let mut request = tonic::Request::new(request);
    request.set_timeout(PATIENCE);
    let mut client = GatewayClient::new(channel);
    let mut events = client.generate(request).await?.into_inner();
    let (mut started, mut finished) = (None, None);
    while let Some(event) = events.message().await? {
        match event.event {
            Some(Event::Started(who)) => started = Some(who),
            Some(Event::Finished(end)) => finished = Some(end),
            Some(Event::Text(_)) | None => {}
        }
    }
    let (started, finished) = started.zip(finished).ok_or_else(|| anyhow!("the answer was not complete"))?;
    Ok(Reply {
        decision_id: started.decision_id,
        expert: started.expert,
        cost_nanousd: finished.cost_nanousd,
        decide_us: started.decide_us,
        request_ms: clock.micros() / 1e3,
    })
}

/// Prompts under way at once.
const AT_ONCE: usize = 64;
/// No answer of a simulated pool takes this long.
const PATIENCE: Duration = Duration::from_secs(120);
