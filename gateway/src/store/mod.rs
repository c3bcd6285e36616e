//! Where records are kept: the trait and the table of backends.

use crate::record::Record;
use futures::future::BoxFuture;

/// A journal as it was found stored, or its failure, in people's words.
pub type Stored<T> = BoxFuture<'static, Result<T, StoreError>>;

/// This gateway's own durable record.
pub trait Journal: Send + Sync {
    /// Hands a record to the writer and returns at once; the writer commits in groups. When the writer is behind by
    /// its whole buffer, the call waits, so that nothing is lost: that is the journal's back-pressure.
    ///
    /// # Cancel safety
    /// Once handed over, a record is written even when the caller goes away; before that, dropping loses it, so
    /// callers must not be cancelled here.
    fn record(&self, record: Record) -> BoxFuture<'static, ()>;

    /// A stored decision with the configuration that it refers to: two JSON texts, receipt and snapshot.
    fn receipt(&self, decision_id: String) -> Stored<Option<(String, String)>>;

    /// Resolves when everything handed over before is durable.
    fn flush(&self) -> Stored<()>;

    /// Why the journal can't be written to; `None` when it can.
    fn trouble(&self) -> Option<String>;
}

/// A store that fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);
