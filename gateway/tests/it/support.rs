//! A gateway before simulated engines, all on loopback, and a client for it.

use sluice_gateway::config::{self, Overrides};
use sluice_gateway::{By, MemoryShared, Report, ReportAsk, Running, Shared, open_ledger};
use sluice_proto::v1;
use sluice_proto::v1::gateway_client::GatewayClient;
use sluice_proto::v1::generate_event::Event;
use sluice_sim::{Fault, Faults, Profile, SimConfig};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tonic::transport::Channel;

/// A simulated engine whose faults can be scripted.
pub(crate) struct Sim {
    pub(crate) running: sluice_sim::Running,
    pub(crate) faults: Faults,
}

impl Sim {
    /// An engine that answers fast.
    pub(crate) async fn start() -> Sim {
        Sim::at_scale(1_000.0).await
    }

    /// An engine that is so many times as fast as the GPU that it simulates.
    pub(crate) async fn at_scale(time_scale: f64) -> Sim {
        Sim::listening(SocketAddr::from(([127, 0, 0, 1], 0)), time_scale).await
    }

    /// An engine at this address.
    pub(crate) async fn listening(listen: SocketAddr, time_scale: f64) -> Sim {
        let faults = Faults::none();
        let profile = Profile::named("8b-a100").expect("it is embedded");
        let config = SimConfig { listen, time_scale, faults: faults.clone(), ..SimConfig::new(profile) };
        Sim { running: sluice_sim::start(config).await.expect("loopback"), faults }
    }

    /// A fast engine with a prefix cache of so many tokens.
    pub(crate) async fn caching(tokens: u64) -> Sim {
        let mut profile = Profile::named("8b-a100").expect("it is embedded");
        profile.capacity.prefix_tokens = tokens;
        let faults = Faults::none();
        let config = SimConfig { time_scale: 1_000.0, faults: faults.clone(), ..SimConfig::new(profile) };
        Sim { running: sluice_sim::start(config).await.expect("loopback"), faults }
    }

    /// Every request fails so from now on; `None` heals.
    pub(crate) fn always(&self, fault: Option<Fault>) {
        self.faults.set(fault);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.addr)
    }
}

/// A gateway that runs, with its folder.
pub(crate) struct Gateway {
    pub(crate) running: Running,
    pub(crate) folder: PathBuf,
    pub(crate) client: GatewayClient<Channel>,
}

/// One expert for each of `experts`: its name, its protocol, and the addresses of its one pool. `big` is the reference.
pub(crate) fn experts(experts: &[(&str, &str, Vec<String>)]) -> String {
    let expert = |(name, protocol, endpoints): &(&str, &str, Vec<String>)| {
        let price = if *name == "big" { "10" } else { "1" };
        format!(
            "[[expert]]\nname = \"{name}\"\ncontext_tokens = 8192\nmax_output_tokens = 512\n\
             price = {{ input_per_mtok = \"{price}\", output_per_mtok = \"{price}\" }}\n\
             [[expert.pool]]\nname = \"{name}-pool\"\nprotocol = \"{protocol}\"\nendpoints = {endpoints:?}\n"
        )
    };
    experts.iter().map(expert).collect()
}

impl Gateway {
    /// Starts with this configuration; listeners and journal are added.
    pub(crate) async fn start(text: &str) -> Gateway {
        Gateway::start_sharing(text, Arc::new(MemoryShared::default())).await
    }

    /// The same, with a place that it shares with others.
    pub(crate) async fn start_sharing(text: &str, shared: Arc<dyn Shared>) -> Gateway {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sluice-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder is ours");
        let config = Gateway::config(&folder, text);
        let running = sluice_gateway::start_sharing(config, shared).await.expect("it starts");
        let url = format!("http://{}", running.data());
        let client = GatewayClient::connect(url).await.expect("it listens");
        Gateway { running, folder, client }
    }

    /// The configuration that [`Gateway::start`] would start with.
    pub(crate) fn config(folder: &std::path::Path, text: &str) -> config::Config {
        let head = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\ndrain_ms = 2000\n";
        config::parse("test.toml", &format!("{head}{text}"), folder, &Overrides::new()).expect("it is valid")
    }

    /// Sends one request and gathers its events until the end.
    pub(crate) async fn ask(&self, request: v1::GenerateRequest) -> Answer {
        let mut answer = Answer::default();
        let mut client = self.client.clone();
        let mut events = match client.generate(request).await {
            Ok(response) => response.into_inner(),
            Err(status) => return Answer { error: Some(status), ..answer },
        };
        loop {
            match events.message().await {
                Ok(Some(event)) => match event.event {
                    Some(Event::Started(started)) => answer.started = Some(started),
                    Some(Event::Text(delta)) => answer.text.push_str(&delta.text),
                    Some(Event::Finished(finished)) => answer.finished = Some(finished),
                    None => {}
                },
                Ok(None) => return answer,
                Err(status) => {
                    answer.error = Some(status);
                    return answer;
                }
            }
        }
    }

    /// What the ledger says, once everything so far is durable.
    pub(crate) async fn report(&self, by: Vec<By>) -> Report {
        self.running.flush().await.expect("the journal works");
        let url = format!("sqlite:{}", self.folder.join("sluice.db").display());
        let ledger = open_ledger(&url).expect("it is there");
        ledger.report(&ReportAsk { by, ..ReportAsk::default() }).expect("it can be read")
    }

    /// A metric's value by its name with labels, 0 when it isn't there.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let url = format!("http://{}/metrics", self.running.admin());
        let text = get(&url).await;
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
    }
}

/// The body of a page.
pub(crate) async fn get(url: &str) -> String {
    use http_body_util::BodyExt as _;
    let connector = hyper_util::client::legacy::connect::HttpConnector::new();
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build::<_, http_body_util::Empty<bytes::Bytes>>(connector);
    let response = client.get(url.parse().expect("a URL")).await.expect("it answers");
    let body = response.into_body().collect().await.expect("it is whole").to_bytes();
    String::from_utf8(body.to_vec()).expect("text")
}

/// What came back for one request.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) started: Option<v1::Started>,
    pub(crate) text: String,
    pub(crate) finished: Option<v1::Finished>,
    pub(crate) error: Option<tonic::Status>,
}

impl Answer {
    /// Who answered; fails the test when the answer is not complete.
    pub(crate) fn expert(&self) -> &str {
        assert!(self.finished.is_some(), "not complete: {:?}", self.error);
        &self.started.as_ref().expect("an answer has a beginning").expert
    }

    /// The status that it failed with.
    pub(crate) fn code(&self) -> tonic::Code {
        self.error.as_ref().expect("it failed").code()
    }
}

/// A request of one message for at most `max_tokens` tokens.
pub(crate) fn request(model: &str, text: &str, max_tokens: u32) -> v1::GenerateRequest {
    let message = v1::Message { role: "user".to_owned(), content: text.to_owned(), json: String::new() };
    v1::GenerateRequest {
        model: model.to_owned(),
        messages: vec![message],
        max_tokens,
        ..v1::GenerateRequest::default()
    }
}
