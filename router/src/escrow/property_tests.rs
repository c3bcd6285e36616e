//! What no sequence of operations may break, whoever reports what in which order.

use super::*;
use crate::NanoUsd;
use crate::mix::mix;

struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0);
        (self.0 >> 16) % bound
    }

    /// An amount that is small, large, or at an end of what 64 bits hold.
    fn amount(&mut self) -> NanoUsd {
        NanoUsd(match self.below(12) {
            0 => 0,
            1 => i64::MAX - self.below(3) as i64,
            2 => i64::MIN + self.below(3) as i64,
            3 => -(self.below(100) as i64),
            4 => self.below(1 << 40) as i64,
            _ => self.below(100) as i64,
        })
    }
}

fn holder(draws: &mut Draws) -> Holder {
    Holder { gateway: ["a", "b", "c"][draws.below(3) as usize].to_owned(), epoch: draws.below(4) }
}

/// A report of anybody, with whatever amounts: lawful or not.
fn any_report(draws: &mut Draws) -> ShareReport {
    ShareReport {
        holder: holder(draws),
        number: draws.below(40),
        spent: draws.amount(),
        returned: draws.amount(),
        need: draws.amount(),
        waiting: draws.amount(),
        is_busy: draws.below(2) == 0,
        life_ms: draws.amount().0,
    }
}

/// A vault is told anything at all, of which much is a lie: no account is ever wrong, and nothing is granted beyond
/// what is funded.
#[test]
fn a_vault_adds_up_whatever_it_is_told() {
    let (mut taken, mut refused) = (0, 0);
    for case in 0..2_000 {
        let mut draws = Draws(mix(case));
        let mut vault = Vault::new(draws.amount().max(NanoUsd::ZERO));
        for _ in 0..100 {
            let before = vault.clone();
            let told = match draws.below(8) {
                0 => {
                    vault.fund(draws.amount());
                    Ok(())
                }
                1 => vault.close(&holder(&mut draws), draws.amount(), draws.amount()).map(drop),
                _ => vault.report(&any_report(&mut draws), draws.amount().0).map(drop),
            };
            match told {
                Ok(()) => taken += 1,
                Err(_) => {
                    refused += 1;
                    assert_eq!(vault, before, "case {case}: what is refused changes nothing");
                }
            }
            assert!(vault.adds_up(), "case {case}: {vault:?}");
            assert_eq!(vault.funded(), vault.free() + vault.committed(), "case {case}");
            assert!(vault.committed() <= vault.funded().max(before.committed()), "case {case}: {vault:?}");
            assert!(vault.spent() + vault.unattributed() <= vault.committed(), "case {case}: {vault:?}");
        }
    }
    assert!(taken > 50_000 && refused > 10_000, "both must have been met: {taken}, {refused}");
}

/// A share with all that could come to it.
struct Keeper {
    share: Share,
    draws: Draws,
    holds: Vec<Hold>,
    /// On their way to the journal.
    marks: Vec<Mark>,
    reports: Vec<ShareReport>,
    answers: Vec<VaultAnswer>,
}

impl Keeper {
    fn new(case: u64) -> Keeper {
        let holder = Holder { gateway: "a".to_owned(), epoch: 1 };
        let rules = ShareRules { holds_are_synced: case.is_multiple_of(2), life_ms: 1_000 };
        let (holds, marks, reports, answers) = Default::default();
        Keeper { share: Share::new(holder, rules), draws: Draws(mix(case)), holds, marks, reports, answers }
    }

    fn turn(&mut self, vault: &mut Vault) {
        match self.draws.below(9) {
            0..=2 => {
                let amount = NanoUsd(self.draws.below(50) as i64);
                self.holds.extend(self.share.hold(amount));
                self.marks.extend(self.share.raise_due(amount));
            }
            3 | 4 if !self.holds.is_empty() => {
                let at = self.draws.below(self.holds.len() as u64) as usize;
                let (hold, cost) = (self.holds.swap_remove(at), NanoUsd(self.draws.below(60) as i64));
                let (amount, came_to) = (hold.amount(), self.share.settle(hold, cost));
                assert_eq!(came_to.paid + came_to.released, amount);
                assert_eq!(came_to.paid + came_to.overrun, cost);
                self.marks.extend(self.share.lower_due(false));
            }
            5 if !self.marks.is_empty() => {
                let at = self.draws.below(self.marks.len() as u64) as usize;
                self.marks.drain(..=at).next_back().into_iter().for_each(|mark| self.share.marked(mark));
            }
            6 => {
                let (waiting, is_over) = (NanoUsd(self.draws.below(90) as i64), self.draws.below(9) == 0);
                self.reports.push(self.share.report(waiting, is_over));
            }
            7 if !self.reports.is_empty() => {
                // Any of them, and it stays to come again.
                let at = self.draws.below(self.reports.len() as u64) as usize;
                let answer = vault.report(&self.reports[at], 0);
                self.answers.push(answer.expect("a lawful gateway's report is always taken"));
            }
            _ if !self.answers.is_empty() => {
                let at = self.draws.below(self.answers.len() as u64) as usize;
                self.share.answered(self.answers[at]);
            }
            _ => (),
        }
    }
}

/// Reports and answers come late, twice and in any order, or never: a lawful gateway's report is always taken, and the
/// share holds what it says.
#[test]
fn a_share_holds_its_invariant_and_the_vault_takes_every_report_in_any_order() {
    let mut spent = NanoUsd::ZERO;
    for case in 0..1_000 {
        let mut vault = Vault::new(NanoUsd(2_000));
        let mut keeper = Keeper::new(case);
        let other = Holder { gateway: "b".to_owned(), epoch: 1 };
        for number in 1..300 {
            keeper.turn(&mut vault);
            let share = &keeper.share;
            assert!(share.adds_up(), "case {case}: {share:?}");
            let held: NanoUsd = keeper.holds.iter().map(Hold::amount).sum();
            assert_eq!(share.held(), held, "case {case}");
            let told = vault.outstanding(0).iter().map(|out| out.amount).sum::<NanoUsd>() + vault.spent();
            assert!(
                held + share.spent() <= told,
                "case {case}: used beyond what has left the vault: {share:?}"
            );
            if number % 40 == 0 {
                // Somebody else is in want now and then, so that idle money comes back.
                let (zero, need) = (NanoUsd::ZERO, NanoUsd(1_500));
                let holder = other.clone();
                let want = ShareReport {
                    holder,
                    number,
                    spent: zero,
                    returned: zero,
                    need,
                    waiting: need,
                    is_busy: false,
                    life_ms: 9,
                };
                vault.report(&want, 0).expect("lawful");
            }
        }
        spent += keeper.share.spent();
    }
    assert!(spent > NanoUsd(100_000), "work was done: {spent:?}");
}
