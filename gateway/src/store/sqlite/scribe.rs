//! A group of records as one transaction.

use super::insert::{Charging, Inserter, State};
use super::queued::Queued;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

/// Writes to the file for one start of the gateway.
pub(super) struct Scribe {
    connection: Connection,
    writer: i64,
    state: State,
}

impl Scribe {
    /// The only one who writes for this start.
    pub(super) fn new(connection: Connection, writer: i64) -> Scribe {
        let held = connection.query_row("SELECT EXISTS (SELECT 1 FROM holds)", [], |row| row.get(0));
        // If that can't be told now, it is looked for with each request.
        let state = State { sequence: 1, has_holds: held.unwrap_or(true) };
        Scribe { connection, writer, state }
    }

    /// The group in one transaction; the reason of the first refused record.
    ///
    /// Where a record breaks a rule of the tables, which is a bug, the group is written once more with a savepoint
    /// around each record, so that this one can be set aside. Having them always would double the work: SQLite keeps a
    /// copy of each page that changes within one.
    pub(super) fn write(&mut self, group: &[Queued]) -> rusqlite::Result<Option<String>> {
        match self.commit(group, Apart::No) {
            Err(error) if breaks_a_rule(&error) => self.commit(group, Apart::Each),
            done => done,
        }
    }

    fn commit(&mut self, group: &[Queued], apart: Apart) -> rusqlite::Result<Option<String>> {
        let work = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut inserter = Inserter::new(&work, self.writer, self.state, apart.charging())?;
        let mut refused = None;
        for record in group {
            let before = inserter.state();
            let written = match apart {
                Apart::No => inserter.record(record),
                Apart::Each => whole(&work, || inserter.record(record)),
            };
            let why = match written {
                Ok(why) => why,
                Err(error) if apart == Apart::Each && breaks_a_rule(&error) => {
                    inserter.go_back(before);
                    let why = error.to_string();
                    inserter.refuse(record, &why)?;
                    Some(why)
                }
                Err(error) => return Err(error),
            };
            refused = refused.or(why);
        }
        let state = inserter.finish()?;
        work.commit()?;
        self.state = state;
        Ok(refused)
    }
}

/// Whether each record of a group can be undone by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apart {
    No,
    Each,
}

impl Apart {
    fn charging(self) -> Charging {
        match self {
            Apart::No => Charging::AtTheEnd,
            Apart::Each => Charging::AtOnce,
        }
    }
}

/// Runs `insert` so that its rows are there all together or not at all.
fn whole<T>(connection: &Connection, insert: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let run = |sql| connection.prepare_cached(sql)?.execute([]).map(drop);
    run("SAVEPOINT record")?;
    match insert() {
        Ok(done) => run("RELEASE record").map(|()| done),
        Err(error) => {
            let undone = run("ROLLBACK TO record").and_then(|()| run("RELEASE record"));
            // After a full disk SQLite has undone the whole transaction already: then `error` is what to tell.
            if breaks_a_rule(&error) { undone.and(Err(error)) } else { Err(error) }
        }
    }
}

/// Whether the record is at fault rather than the disk, so that trying again can't help.
fn breaks_a_rule(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
        || matches!(error, rusqlite::Error::ToSqlConversionFailure(_))
}
