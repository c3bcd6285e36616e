//! A bug that is put into the gateway on purpose, to see that the simulation finds it. It exists in no other build than
//! this crate's own unit tests.

use std::cell::Cell;

thread_local! {
    static IS_IN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the permit is freed with the head of the answer rather than with its end: a stream has hardly begun then.
pub(crate) fn frees_early() -> bool {
    IS_IN.get()
}

/// Runs with the bug in; a simulation runs on the thread that it was begun on.
pub(super) fn with<T>(run: impl FnOnce() -> T) -> T {
    IS_IN.set(true);
    let end = run();
    IS_IN.set(false);
    end
}
