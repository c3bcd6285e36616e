//! The worker as a native engine that takes whole batches: gRPC `GenerateBatch`.

use crate::answering::{Cut, Desk, Piece};
use crate::faults::Fault;
use crate::grpc::{self, status, text};
use sluice_proto::v1;
use sluice_proto::v1::expert_batch_result::Result as Outcome;
use tonic::{Response, Status};

/// Answers a batch: rows that can't be answered have a status of their own and take part all the same.
pub(crate) async fn answer(
    desk: &Desk,
    batch: v1::ExpertBatch,
) -> Result<Response<v1::ExpertBatchAnswer>, Status> {
    let Some(batches) = &desk.batches else {
        return Err(Status::unimplemented("this engine batches by itself; send requests one by one"));
    };
    let (rows, most) = (batch.requests.len(), batches.most());
    if rows == 0 || rows > most {
        return Err(Status::invalid_argument(format!("a batch has 1 to {most} requests, this one {rows}")));
    }
    let fault = desk.faults.take();
    match fault {
        Some(Fault::HangUp | Fault::BreakAfter { .. }) => return Ok(broken()),
        Some(Fault::Status(status)) => {
            return Err(Status::new(grpc::code(status), "a failure that was ordered"));
        }
        Some(Fault::Busy { retry_after }) => return Err(grpc::busy(retry_after)),
        Some(Fault::SlowFirst { wall }) => tokio::time::sleep(wall).await,
        Some(Fault::StallAfter { .. }) => std::future::pending().await,
        Some(Fault::EndAfter { .. }) | None => {}
    }
    batches.work(rows).await;
    let results = batch.requests.iter().enumerate().map(|(at, request)| result(desk, at, request));
    let mut results: Vec<v1::ExpertBatchResult> = results.collect();
    if matches!(fault, Some(Fault::EndAfter { .. })) {
        results.pop();
    }
    Ok(Response::new(v1::ExpertBatchAnswer { results }))
}

fn result(desk: &Desk, at: usize, request: &v1::ExpertRequest) -> v1::ExpertBatchResult {
    let outcome = match row(desk, request) {
        Ok(answer) => Outcome::Answer(answer),
        Err(status) => Outcome::Error(v1::ExpertBatchError {
            code: status.code() as i32,
            message: status.message().to_owned(),
        }),
    };
    v1::ExpertBatchResult { index: u32::try_from(at).unwrap_or(u32::MAX), result: Some(outcome) }
}

fn row(desk: &Desk, request: &v1::ExpertRequest) -> Result<v1::ExpertBatchText, Status> {
    grpc::check(request)?;
    let texts: Vec<String> = request.messages.iter().map(text).collect();
    let prepared = desk.prepare(&texts.join("\n"), request.max_tokens).map_err(|refusal| status(&refusal))?;
    let (text, end) = prepared.whole();
    let finished = match end {
        Piece::End { reason, input, cached, output, is_simulated } => {
            Some(grpc::finished(reason, (input, cached, output), is_simulated))
        }
        Piece::Text(_) => None,
    };
    Ok(v1::ExpertBatchText { text, message_json: String::new(), finished })
}

/// A response whose connection breaks before its head.
fn broken() -> Response<v1::ExpertBatchAnswer> {
    let mut response = Response::new(v1::ExpertBatchAnswer::default());
    response.extensions_mut().insert(Cut::thrown());
    response
}
