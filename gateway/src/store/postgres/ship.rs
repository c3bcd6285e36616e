//! Shipping: the journal's rows go to the common ledger, in their order, each once, however often either side fails.
//!
//! How far it has come stands in the ledger itself and moves in the transaction that brings the rows. So a lost answer,
//! a killed gateway and a ledger put back from a backup all mend themselves: what is not there is sent again.

use super::{Link, Server, schema, send};
use crate::store::parcel::Parcel;
use crate::store::sqlite::{Outbox, Waiting};
use crate::store::{StoreError, sqlite};
use send::Sent;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How shipping is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shipped {
    /// Records that are in the journal and not known to be in the ledger.
    pub(crate) unshipped: u64,
    /// When the first request of them ended, in milliseconds since 1970; `None` when there is none.
    pub(crate) oldest_ms: Option<i64>,
    /// Why the last try failed; `None` when it didn't.
    pub(crate) trouble: Option<String>,
}

/// What the rest of the gateway sees of it.
#[derive(Debug, Clone)]
pub(crate) struct Shipping {
    state: watch::Receiver<Shipped>,
    most_unshipped: u64,
    stop: CancellationToken,
}

impl Shipping {
    /// How it is.
    pub(crate) fn state(&self) -> Shipped {
        self.state.borrow().clone()
    }

    /// Whether so much is unshipped that nothing new should be begun.
    pub(crate) fn is_full(&self) -> bool {
        self.state.borrow().unshipped > self.most_unshipped
    }

    /// Ships what is in the journal by now, and no more after that. Ends with the last row or the first failure.
    pub(crate) async fn finish(&self) {
        self.stop.cancel();
        let mut state = self.state.clone();
        while state.changed().await.is_ok() {}
    }
}

/// Sends a journal's rows until it is stopped. Where the ledger is away it tries again for ever.
pub(crate) struct Shipper {
    gateway: String,
    server: Server,
    /// Handed to a thread that may wait for the disk, and back.
    outbox: Option<Outbox>,
    /// How far the ledger is known to have come.
    cursor: i64,
    link: Option<Link>,
    /// Requests of one parcel.
    most: u32,
    state: watch::Sender<Shipped>,
    stop: CancellationToken,
}

/// A shipper for this gateway's journal, which must be a file, and what tells of it.
///
/// # Errors
/// A journal that is no file or can't be opened; a URL that can't be meant. The ledger may be away.
pub(crate) fn shipping(
    journal: &str,
    ledger: &str,
    gateway: &str,
    most_unshipped: u64,
) -> Result<(Shipper, Shipping), StoreError> {
    let no_file = || StoreError(format!("{journal} is no file, so nothing can be shipped from it"));
    let path = sqlite::path(journal.strip_prefix("sqlite:").ok_or_else(no_file)?)?;
    let (server, outbox) = (Server::new(ledger)?, Outbox::open(&path)?);
    let cursor = outbox.noted(&server.shown)?;
    let (sender, state) = watch::channel(Shipped::default());
    let stop = CancellationToken::new();
    let mut shipper = Shipper {
        gateway: gateway.to_owned(),
        server,
        outbox: None,
        cursor,
        link: None,
        most: MOST_REQUESTS,
        state: sender,
        stop: stop.clone(),
    };
    shipper.tell(outbox.waiting(cursor)?, None);
    shipper.outbox = Some(outbox);
    Ok((shipper, Shipping { state, most_unshipped, stop }))
}

