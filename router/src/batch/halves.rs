//! What becomes of a batch that failed as a whole: halves of it go again until the row that spoils it is alone.

use super::Row;

/// What made a batch fail as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The engine says that something is wrong with what it was sent: one row is enough for that.
    Request,
    /// The engine failed over it: by itself, or over one row.
    Engine,
    /// Nothing that a row could have to do with: no connection, no room, no time, no sense in the answer.
    Circumstances,
}

/// The halves in which a batch is to go again: each row that was not to blame is answered once, and the one that was
/// fails alone, after at most two calls for each halving.
///
/// `Err` gives the rows back where they all share the failure: one row alone, a failure that no row can have caused, or
/// one of the engine for which `may_repeat` allows no more rows to be sent again.
///
/// # Errors
/// The rows.
pub fn halves<W>(
    mut rows: Vec<Row<W>>,
    blame: Blame,
    mut may_repeat: impl FnMut() -> bool,
) -> Result<[Vec<Row<W>>; 2], Vec<Row<W>>> {
    let may_go_again = match blame {
        Blame::Request => true,
        Blame::Engine => rows.len() > 1 && rows.iter().all(|_| may_repeat()),
        Blame::Circumstances => false,
    };
    if rows.len() < 2 || !may_go_again {
        return Err(rows);
    }
    let second = rows.split_off(rows.len() / 2);
    Ok([rows, second])
}
