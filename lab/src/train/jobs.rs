//! Independent pieces of work on as many threads as there are cores; results in the order of the work.

use std::collections::VecDeque;
use std::sync::Mutex;

/// Runs `work` on every item. Each result depends on its item alone, so threads don't change what is computed.
pub(crate) fn run<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let count = items.len();
    let queue: Mutex<VecDeque<(usize, T)>> = Mutex::new(items.into_iter().enumerate().collect());
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(count));
    let threads =
        std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(count.max(1));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no thread panics with the queue").pop_front();
                    let Some((at, item)) = next else { break };
                    let result = work(item);
                    done.lock().expect("no thread panics with the results").push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("all threads have ended");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The work is bound by memory: more threads than this gain little.
const MOST_THREADS: usize = 8;
