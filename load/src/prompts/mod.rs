//! What is asked: prompts by their number in the plan.

mod generated;
mod graded;
mod lines;

pub use generated::Generated;
pub use graded::Graded;
pub use lines::Lines;

use crate::sample::Prompt;

/// Where prompts come from. A number beyond what there is begins again; the same number gives the same prompt.
pub trait Prompts: Send + Sync {
    /// The prompt of this number.
    fn get(&self, number: usize) -> Prompt;

    /// How many there are before one comes again; `None` when each number is another one.
    fn distinct(&self) -> Option<usize> {
        None
    }

    /// Whether they are made up: then an answer is as long as it may be, since nothing else says how long.
    fn is_made_up(&self) -> bool {
        false
    }
}

/// A fixed order of `n` things that is random, and the same for the same seed.
fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut random = crate::random::Random::new(seed, ORDER);
    let mut order: Vec<usize> = (0..n).collect();
    for at in (1..n).rev() {
        order.swap(at, random.below(at + 1));
    }
    order
}

/// The purpose of the random sequence.
const ORDER: u64 = 5;