impl Shipper {
    /// Ships. Once it is told to finish it sends what is left, and ends with the last row or the first failure.
    pub(crate) async fn run(mut self) {
        let (mut pause, stop) = (FIRST_PAUSE, self.stop.clone());
        loop {
            let is_last = stop.is_cancelled();
            let wait = match self.catch_up().await {
                Ok(()) if is_last => return,
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    BETWEEN_LOOKS
                }
                Err(error) => {
                    self.failed(&error).await;
                    if is_last {
                        return;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    pause
                }
            };
            // A stop is answered at once, by one more round.
            let _ = stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
    }

    /// Parcel after parcel until nothing is left.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        loop {
            if self.link.is_none() {
                self.connect().await?;
            }
            let (gateway, after, most) = (self.gateway.clone(), self.cursor, self.most);
            let ledger = self.server.shown.clone();
            let next = move |outbox: &Outbox| {
                outbox.note(&ledger, after)?;
                Ok((outbox.waiting(after)?, outbox.parcel(&gateway, after, most)?))
            };
            let (waiting, parcel) = self.with_outbox(next).await?;
            self.tell(waiting, None);
            let Some(parcel) = parcel else { return Ok(()) };
            self.send(parcel).await?;
        }
    }

    async fn connect(&mut self) -> Result<(), StoreError> {
        let (server, gateway) = (&self.server, self.gateway.as_str());
        let work = async {
            let said = |error| server.explain(&error);
            let mut link = server.connect().await.map_err(said)?;
            schema::migrate(server, &mut link).await?;
            send::stage(&mut link).await.map_err(said)?;
            let cursor = send::cursor(&mut link, gateway).await.map_err(said)?;
            Ok((link, cursor))
        };
        let (link, cursor) = in_time(server, work).await?;
        (self.link, self.cursor) = (Some(link), cursor);
        Ok(())
    }

    async fn send(&mut self, parcel: Parcel) -> Result<(), StoreError> {
        let (last, label, count) = (parcel.last, parcel.label.clone(), parcel.count);
        // Taken out, so that it is not used again after a failure or a cancelled wait.
        let mut link = self.link.take().expect("connected above");
        let (gateway, after) = (self.gateway.as_str(), self.cursor);
        let sent = tokio::time::timeout(LONGEST_SEND, send::send(&mut link, gateway, after, parcel)).await;
        match sent {
            Ok(Ok(Sent::Whole)) => {
                (self.link, self.cursor) = (Some(link), last);
                self.most = (self.most * 2).min(MOST_REQUESTS);
                Ok(())
            }
            Ok(Ok(Sent::Moved(at))) => {
                (self.link, self.cursor) = (Some(link), at);
                Ok(())
            }
            Ok(Err(error)) if send::is_of_the_rows(&error) && count > 1 => {
                // One of them: the next parcels find out which.
                self.most = 1;
                Ok(())
            }
            Ok(Err(error)) if send::is_of_the_rows(&error) => {
                self.set_aside(last, label, &super::link::explain(&error)).await
            }
            Ok(Err(error)) => Err(self.server.explain(&error)),
            Err(_) => {
                self.most = (self.most / 2).max(1);
                Err(late(&self.server))
            }
        }
    }

    /// What the ledger can't take stays in the journal, is named in the ledger's `refused`, and holds nothing up.
    async fn set_aside(&mut self, last: i64, label: (String, String), why: &str) -> Result<(), StoreError> {
        self.connect().await?;
        let mut link = self.link.take().expect("connected");
        let (server, gateway, after) = (&self.server, self.gateway.as_str(), self.cursor);
        let work = send::set_aside(&mut link, gateway, after, last, &label, why);
        let sent = in_time(server, async { work.await.map_err(|error| server.explain(&error)) }).await?;
        self.link = Some(link);
        self.cursor = match sent {
            Sent::Whole => last,
            Sent::Moved(at) => at,
        };
        Ok(())
    }

    /// Tells of a failure, and how much has gathered meanwhile.
    async fn failed(&mut self, error: &StoreError) {
        let after = self.cursor;
        let waiting = self.with_outbox(move |outbox| outbox.waiting(after)).await;
        let before = self.state.borrow().clone();
        let before = Waiting { count: before.unshipped, oldest_ms: before.oldest_ms };
        self.tell(waiting.unwrap_or(before), Some(error.0.clone()));
    }

    fn tell(&self, waiting: Waiting, trouble: Option<String>) {
        let Waiting { count: unshipped, oldest_ms } = waiting;
        self.state.send_replace(Shipped { unshipped, oldest_ms, trouble });
    }

    /// Reads the journal where waiting for a disk holds nobody up.
    async fn with_outbox<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Outbox) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let outbox = self.outbox.take().ok_or_else(gone)?;
        let done = tokio::task::spawn_blocking(move || (work(&outbox), outbox)).await;
        let (done, outbox) = done.map_err(|_| gone())?;
        self.outbox = Some(outbox);
        done
    }
}

async fn in_time<T>(
    server: &Server,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(LONGEST_SEND, work).await.unwrap_or_else(|_| Err(late(server)))
}

fn late(server: &Server) -> StoreError {
    server.wrong("no answer in time; it is slow, or the way there is")
}

fn gone() -> StoreError {
    StoreError(
        "reading the journal for the ledger has panicked; restart the gateway, and please report it"
            .to_owned(),
    )
}

/// Requests of one parcel: some MB.
const MOST_REQUESTS: u32 = 1_000;
/// How often the journal is looked at when all is shipped.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A parcel that takes longer is halved.
const LONGEST_SEND: Duration = Duration::from_secs(20);
