//! Threads that serve connections, one for each core, each with a runtime of its own.
//!
//! A request crosses several tasks: its connection's, its own, that of the engine's connection. On a runtime of many
//! threads each of these steps may wake another thread, which costs more than the step. Here all of them run where the
//! client's connection does, and nobody is woken but by the network. The price is that a busy thread's connections are
//! not taken over by an idle one, so they are dealt out in turn.

use futures::future::BoxFuture;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// The threads. They end when this is dropped, and with them whatever still runs there.
pub(crate) struct Cores {
    lines: Vec<mpsc::Sender<BoxFuture<'static, ()>>>,
    turn: AtomicUsize,
}

impl Cores {
    /// One thread for each core that the process may use, two at least, so that one slow poll never stops everything.
    ///
    /// # Errors
    /// The operating system gives no thread, or no epoll.
    pub(crate) fn start() -> io::Result<Cores> {
        let count = std::thread::available_parallelism().map_or(2, NonZeroUsize::get).max(2);
        let lines = (0..count).map(start_one).collect::<io::Result<_>>()?;
        Ok(Cores { lines, turn: AtomicUsize::new(0) })
    }

    /// Runs a task, and whatever that spawns, on the thread whose turn it is.
    pub(crate) fn spawn(&self, task: BoxFuture<'static, ()>) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        // Full only where more clients come at once than a listener holds; the last of them find their connection closed.
        let _ = self.lines[turn % self.lines.len()].try_send(task);
    }
}

fn start_one(at: usize) -> io::Result<mpsc::Sender<BoxFuture<'static, ()>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let here = runtime.handle().clone();
    let (line, mut tasks) = mpsc::channel::<BoxFuture<'static, ()>>(MOST_WAITING);
    std::thread::Builder::new().name(format!("sluice-core-{at}")).spawn(move || {
        runtime.block_on(async move {
            while let Some(task) = tasks.recv().await {
                here.spawn(task); // the app counts what it hands over, and waits for it
            }
        });
    })?;
    Ok(line)
}

/// Tasks that wait for a thread to take them.
const MOST_WAITING: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use std::collections::BTreeSet;
    use std::thread::ThreadId;
    use tokio::sync::oneshot;

    async fn thread_of(cores: &Cores) -> (ThreadId, ThreadId) {
        let (tell, told) = oneshot::channel();
        cores.spawn(
            async move {
                let outer = std::thread::current().id();
                let inner = async { std::thread::current().id() };
                #[allow(clippy::disallowed_methods, reason = "where a spawned task runs is what is tested")]
                let inner = tokio::task::spawn(inner).await.expect("it ends");
                let _ = tell.send((outer, inner));
            }
            .boxed(),
        );
        told.await.expect("it runs")
    }

    #[tokio::test]
    async fn tasks_go_to_the_threads_in_turn_and_what_they_spawn_stays_there() {
        let cores = Cores::start().expect("threads");
        let mut threads = BTreeSet::new();
        for _ in 0..cores.lines.len() {
            let (outer, inner) = thread_of(&cores).await;
            assert_eq!(outer, inner);
            threads.insert(format!("{outer:?}"));
        }
        assert_eq!(threads.len(), cores.lines.len());
    }
}
