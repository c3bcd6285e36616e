//! The stretch of a run whose instructions count, and how often the work is done in it.

use std::hint::black_box;
use std::path::{Path, PathBuf};

/// One run of one case: where its files are, how often it works, and whether it works a tenth too much on purpose.
pub struct Bench {
    folder: PathBuf,
    times: u64,
    is_planted: bool,
}

impl Bench {
    /// A run that works so many times, with its files in `folder`. A planted one does a tenth more than it says, so
    /// that a gate can show that it finds that.
    pub fn new(folder: &Path, times: u64, is_planted: bool) -> Bench {
        Bench { folder: folder.to_owned(), times, is_planted }
    }

    /// Where [`crate::prepare`] has put the model, and where a case may write.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Works outside of the count first, so that caches are filled and lines are open; then inside of it. `work` is told
    /// how often, and must not depend on how often it has been called.
    pub(crate) fn count(&self, mut work: impl FnMut(u64)) {
        work(self.warm_up());
        sluice_counted_region(&mut work, self.times);
        if self.is_planted {
            sluice_counted_region(&mut work, self.planted());
        }
    }

    /// How often it works in all, at most: for cases that make their inputs beforehand.
    pub(crate) fn most(&self) -> u64 {
        self.warm_up() + self.times + self.planted()
    }

    fn warm_up(&self) -> u64 {
        (self.times / 4).clamp(2, WARM_UP)
    }

    fn planted(&self) -> u64 {
        self.times.div_ceil(10)
    }
}

/// What is counted, on the calling thread alone: callgrind finds the function by its name, so no other may be called alike.
/// It isn't generic, so that its name is never part of its callees' names.
#[inline(never)]
fn sluice_counted_region(work: &mut dyn FnMut(u64), times: u64) {
    work(black_box(times));
    // Whatever follows the call keeps it from becoming a jump, which callgrind would take for a return.
    black_box(());
}

const WARM_UP: u64 = 20;
