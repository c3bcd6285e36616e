//! Shipping: the journal's rows go to the common ledger, in their order, each once, however often either side fails.
//!
//! How far it has come stands in the ledger itself and moves in the transaction that brings the rows. So a lost answer,
//! a killed gateway and a ledger put back from a backup all mend themselves: what is not there is sent again.

use super::{Link, Server, schema, send};
use crate::store::StoreError;
use crate::store::parcel::Parcel;
use crate::store::sqlite::{Outbox, Waiting};
use send::{Sent, Way};
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
    /// How far the journal says that it has come.
    noted: i64,
    link: Option<Link>,
    /// Requests of one parcel.
    most: u32,
    /// How rows come in.
    way: Way,
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
    let (server, outbox) = (Server::new(ledger)?, Outbox::of(journal)?);
    let cursor = outbox.noted(&server.shown)?;
    let (sender, state) = watch::channel(Shipped::default());
    let stop = CancellationToken::new();
    let mut shipper = Shipper {
        gateway: gateway.to_owned(),
        server,
        outbox: None,
        cursor,
        noted: cursor,
        link: None,
        most: MOST_REQUESTS,
        way: Way::Straight,
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

    /// Parcel after parcel until nothing is left. The next one is read while one is on its way.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let mut ready: Option<Look> = None;
        loop {
            if self.link.is_none() {
                self.connect().await?;
            }
            // What was read for another place than where the ledger is now is read again.
            let look = match ready.take().filter(|look| look.after == self.cursor) {
                Some(look) => look,
                None => self.look().await?,
            };
            self.tell(look.waiting, None);
            let Some(parcel) = look.parcel else {
                self.way = Way::Straight;
                return Ok(());
            };
            let next = Look::take(self.outbox.take(), self.gateway.clone(), parcel.last, self.most);
            let (sent, (outbox, next)) = futures::join!(self.send(&parcel), next);
            self.outbox = outbox;
            if let Some(why) = sent? {
                self.set_aside(&parcel, &why).await?;
            }
            ready = Some(next?);
        }
    }

    async fn look(&mut self) -> Result<Look, StoreError> {
        let (ledger, after) = (self.server.shown.clone(), self.cursor);
        if std::mem::replace(&mut self.noted, after) != after {
            // A copy of what the ledger says: the next one will do too.
            let _ = self.with_outbox(move |outbox| outbox.note(&ledger, after)).await;
        }
        let (outbox, look) = Look::take(self.outbox.take(), self.gateway.clone(), after, self.most).await;
        self.outbox = outbox;
        look
    }

    async fn connect(&mut self) -> Result<(), StoreError> {
        let (server, gateway) = (&self.server, self.gateway.clone());
        let work = async {
            let said = |error| server.explain(&error);
            let mut link = server.connect().await.map_err(said)?;
            schema::migrate(server, &mut link).await?;
            send::stage(&mut link).await.map_err(said)?;
            let cursor = send::cursor(&mut link, &gateway).await.map_err(said)?;
            Ok((link, cursor))
        };
        let (mut link, (mut at, id)) = in_time(server, work).await?;
        if at > 0 && self.with_outbox(move |outbox| outbox.id_at(at)).await?.as_ref() != Some(&id) {
            // The journal was put back from a backup: what it has there now is something else.
            let rewind = send::rewind(&mut link, &gateway);
            in_time(&self.server, async { rewind.await.map_err(|error| self.server.explain(&error)) })
                .await?;
            at = 0;
        }
        (self.link, self.cursor) = (Some(link), at);
        Ok(())
    }

    /// Sends a parcel; why its only row can't be stored, where that is so.
    async fn send(&mut self, parcel: &Parcel) -> Result<Option<String>, StoreError> {
        // Taken out, so that it is not used again after a failure or a cancelled wait.
        let mut link = self.link.take().expect("connected above");
        let work = send::send(&mut link, &self.gateway, self.cursor, parcel, self.way);
        match tokio::time::timeout(LONGEST_SEND, work).await {
            Ok(Ok(Sent::Whole)) => {
                (self.link, self.cursor) = (Some(link), parcel.last);
                self.most = (self.most * 2).min(MOST_REQUESTS);
                Ok(None)
            }
            Ok(Ok(Sent::Moved(at))) => {
                (self.link, self.cursor) = (Some(link), at);
                Ok(None)
            }
            Ok(Err(error)) if send::is_a_repetition(&error) && self.way == Way::Straight => {
                self.way = Way::Staged;
                Ok(None)
            }
            Ok(Err(error)) if send::is_of_the_rows(&error) && parcel.count > 1 => {
                // One of them: the next parcels find out which.
                self.most = 1;
                Ok(None)
            }
            Ok(Err(error)) if send::is_of_the_rows(&error) => Ok(Some(super::link::explain(&error))),
            Ok(Err(error)) => Err(self.server.explain(&error)),
            Err(_) => {
                self.most = (self.most / 2).max(1);
                Err(late(&self.server))
            }
        }
    }

    /// What the ledger can't take stays in the journal, is named in the ledger's `refused`, and holds nothing up.
    async fn set_aside(&mut self, parcel: &Parcel, why: &str) -> Result<(), StoreError> {
        self.connect().await?;
        let mut link = self.link.take().expect("connected");
        let (server, gateway, after) = (&self.server, self.gateway.as_str(), self.cursor);
        let work = send::set_aside(&mut link, gateway, after, parcel, why);
        let sent = in_time(server, async { work.await.map_err(|error| server.explain(&error)) }).await?;
        self.link = Some(link);
        self.cursor = match sent {
            Sent::Whole => parcel.last,
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
        let (outbox, done) = with(self.outbox.take(), work).await;
        self.outbox = outbox;
        done
    }
}

/// The journal as it was seen from one place on.
struct Look {
    after: i64,
    waiting: Waiting,
    parcel: Option<Parcel>,
}

impl Look {
    async fn take(
        outbox: Option<Outbox>,
        gateway: String,
        after: i64,
        most: u32,
    ) -> (Option<Outbox>, Result<Look, StoreError>) {
        let look = move |outbox: &Outbox| {
            let (waiting, parcel) = (outbox.waiting(after)?, outbox.parcel(&gateway, after, most)?);
            Ok(Look { after, waiting, parcel })
        };
        with(outbox, look).await
    }
}

/// Works with the outbox on a thread that may wait for the disk, and gives it back.
async fn with<T: Send + 'static>(
    outbox: Option<Outbox>,
    work: impl FnOnce(&Outbox) -> Result<T, StoreError> + Send + 'static,
) -> (Option<Outbox>, Result<T, StoreError>) {
    let Some(outbox) = outbox else { return (None, Err(gone())) };
    match tokio::task::spawn_blocking(move || (work(&outbox), outbox)).await {
        Ok((done, outbox)) => (Some(outbox), done),
        Err(_) => (None, Err(gone())),
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
