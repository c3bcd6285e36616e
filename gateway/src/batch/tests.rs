//! Rows of batches as tasks: who is answered, who is refused, and what of the engine's work is given up. Time is virtual.

use super::*;
use futures::future::join_all;
use sluice_experts::Finish;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// An engine whose batch takes 10 ms, and 1 ms for each row. It says of each call what it was asked, `bad` fails alone,
/// and `poison` spoils the whole batch.
#[derive(Default)]
struct Oven {
    batches: Mutex<Vec<Vec<String>>>,
    /// Calls that were dropped before they had ended.
    dropped: Arc<AtomicUsize>,
    poison: Option<ErrorKind>,
}

/// Counts a call that is dropped before its end.
struct Baking(Arc<AtomicUsize>, bool);

impl Baking {
    fn is_done(&mut self) {
        self.1 = true;
    }
}

impl Drop for Baking {
    fn drop(&mut self) {
        self.0.fetch_add(usize::from(!self.1), Ordering::SeqCst);
    }
}

impl Engine for Oven {
    fn generate(&self, _: Call) -> BoxFuture<'static, Result<Events, ExpertError>> {
        Box::pin(async { panic!("it takes whole batches only") })
    }

    fn generate_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Result<Answers, ExpertError>> {
        let asked: Vec<String> = calls.into_iter().map(|call| call.request_id).collect();
        self.batches.lock().expect("no panic").push(asked.clone());
        let (mut baking, poison) = (Baking(self.dropped.clone(), false), self.poison);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10 + asked.len() as u64)).await;
            baking.is_done();
            match poison.filter(|_| asked.iter().any(|asked| asked == "poison")) {
                Some(kind) => Err(ExpertError::new(kind, "something is wrong with it")),
                None => Ok(asked.into_iter().map(row).collect()),
            }
        })
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), ExpertError>> {
        Box::pin(async { Ok(()) })
    }
}

fn row(asked: String) -> Result<Answer, ExpertError> {
    if asked == "bad" {
        return Err(ExpertError::new(ErrorKind::Rejected { status: 400 }, "no"));
    }
    Ok(Answer { text: asked, json: String::new(), finish: Finish::default() })
}

/// The oven and its batches.
struct Bakery {
    oven: Arc<Oven>,
    batches: Arc<Batches>,
    tools: Tools,
}

impl Bakery {
    fn new(oven: Oven) -> Bakery {
        let oven = Arc::new(oven);
        let rules = BatchRules { max_batch: 8, max_cost: None, hold_us: 0 };
        let batches = Batches::new("pool", oven.clone() as Arc<dyn Engine>, rules);
        let tools =
            Tools { clock: Clock::new(), observe: Arc::default(), retries: Arc::new(RetryBudget::new()) };
        Bakery { oven, batches, tools }
    }

    fn ask(&self, what: &str, left_ms: Option<u64>) -> BoxFuture<'static, Result<String, ErrorKind>> {
        let time_left = left_ms.map(Duration::from_millis);
        let call = Call { request_id: what.to_owned(), max_tokens: 5, time_left, ..Call::default() };
        let item = item(&call, 10, 0, self.tools.clock.now());
        let answer = self.batches.clone().answer(self.tools.clone(), item, call);
        Box::pin(async move { answer.await.map(|answer| answer.text).map_err(|error| error.kind) })
    }

    /// One goes ahead so that the others gather behind it; returns what became of those.
    async fn together(&self, asked: &[&str]) -> Vec<Result<String, ErrorKind>> {
        let first = self.ask("first", None);
        let others = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            join_all(asked.iter().map(|what| self.ask(what, None))).await
        };
        tokio::join!(first, others).1
    }

    fn batches(&self) -> Vec<Vec<String>> {
        self.oven.batches.lock().expect("no panic").clone()
    }
}

