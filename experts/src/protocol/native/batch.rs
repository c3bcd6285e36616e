//! A whole batch as one call: its rows, and their results by their places.

use super::{Inner, error_of, finish};
use crate::call::{Answer, Answers, Call};
use crate::error::{ErrorKind, ExpertError};
use crate::patience::Patience;
use crate::scrub::Scrub;
use sluice_proto::v1;
use sluice_proto::v1::expert_batch_result::Result as Wire;
use sluice_proto::v1::expert_client::ExpertClient;
use std::time::Duration;
use tonic::{Code, Status};

/// Most bytes of one answer, times the rows, are taken as the bound of a batch's answer.
const MAX_ROW_BYTES: usize = super::MAX_MESSAGE_BYTES;

impl Inner {
    pub(super) async fn generate_batch(&self, calls: Vec<Call>) -> Result<Answers, ExpertError> {
        let count = calls.len();
        let scrubs: Vec<Scrub> = calls.iter().map(|call| self.scrub(call)).collect();
        let all = calls.iter().map(|call| call.body.clone()).collect();
        let scrub = Scrub::new(all, self.endpoint.api_key.clone());
        let time_left = longest(&calls);
        let mut patience = Patience::for_call(&self.endpoint, time_left)?;
        patience.connected_within(self.endpoint.connect_timeout);
        let requests = calls.into_iter().map(|call| self.message(call)).collect();
        let request = self.timed(v1::ExpertBatch { requests }, self.metadata.clone(), time_left);
        let line = self.wire.line();
        let mut client = ExpertClient::new(line.channel.clone())
            .max_decoding_message_size(MAX_ROW_BYTES.saturating_mul(count.max(1)));
        let answered = self.wire.ended(&line, patience.wait(client.generate_batch(request)).await)?;
        let results = answered.map_err(|status| error_of(&status, &scrub))?.into_inner().results;
        in_order(results, &scrubs)
    }

    fn scrub(&self, call: &Call) -> Scrub {
        Scrub::new(vec![call.body.clone()], self.endpoint.api_key.clone())
    }
}

/// The longest time that a call has; `None` when one has no bound.
fn longest(calls: &[Call]) -> Option<Duration> {
    let left: Option<Vec<Duration>> = calls.iter().map(|call| call.time_left).collect();
    left?.into_iter().max()
}

/// The results by their places: each place once, or none is believed, so that no answer can reach another's client.
fn in_order(results: Vec<v1::ExpertBatchResult>, scrubs: &[Scrub]) -> Result<Answers, ExpertError> {
    let wrong = |what: String| ExpertError::new(ErrorKind::Protocol, what);
    let (got, want) = (results.len(), scrubs.len());
    if got != want {
        return Err(wrong(format!("the engine gave {got} results for a batch of {want}")));
    }
    let mut places: Vec<Option<Result<Answer, ExpertError>>> = (0..want).map(|_| None).collect();
    for result in results {
        let at = result.index as usize;
        match places.get_mut(at) {
            Some(place @ None) => *place = Some(outcome(result.result, &scrubs[at])),
            _ => return Err(wrong(format!("the engine's results name row {at} twice or beyond the batch"))),
        }
    }
    Ok(places.into_iter().flatten().collect())
}

fn outcome(result: Option<Wire>, scrub: &Scrub) -> Result<Answer, ExpertError> {
    match result {
        Some(Wire::Answer(v1::ExpertBatchText { text, message_json, finished: Some(finished) })) => {
            Ok(Answer { text, json: message_json, finish: finish(finished) })
        }
        Some(Wire::Error(error)) if error.code != Code::Ok as i32 => {
            Err(error_of(&Status::new(Code::from(error.code), error.message), scrub))
        }
        Some(_) | None => {
            let why = "the engine gave a result that is neither an answer nor an error";
            Err(ExpertError::new(ErrorKind::Protocol, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubs(count: usize) -> Vec<Scrub> {
        (0..count).map(|_| Scrub::new(Vec::new(), None)).collect()
    }

    fn text(index: u32) -> v1::ExpertBatchResult {
        let finished = Some(v1::ExpertFinished::default());
        let answer = v1::ExpertBatchText { text: index.to_string(), message_json: String::new(), finished };
        v1::ExpertBatchResult { index, result: Some(Wire::Answer(answer)) }
    }

    #[test]
    fn results_in_any_order_find_their_rows() {
        let error = v1::ExpertBatchError { code: Code::InvalidArgument as i32, message: "no".into() };
        let failed = v1::ExpertBatchResult { index: 1, result: Some(Wire::Error(error)) };
        let answers = in_order(vec![text(2), failed, text(0)], &scrubs(3)).unwrap();
        assert_eq!(answers[0].as_ref().unwrap().text, "0");
        assert_eq!(answers[1].as_ref().unwrap_err().kind, ErrorKind::Rejected { status: 400 });
        assert_eq!(answers[2].as_ref().unwrap().text, "2");
    }

    #[test]
    fn results_that_do_not_fit_one_to_one_are_none() {
        for results in [vec![text(0)], vec![text(0), text(0)], vec![text(0), text(2)], vec![]] {
            assert_eq!(in_order(results, &scrubs(2)).unwrap_err().kind, ErrorKind::Protocol);
        }
        let empty = v1::ExpertBatchResult { index: 0, result: None };
        let answers = in_order(vec![empty, text(1)], &scrubs(2)).unwrap();
        assert_eq!(answers[0].as_ref().unwrap_err().kind, ErrorKind::Protocol);
        assert!(answers[1].is_ok());
    }
}
