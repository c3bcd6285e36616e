//! What a scripted engine does with a request: drawn from the seed, the engine's mood and the number of the run.

use super::random::Random;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How an engine fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// It answers.
    Well,
    /// It answers 500.
    Storm,
    /// It is full, and says when to come back.
    Busy,
    /// It takes longer to its first token than anybody waits.
    SlowStart,
    /// It falls silent in the middle.
    Stalls,
    /// Its connection ends in the middle, in order.
    Truncates,
    /// It breaks its connection in the middle.
    Breaks,
    /// It says something that is no answer.
    Garbage,
    /// It answers as fast as it is read, in tokens of [`LARGE`] bytes.
    Floods,
}

/// Bytes of a large token.
pub(super) const LARGE: usize = 1 << 10;

/// Large tokens of one answer.
const MOST_LARGE: u32 = 3_000;

/// What goes out next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    /// Nothing for a while.
    Wait(Duration),
    /// The next token.
    Token(String),
    /// The end, with the number of tokens.
    Finish(u32),
    /// The connection breaks.
    Break,
    /// Bytes that are no answer.
    Garbage,
}

/// What an engine does with one request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Script {
    /// It refuses with this status.
    Refuse(u16),
    /// It does these things one after the other; without a `Finish` the answer ends early.
    Play(VecDeque<Act>),
}

/// All that was asked of the engines, and what came of it.
pub(super) type Runs = Arc<Mutex<Vec<Run>>>;

/// One request at one engine.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) engine: usize,
    /// The request's label.
    pub(super) label: String,
    pub(super) began: Duration,
    /// Tokens that a whole answer has.
    pub(super) tokens: u32,
    /// Tokens that were handed out.
    pub(super) said: u32,
    /// When the last event of a whole answer was handed out.
    pub(super) finished: Option<Duration>,
    /// When the engine let go of the request, for whatever reason.
    pub(super) ended: Option<Duration>,
}

/// The whole text of run `number`: no two runs say the same, and a piece of it is no whole.
pub(super) fn text(number: usize, tokens: u32) -> String {
    (0..tokens).map(|at| token(number, at)).collect()
}

fn token(number: usize, at: u32) -> String {
    format!("{number}-{at} ")
}

/// The script of run `number`, and how many tokens it has if it is played to its end.
pub(super) fn script(seed: u64, number: usize, mood: Mood, max_tokens: u32) -> (Script, u32) {
    let mut random = Random::new(seed ^ (number as u64) << 20, "script");
    let tokens = u32::try_from(random.between(1, u64::from(max_tokens) + 1)).expect("it is small");
    match mood {
        Mood::Storm => return (Script::Refuse(500), tokens),
        Mood::Busy => return (Script::Refuse(429), tokens),
        Mood::Floods => return flood(max_tokens.min(MOST_LARGE)),
        _ => {}
    }
    let gap = Duration::from_millis(random.between(2, 40));
    let first = if mood == Mood::SlowStart { 3_500 } else { random.between(10, 250) };
    let mut acts = VecDeque::from([Act::Wait(Duration::from_millis(first))]);
    for at in 0..tokens {
        acts.extend([Act::Token(token(number, at)), Act::Wait(gap)]);
    }
    acts.push_back(Act::Finish(tokens));
    if let Some(mishap) = mishap(mood) {
        acts.truncate(random.between(1, acts.len() as u64) as usize);
        acts.extend(mishap);
    }
    (Script::Play(acts), tokens)
}

fn flood(tokens: u32) -> (Script, u32) {
    let large = || [Act::Token("x".repeat(LARGE)), Act::Wait(Duration::from_millis(1))];
    let acts = (0..tokens).flat_map(|_| large()).chain([Act::Finish(tokens)]);
    (Script::Play(acts.collect()), tokens)
}

fn mishap(mood: Mood) -> Option<Vec<Act>> {
    match mood {
        Mood::Well | Mood::SlowStart | Mood::Storm | Mood::Busy | Mood::Floods => None,
        Mood::Stalls => Some(vec![Act::Wait(Duration::from_secs(8))]),
        Mood::Truncates => Some(vec![]),
        Mood::Breaks => Some(vec![Act::Break]),
        Mood::Garbage => Some(vec![Act::Garbage]),
    }
}
