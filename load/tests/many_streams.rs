//! Ten thousand streams open at once from one process, over a few connections and without errors of its own.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

use futures::stream::{BoxStream, StreamExt as _, once};
use sluice_load::arrivals::{Asked, plan};
use sluice_load::prompts::Generated;
use sluice_load::target::{Address, Manner, connect};
use sluice_load::{Gauge, Run, Sample, Why, drive};
use sluice_proto::v1;
use sluice_proto::v1::gateway_server::{Gateway, GatewayServer};
use sluice_proto::v1::generate_event::Event;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

const STREAMS: usize = 10_000;

/// Begins each answer at once, and ends none before all have begun.
struct Patient(watch::Sender<usize>);

#[tonic::async_trait]
impl Gateway for Patient {
    type GenerateStream = BoxStream<'static, Result<v1::GenerateEvent, Status>>;

    async fn generate(
        &self,
        _: Request<v1::GenerateRequest>,
    ) -> Result<Response<Self::GenerateStream>, Status> {
        let event = |event| Ok(v1::GenerateEvent { event: Some(event) });
        self.0.send_modify(|open| *open += 1);
        let mut open = self.0.subscribe();
        let text = v1::TextDelta { text: "a".to_owned(), ..Default::default() };
        let end = once(async move {
            open.wait_for(|open| *open >= STREAMS).await.expect("the server lives");
            event(Event::Finished(v1::Finished::default()))
        });
        Ok(Response::new(once(std::future::ready(event(Event::Text(text)))).chain(end).boxed()))
    }

    async fn generate_once(
        &self,
        _: Request<v1::GenerateRequest>,
    ) -> Result<Response<v1::GenerateResponse>, Status> {
        Err(Status::unimplemented("streams only"))
    }

    async fn explain(&self, _: Request<v1::ExplainRequest>) -> Result<Response<v1::ExplainResponse>, Status> {
        Err(Status::unimplemented("streams only"))
    }

    async fn list_models(
        &self,
        _: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        Err(Status::unimplemented("streams only"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_streams_are_open_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    let (open, _) = watch::channel(0);
    let sockets = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    // The usual limit of a server, and of Sluice's own gateway.
    let mut server = tonic::transport::Server::builder().max_concurrent_streams(1_024);
    let serving = server.add_service(GatewayServer::new(Patient(open))).serve_with_incoming(sockets);

    let asked = Asked { rate: Some(4_000.0), requests: Some(STREAMS as u64), ..Asked::default() };
    let run = Run {
        arrivals: plan(&asked).unwrap(),
        prompts: Arc::new(Generated::fixed(1, 8, Some(1))),
        target: connect(&Address::parse(&url).unwrap(), Manner::default()).unwrap(),
        tenants: Vec::new(),
        reference: None,
        is_conversational: false,
        max_open: 20_000,
        timeout: Duration::from_secs(90),
        give_up_after: Duration::from_secs(5),
        gauge: Arc::new(Gauge::default()),
    };
    let gauge = run.gauge.clone();
    let (mut ok, mut failed, mut sent_at_first_end) = (0, Vec::new(), None);
    let mut sink = |sample: Sample| {
        sent_at_first_end.get_or_insert_with(|| gauge.sent.load(Ordering::Relaxed));
        match sample.is_ok() {
            true => ok += 1,
            false => failed.push(sample.end),
        }
    };
    let driven = drive(run, std::future::pending(), &mut sink);
    let ended = tokio::select! {
        ended = driven => ended,
        failed = serving => panic!("the server ended: {failed:?}"),
        () = tokio::time::sleep(Duration::from_secs(120)) => panic!("nothing ended"),
    };
    assert_eq!((ended.why, ok, failed.first()), (Why::Complete, STREAMS, None));
    // All were under way before the first was complete.
    assert_eq!(sent_at_first_end, Some(STREAMS as u64));
}
