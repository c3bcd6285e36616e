//! What a seed draws: how many gateways, how they hold, what they have to spend, what goes wrong.

use crate::draws::Draws;
use sluice_router::Period;

#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) gateways: usize,
    /// `hold = "request"`: each hold is synced itself. Else a mark runs ahead.
    pub(crate) holds_are_synced: bool,
    pub(crate) transport: Transport,
    pub(crate) period: Period,
    /// Wall time at the story's begin, in milliseconds since 1970.
    pub(crate) begin_ms: i64,
    pub(crate) budget: i64,
    pub(crate) largest_hold: i64,
    /// Between two requests at one gateway.
    pub(crate) gap_ms: i64,
    pub(crate) faults: Faults,
    pub(crate) flaw: Flaw,
}

/// How the vault is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Each gateway reads it, changes it and swaps it if nobody else did.
    Swap,
    /// The place that keeps it takes reports itself: they come late, twice and in any order.
    Call,
}

/// What goes wrong, and how often, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) lost: i64,
    pub(crate) twice: i64,
    pub(crate) late: i64,
    /// Milliseconds between two crashes of a gateway, about; 0 for never.
    pub(crate) crash_ms: i64,
    /// Of crashes, those after which a gateway never comes back.
    pub(crate) gone: i64,
    /// Clocks jump by up to an hour.
    pub(crate) jumps: bool,
    /// A gateway is cut off from the vault for seconds.
    pub(crate) partitions: bool,
    /// The budget's amount is changed.
    pub(crate) funding: bool,
}

/// A mistake put in on purpose: the checks must find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// An attempt for which there isn't enough is sent all the same, and settled.
    SettledWithoutHold,
    /// What is given back is given back once more.
    ReturnedTwice,
    /// The vault doesn't know which starts are over.
    NoFence,
    /// A mark counts from when it is handed to the journal.
    MarkBeforeDurable,
    /// A share that has expired is free again.
    ExpiryByClock,
    /// A grant counts before the vault is kept.
    AnswerBeforeSwap,
    /// After a crash, what was under way counts as not spent.
    HoldsForgotten,
    /// A start that is over is closed as if nothing of its share had been spent by then but what it reported.
    JournalIgnored,
}

impl Flaw {
    pub(crate) const ALL: [Flaw; 8] = [
        Flaw::SettledWithoutHold,
        Flaw::ReturnedTwice,
        Flaw::NoFence,
        Flaw::MarkBeforeDurable,
        Flaw::ExpiryByClock,
        Flaw::AnswerBeforeSwap,
        Flaw::HoldsForgotten,
        Flaw::JournalIgnored,
    ];
}

impl Story {
    pub(crate) fn new(draws: &mut Draws, flaw: Flaw) -> Story {
        let largest_hold = draws.one_of(&[1, 10, 1_000, 5_000_000]);
        let holds = draws.one_of(&[5, 30, 100, 300]);
        Story {
            gateways: draws.between(2, 5) as usize,
            holds_are_synced: draws.percent(50),
            transport: draws.one_of(&[Transport::Swap, Transport::Call]),
            period: draws.one_of(&[Period::Day, Period::Day, Period::Month, Period::Ever]),
            // The last seconds of a year, or noon.
            begin_ms: draws.one_of(&[MIDNIGHT_MS - 4_000, NOON_MS]),
            budget: largest_hold * holds + draws.below(largest_hold),
            largest_hold,
            gap_ms: draws.one_of(&[25, 60, 150]),
            faults: faults(draws),
            flaw,
        }
    }

    /// The same with nothing that goes wrong, and far more requests than the budget covers.
    pub(crate) fn calm(draws: &mut Draws) -> Story {
        let story = Story::new(draws, Flaw::None);
        let budget = story.largest_hold * draws.between(20, 400) + draws.below(story.largest_hold);
        Story { faults: Faults::default(), begin_ms: NOON_MS, gap_ms: 25, budget, ..story }
    }

    /// Nothing goes wrong, and requests are so few that hardly two wait at once.
    pub(crate) fn quiet(draws: &mut Draws) -> Story {
        let story = Story::calm(draws);
        let budget = story.largest_hold * draws.between(3, 20) + draws.below(story.largest_hold);
        Story { gap_ms: 600, budget, ..story }
    }
}

fn faults(draws: &mut Draws) -> Faults {
    let hard = draws.one_of(&[0, 1, 3]);
    Faults {
        lost: 4 * hard,
        twice: 4 * hard,
        late: 2 * hard,
        crash_ms: draws.one_of(&[0, 1_500, 4_000]),
        gone: draws.one_of(&[0, 0, 10]),
        jumps: draws.percent(40),
        partitions: draws.percent(30),
        funding: draws.percent(30),
    }
}

/// 2024-01-01T00:00:00Z.
const MIDNIGHT_MS: i64 = 1_704_067_200_000;
/// Half a day before.
const NOON_MS: i64 = MIDNIGHT_MS - 43_200_000;
/// For so long things go wrong and requests come; then all is calm.
pub(crate) const WILD_MS: i64 = 8_000;
/// By then everything has ended.
pub(crate) const END_MS: i64 = 16_000;
/// How long a request waits for money.
pub(crate) const PATIENCE_MS: i64 = 1_500;
/// How long a share lives unheard of.
pub(crate) const LIFE_MS: i64 = 2_000;
