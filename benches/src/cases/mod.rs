//! What the instruction gate counts: one row a case. `docs/performance-gate.md` says what each stands for.

mod choice;
mod codec;
mod whole;

use crate::counted::Bench;
use crate::trained;
use sluice_router::Params;
use std::path::{Path, PathBuf};

/// One stretch of the hot path.
pub struct Case {
    /// Its name in tables and in commit messages.
    pub name: &'static str,
    /// How often it works in one count; the count is divided by it.
    pub times: u64,
    /// Sets up, then hands the work to `Bench::count`.
    pub run: fn(&Bench),
}

/// Every case, in the order of the table.
pub const CASES: &[Case] = &[
    Case { name: "classify-2k", times: 100, run: choice::classify_short },
    Case { name: "classify-220k", times: 40, run: choice::classify_long },
    Case { name: "decide-8x64", times: 400, run: choice::decide_wide },
    Case { name: "classify-decide-2k", times: 100, run: choice::classify_and_decide },
    Case { name: "lane-8x64", times: 100, run: choice::lane },
    Case { name: "edge-2k", times: 100, run: codec::edge_short },
    Case { name: "edge-220k", times: 60, run: codec::edge_long },
    Case { name: "engine-2k", times: 100, run: codec::engine_short },
    Case { name: "engine-220k", times: 40, run: codec::engine_long },
    Case { name: "sse-event", times: 2_000, run: codec::sse },
    Case { name: "stream-event", times: 500, run: whole::stream_event },
    Case { name: "journal-enqueue", times: 1_000, run: whole::enqueue },
    Case { name: "journal-write", times: 1_024, run: whole::write },
    Case { name: "request-2k", times: 100, run: whole::request_short },
    Case { name: "request-220k", times: 20, run: whole::request_long },
];

/// The case with this name.
pub fn case(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

/// Makes the model that the cases read, once and uncounted: training takes long under callgrind.
///
/// # Errors
/// The folder can't be written to.
pub fn prepare(folder: &Path) -> std::io::Result<()> {
    std::fs::write(model_file(folder), trained().to_bytes())
}

fn model(bench: &Bench) -> Params {
    let bytes = std::fs::read(model_file(bench.folder())).expect("the model was prepared");
    Params::from_bytes(&bytes).expect("it is what was written")
}

fn model_file(folder: &Path) -> PathBuf {
    folder.join("router.sluice")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_runs_as_often_as_it_is_told() {
        let folder = tempfile::TempDir::new().expect("a folder");
        prepare(folder.path()).expect("written");
        for case in CASES {
            for is_planted in [false, true] {
                (case.run)(&Bench::new(folder.path(), 3, is_planted));
            }
        }
    }

    #[test]
    fn no_two_cases_share_a_name() {
        for case in CASES {
            assert_eq!(CASES.iter().filter(|other| other.name == case.name).count(), 1, "{}", case.name);
        }
    }
}
