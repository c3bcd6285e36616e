//! A response's body, piece by piece.

use super::HttpError;
use super::connection::Connection;
use super::framing::{Framing, Step};
use super::pool::Pool;
use bytes::{Buf as _, Bytes};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// What is left of a body. Read to its end, its connection can serve the next call; dropped before, it is closed.
pub(crate) struct Body {
    /// `None` once the end has been reached.
    connection: Option<Connection>,
    framing: Framing,
    /// Bytes at the front of what was read that have been lent out.
    lent: usize,
    /// Where the connection goes in the end; `None` when it can't serve again.
    pool: Option<Arc<Pool>>,
}

impl Body {
    pub(super) fn new(connection: Connection, framing: Framing, pool: Option<Arc<Pool>>) -> Body {
        let mut body = Body { connection: Some(connection), framing, lent: 0, pool };
        if matches!(framing, Framing::Done | Framing::Length(0)) {
            body.is_over(); // nobody has to read what isn't there
        }
        body
    }

    /// The connection is not to be used again.
    pub(crate) fn close_in_the_end(&mut self) {
        self.pool = None;
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// Anything but [`HttpError::Unsent`].
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<&[u8]>, HttpError> {
        let length = poll_fn(|cx| self.poll_next(cx)).await?;
        Ok(self.connection.as_ref().map(|connection| &connection.read[..length]))
    }

    /// All that is left, but an error where it is more than `most` bytes.
    ///
    /// # Errors
    /// As of [`Body::next`].
    pub(crate) async fn rest(&mut self, most: usize) -> Result<Bytes, HttpError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            if all.len() + piece.len() > most {
                return Err(HttpError::Malformed("the body is too long"));
            }
            all.extend_from_slice(piece);
        }
        Ok(all.into())
    }

    /// Whether the end is there without another look at the network. What comes before it is passed over.
    pub(crate) fn is_over(&mut self) -> bool {
        loop {
            match self.step() {
                Ok(Step::End) => return true,
                Ok(Step::Piece(length)) => self.lent = length,
                Ok(Step::More) | Err(_) => return false,
            }
        }
    }

    /// How many bytes there are at the front of what was read; no connection at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, HttpError>> {
        loop {
            match self.step()? {
                Step::End => return Poll::Ready(Ok(0)),
                Step::Piece(length) => {
                    self.lent = length;
                    return Poll::Ready(Ok(length));
                }
                Step::More => {}
            }
            let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(0)) };
            if ready!(connection.poll_read(cx))? == 0 {
                if !self.framing.may_end_here() {
                    return Poll::Ready(Err(HttpError::Closed));
                }
                self.framing = Framing::Done;
            }
        }
    }

    fn step(&mut self) -> Result<Step, HttpError> {
        let Some(connection) = &mut self.connection else { return Ok(Step::End) };
        connection.read.advance(std::mem::take(&mut self.lent));
        let step = self.framing.step(&mut connection.read)?;
        if step == Step::End
            && let (Some(connection), Some(pool)) = (self.connection.take(), self.pool.take())
        {
            pool.put(connection);
        }
        Ok(step)
    }
}
