//! The engine's load from its metrics page, which stands beside the API on every engine that has one.

use super::{Inner, MAX_PROBE_BYTES};
use crate::call::Reports;
use crate::error::{ErrorKind, ExpertError};
use crate::patience::Patience;
use crate::report::{LoadReport, of_metrics};
use futures::stream::{StreamExt as _, unfold};
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// Asks now and every so often; ends when the engine has no such page, or one that tells nothing of load.
pub(super) fn reports(inner: Arc<Inner>, every: Duration) -> Reports {
    let asking = unfold((inner, true), move |(inner, is_first)| async move {
        if !is_first {
            tokio::time::sleep(every).await;
        }
        let report = ask(&inner).await.transpose()?;
        Some((report, (inner, false)))
    });
    asking.boxed()
}

async fn ask(inner: &Inner) -> Result<Option<LoadReport>, ExpertError> {
    let mut patience = Patience::for_probe(&inner.endpoint);
    let mut answer = inner.get("/metrics", &mut patience).await?;
    match answer.status {
        StatusCode::OK => {}
        status if status.is_server_error() => {
            return Err(ExpertError::new(ErrorKind::Failed, format!("the metrics page answered {status}")));
        }
        // Not switched on (404, 501), or not for us (401, 403).
        _ => return Ok(None),
    }
    let body = patience.wait(answer.body.rest(MAX_PAGE_BYTES)).await?;
    let body = body.map_err(|_| ExpertError::new(ErrorKind::Truncated, "the metrics page broke off"))?;
    Ok(of_metrics(&String::from_utf8_lossy(&body)))
}

/// Most bytes of a metrics page that are read: vLLM's histograms make long ones.
const MAX_PAGE_BYTES: usize = 16 * MAX_PROBE_BYTES;
