//! `sluice.v1.Gateway`: each call translated to what the door takes, and its answer back.

use super::wire::Trailers;
use crate::door::Door;
use crate::edge::answer::{Answer, Complete};
use crate::edge::arrival::Arrival;
use crate::edge::{check, hints, marks, status};
use crate::error::Fault;
use crate::request::{Front, OutEvent, Request};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;
use sluice_proto::v1::generate_event::Event;
use sluice_proto::v1::{self, explain_request::What};
use std::sync::Arc;
use tonic::{Response, Status};

/// The service.
pub(super) struct Service {
    door: Arc<dyn Door>,
}

/// A call's own id and the place for its trailers, both put into its extensions before it came here.
#[derive(Clone)]
struct Call {
    arrival: Arrival,
    trailers: Trailers,
}

impl Call {
    fn of<T>(request: &tonic::Request<T>) -> Call {
        let extensions = request.extensions();
        let arrival = extensions.get::<Arrival>().expect("the front puts it in").clone();
        let trailers = extensions.get::<Trailers>().expect("the wire puts it in").clone();
        Call { arrival, trailers }
    }

    fn status(&self, fault: &Fault) -> Status {
        status::grpc_status(fault, &self.arrival.label)
    }
}

/// What a call wants of the request that it carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// The answer, event by event.
    Stream,
    /// The answer in one message.
    Whole,
    /// Only how it would be decided.
    Decision,
}

impl Service {
    pub(super) fn new(door: Arc<dyn Door>) -> Service {
        Service { door }
    }

    /// The request as the spine takes it.
    fn prepare(
        &self,
        call: &Call,
        headers: &http::HeaderMap,
        body: v1::GenerateRequest,
        wanted: Wanted,
    ) -> Result<Request, Status> {
        let prepared = check::open(&*self.door).and_then(|()| {
            let identity = call.arrival.identity()?;
            let mut asked = hints::parse(headers, call.arrival.at)?;
            let timeout = hints::grpc_deadline(headers, call.arrival.at)?;
            asked.deadline = [asked.deadline, timeout].into_iter().flatten().min();
            check::check(&body)?;
            if asked.is_dry_run && wanted != Wanted::Decision {
                return Err(Fault::invalid(
                    "x-sluice-dry-run",
                    "call Explain for a decision without an answer",
                ));
            }
            let streams = wanted == Wanted::Stream;
            Ok(call.arrival.clone().request(&*self.door, identity, Front::Grpc, body, asked, streams))
        });
        prepared.map_err(|fault| self.refuse(call, &fault))
    }

    /// An answer to what never reached the spine.
    fn refuse(&self, call: &Call, fault: &Fault) -> Status {
        self.door.refused(Front::Grpc, &call.arrival.label, call.arrival.tenant(), fault);
        call.status(fault)
    }
}

#[tonic::async_trait]
impl v1::gateway_server::Gateway for Service {
    type GenerateStream = BoxStream<'static, Result<v1::GenerateEvent, Status>>;

    /// The initial metadata waits for the first event, so that it can say who answers.
    async fn generate(
        &self,
        request: tonic::Request<v1::GenerateRequest>,
    ) -> Result<Response<Self::GenerateStream>, Status> {
        let call = Call::of(&request);
        let (metadata, _, body) = request.into_parts();
        let request = self.prepare(&call, metadata.as_ref(), body, Wanted::Stream)?;
        let mut answer = Answer::open(&*self.door, request);
        answer.hold(&*self.door).await.map_err(|fault| call.status(&fault))?;
        let first = answer.peek().cloned();
        let mut response = Response::new(events(call, answer));
        if let Some(OutEvent::Started(started)) = first {
            marks::started(response.metadata_mut().as_mut(), &started);
        }
        Ok(response)
    }

    async fn generate_once(
        &self,
        request: tonic::Request<v1::GenerateRequest>,
    ) -> Result<Response<v1::GenerateResponse>, Status> {
        let call = Call::of(&request);
        let (metadata, _, body) = request.into_parts();
        let request = self.prepare(&call, metadata.as_ref(), body, Wanted::Whole)?;
        let answered = Answer::open(&*self.door, request).complete().await;
        let Complete { started, message, finished } = answered.map_err(|fault| call.status(&fault))?;
        call.trailers.set(&started.decision_id, &finished);
        let (text, object) = message.finish();
        let message_json = object.map(|map| Value::Object(map).to_string()).unwrap_or_default();
        let mut response = Response::new(v1::GenerateResponse::default());
        marks::started(response.metadata_mut().as_mut(), &started);
        *response.get_mut() =
            v1::GenerateResponse { text, finished: Some(finished), started: Some(started), message_json };
        Ok(response)
    }

    async fn explain(
        &self,
        request: tonic::Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        let call = Call::of(&request);
        let (metadata, _, explain) = request.into_parts();
        match explain.what {
            Some(What::Request(body)) => {
                let request = self.prepare(&call, metadata.as_ref(), body, Wanted::Decision)?;
                self.door.explain(request).map(Response::new).map_err(|fault| call.status(&fault))
            }
            Some(What::DecisionId(id)) => {
                let identity = call.arrival.identity().map_err(|fault| self.refuse(&call, &fault))?;
                let receipt = self.door.receipt(&identity, id).await;
                receipt.map(Response::new).map_err(|fault| self.refuse(&call, &fault))
            }
            None => {
                let why = "what is missing; send a request or a decision_id";
                Err(self.refuse(&call, &Fault::invalid("what", why)))
            }
        }
    }

    async fn list_models(
        &self,
        request: tonic::Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        let call = Call::of(&request);
        let identity = call.arrival.identity().map_err(|fault| self.refuse(&call, &fault))?;
        Ok(Response::new(v1::ListModelsResponse { models: self.door.models(&identity) }))
    }
}

/// The answer's events as messages; its end fills the trailers, a failure becomes the stream's status.
fn events(call: Call, answer: Answer) -> BoxStream<'static, Result<v1::GenerateEvent, Status>> {
    let state = Some((call, answer, String::new()));
    let messages = futures::stream::unfold(state, |state| async move {
        let (call, mut answer, mut decision_id) = state?;
        let message = |event| Ok(v1::GenerateEvent { event: Some(event) });
        match answer.next().await {
            OutEvent::Started(started) => {
                decision_id.clone_from(&started.decision_id);
                Some((message(Event::Started(*started)), Some((call, answer, decision_id))))
            }
            OutEvent::Delta(delta) => Some((message(Event::Text(delta)), Some((call, answer, decision_id)))),
            OutEvent::Finished(finished) => {
                call.trailers.set(&decision_id, &finished);
                Some((message(Event::Finished(*finished)), None))
            }
            OutEvent::Failed(fault) => Some((Err(call.status(&fault)), None)),
        }
    });
    messages.boxed()
}