/// The answers of those that say what they were asked.
fn served(outcomes: &[Result<String, ErrorKind>]) -> Vec<&str> {
    outcomes.iter().filter_map(|outcome| outcome.as_deref().ok()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_idle_engine_is_asked_at_once_and_the_others_go_together() {
    let bakery = Bakery::new(Oven::default());
    let outcomes = bakery.together(&["a", "b", "c"]).await;
    assert_eq!(served(&outcomes), ["a", "b", "c"]);
    assert_eq!(bakery.batches(), [vec!["first"], vec!["a", "b", "c"]]);
}

#[tokio::test(start_paused = true)]
async fn row_63_a_poison_row_fails_alone_and_the_others_are_answered_once() {
    let bakery = Bakery::new(Oven { poison: Some(ErrorKind::Rejected { status: 400 }), ..Oven::default() });
    let outcomes = bakery.together(&["a", "b", "bad", "c", "poison", "d", "e"]).await;
    assert_eq!(served(&outcomes), ["a", "b", "c", "d", "e"]);
    assert_eq!(outcomes[4], Err(ErrorKind::Rejected { status: 400 }));
    assert_eq!(outcomes[2], Err(ErrorKind::Rejected { status: 400 }), "its own, from its own result");
    let batches = bakery.batches();
    assert!(batches.len() <= 2 + 2 * 3, "{batches:?}");
    let answered = batches.iter().filter(|batch| !batch.contains(&"poison".to_owned())).flatten();
    assert_eq!(answered.filter(|asked| *asked == "a").count(), 1, "{batches:?}");
    assert_eq!(bakery.batches.lock().waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn row_63_results_that_do_not_fit_the_rows_are_an_error_for_all_and_nothing_is_repeated() {
    let bakery = Bakery::new(Oven { poison: Some(ErrorKind::Protocol), ..Oven::default() });
    let outcomes = bakery.together(&["a", "poison", "b"]).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Err(ErrorKind::Protocol)), "{outcomes:?}");
    assert_eq!(bakery.batches().len(), 2);
    assert_eq!(bakery.ask("again", None).await.as_deref(), Ok("again"), "the engine goes on");
}

#[tokio::test(start_paused = true)]
async fn row_63_one_who_cancels_leaves_its_row_or_its_answer_is_dropped() {
    let bakery = Bakery::new(Oven::default());
    let (first, second, third) =
        (bakery.ask("first", None), bakery.ask("second", None), bakery.ask("third", None));
    let cancelled = tokio::time::timeout(Duration::from_millis(5), second);
    let cut = tokio::time::timeout(Duration::from_millis(15), bakery.ask("fourth", None));
    let (first, cancelled, third, cut) = tokio::join!(first, cancelled, third, cut);
    assert_eq!((first.as_deref(), third.as_deref()), (Ok("first"), Ok("third")));
    assert!(cancelled.is_err() && cut.is_err());
    assert_eq!(bakery.batches(), [vec!["first"], vec!["third", "fourth"]]);
    assert_eq!(bakery.oven.dropped.load(Ordering::SeqCst), 0, "others wait for that batch");
}

#[tokio::test(start_paused = true)]
async fn when_all_of_a_batch_are_gone_its_call_is_dropped_and_the_next_goes() {
    let bakery = Bakery::new(Oven::default());
    let gone = tokio::time::timeout(Duration::from_millis(5), bakery.ask("gone", None));
    let begun = bakery.tools.clock.now();
    let (gone, next) = tokio::join!(gone, bakery.ask("next", None));
    assert!(gone.is_err());
    assert_eq!(next.as_deref(), Ok("next"));
    assert_eq!(bakery.oven.dropped.load(Ordering::SeqCst), 1);
    let took = bakery.tools.clock.now().since_ms(begun);
    assert!((15.0..18.0).contains(&took), "5 ms and its own 11, not the rest of the other's: {took}");
}

#[tokio::test(start_paused = true)]
async fn whoever_can_not_make_its_deadline_is_refused_before_it_waits() {
    let bakery = Bakery::new(Oven::default());
    for what in ["a", "b", "c"] {
        bakery.ask(what, None).await.expect("it learns");
    }
    let begun = bakery.tools.clock.now();
    assert!(matches!(bakery.ask("late", Some(4)).await, Err(ErrorKind::Late { .. })));
    assert_eq!(bakery.tools.clock.now(), begun);
    assert_eq!(bakery.ask("in time", Some(40)).await.as_deref(), Ok("in time"));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_fails_is_not_asked_again_beyond_the_retry_budget() {
    let bakery = Bakery::new(Oven { poison: Some(ErrorKind::Failed), ..Oven::default() });
    while bakery.tools.retries.spend() {}
    let outcomes = bakery.together(&["a", "poison"]).await;
    assert_eq!(outcomes, [Err(ErrorKind::Failed), Err(ErrorKind::Failed)]);
    assert_eq!(bakery.batches().len(), 2);
}
