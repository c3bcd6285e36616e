//! Keeps the plan's time: a thread of its own, since the runtime's timers are good to a millisecond only.

use crate::arrivals::Arrivals;
use crate::clock::Clock;
use crate::prompts::Prompts;
use crate::request::Sender;
use crate::sample::{Planned, Prompt};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

/// What the pacer is told.
pub(crate) enum Told {
    /// A request has ended.
    Ended {
        planned: Planned,
        now: u64,
        is_ok: bool,
        /// The conversation with its answer, where the next turn carries it on.
        history: Option<Vec<(String, String)>>,
    },
    /// Nothing more is to be sent.
    Stop,
}

/// A request that only waits for its time.
pub(crate) struct Prepared {
    pub(crate) planned: Planned,
    pub(crate) prompt: Prompt,
    pub(crate) tenant: String,
}

/// The plan, and what is known of it so far.
pub(crate) struct Pacer {
    clock: Clock,
    arrivals: Box<dyn Arrivals>,
    prompts: Arc<dyn Prompts>,
    tenants: Vec<String>,
    max_open: usize,
    is_conversational: bool,
    histories: HashMap<u64, Vec<(String, String)>>,
    /// The next by the plan's own clock.
    next: Option<Prepared>,
    /// Those that followed from an answer.
    following: BinaryHeap<Reverse<Due>>,
    open: usize,
    sent: u64,
}

impl Pacer {
    pub(crate) fn new(
        clock: Clock,
        arrivals: Box<dyn Arrivals>,
        prompts: Arc<dyn Prompts>,
        tenants: Vec<String>,
        max_open: usize,
        is_conversational: bool,
    ) -> Pacer {
        let (histories, following) = (HashMap::new(), BinaryHeap::new());
        let (next, open, sent) = (None, 0, 0);
        Pacer {
            clock,
            arrivals,
            prompts,
            tenants,
            max_open: max_open.max(1),
            is_conversational,
            histories,
            next,
            following,
            open,
            sent,
        }
    }

    /// Runs until everything was sent and has ended, or it is told to stop. Requests run on the caller's runtime.
    pub(crate) fn start(mut self, told: Receiver<Told>, sender: Sender) {
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || {
            self.advance();
            while self.step(&told, &sender, &runtime) {}
        });
    }

    /// Sends what is due, or waits for what comes first: the next time, or the end of a request. False at the end.
    fn step(&mut self, told: &Receiver<Told>, sender: &Sender, runtime: &tokio::runtime::Handle) -> bool {
        while let Ok(news) = told.try_recv() {
            if !self.hear(news) {
                return false;
            }
        }
        let due = self.due();
        if due.is_none() && self.open == 0 {
            return false;
        }
        let news = match due {
            Some(at) if self.open < self.max_open => match self.clock.time_to(at) {
                wait if wait.is_zero() => {
                    self.send(sender, runtime);
                    return true;
                }
                wait => match told.recv_timeout(wait) {
                    Ok(news) => news,
                    Err(RecvTimeoutError::Timeout) => return true,
                    Err(RecvTimeoutError::Disconnected) => return false,
                },
            },
            _ => match told.recv() {
                Ok(news) => news,
                Err(_) => return false,
            },
        };
        self.hear(news)
    }

    /// False when it is told to stop.
    fn hear(&mut self, news: Told) -> bool {
        let Told::Ended { planned, now, is_ok, history } = news else { return false };
        self.open -= 1;
        let follows = self.arrivals.follow(&planned, now, is_ok);
        if let (Some(session), Some(history)) = (planned.session, history) {
            let goes_on = follows.is_some_and(|next| next.session == Some(session));
            if goes_on {
                self.histories.insert(session, history);
            }
        }
        if let Some(planned) = follows {
            let prepared = self.prepare(planned);
            self.following.push(Reverse(Due(prepared)));
        }
        true
    }

    /// When the next request is due.
    fn due(&self) -> Option<u64> {
        let following = self.following.peek().map(|Reverse(due)| due.0.planned.at);
        let next = self.next.as_ref().map(|next| next.planned.at);
        [following, next].into_iter().flatten().min()
    }

    fn send(&mut self, sender: &Sender, runtime: &tokio::runtime::Handle) {
        let Some(prepared) = self.take() else { return };
        let n = self.sent;
        self.sent += 1;
        self.open += 1;
        sender.gauge.sent.fetch_add(1, Ordering::Relaxed);
        runtime.spawn(sender.clone().send(n, prepared));
    }

    /// The request that is due first.
    fn take(&mut self) -> Option<Prepared> {
        let following = self.following.peek().map_or(u64::MAX, |Reverse(due)| due.0.planned.at);
        if self.next.as_ref().is_some_and(|next| next.planned.at <= following) {
            let taken = self.next.take();
            self.advance();
            return taken;
        }
        self.following.pop().map(|Reverse(due)| due.0)
    }

    fn advance(&mut self) {
        let planned = self.arrivals.next();
        self.next = planned.map(|planned| self.prepare(planned));
    }

    /// Makes the prompt ahead of its time, so that making it delays nothing.
    fn prepare(&mut self, planned: Planned) -> Prepared {
        let mut prompt = self.prompts.get(planned.prompt);
        if self.is_conversational
            && let Some(mut history) = planned.session.and_then(|session| self.histories.remove(&session))
        {
            history.append(&mut prompt.messages);
            prompt.messages = history;
        }
        let tenant = self.tenants.get(planned.tenant as usize).cloned().unwrap_or_default();
        Prepared { planned, prompt, tenant }
    }
}

/// Ordered by time, then by number.
struct Due(Prepared);

impl Due {
    fn key(&self) -> (u64, usize) {
        (self.0.planned.at, self.0.planned.prompt)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
