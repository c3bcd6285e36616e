//! The pure core: what a request needs, what each expert offers, and which plan is chosen.
//!
//! No I/O, no clock, no randomness of its own: everything is told, so that every decision can be derived again,
//! bit for bit.

mod ask;
mod attribution;
mod balance;
mod batch;
mod calibration;
mod certificate;
mod certify;
mod classify;
mod codec;
mod decide;
mod decision;
mod escrow;
mod fleet;
mod flips;
mod health;
mod lexicon;
mod line;
mod mix;
mod objective;
mod occupancy;
mod offer;
mod panel;
mod params;
mod policy;
mod prefix;
mod price;
mod prompt;
mod quota;
mod quote;
mod receipt;
mod retry;
mod scope;
mod signals;
mod speed;
mod split;
mod stats;
mod time;
mod walk;
mod weights;

pub use ask::Ask;
pub use attribution::{Attribution, Move, MoveKind, Placed};
pub use balance::{BALANCERS, Balancer, Pick, ReplicaLoad, Row as BalancerRow, balancer};
pub use batch::{Batch, BatchRules, Batcher, Blame, Called, Ended, Item, Joined, Row, halves};
pub use calibration::{Calibration, MISSING_SCORE, UNKNOWN_DOMAIN, UNKNOWN_TOKENS};
pub use certificate::{Certificate, ExpertRegret};
pub use certify::{ByDomain, Cell, CertifyAsk, CertifyBy, Pairs, Refusal, certify_pairs, certify_pairs_by};
pub use classify::{Gate, blend, classify, domain_shares, languages, softmax};
pub use decide::{NoRoute, decide};
pub use decision::{ChosenBy, Decision, MAX_STEPS, Step, Trigger};
pub use escrow::{
    Closing, Hold, Holder, Mark, Outstanding, Period, Settlement, Share as EscrowShare, ShareReport,
    ShareRules, Short, Span, Unlawful, Vault, VaultAnswer, WINDOW as MARK_WINDOW,
};
pub use fleet::{Expert, Fleet, Kind, OutOfDomain, Pool, PoolState, Privacy, RATES_OVER_MS, ReplicaState};
pub use flips::{Flip, Flips};
pub use health::{
    CALM_MS, CONFIRM_AFTER, Condition, Cooldown, DEFAULT_COOLDOWN_MS, EJECT_AFTER, FIRST_EJECTION_MS,
    HOPELESS_AFTER, Health, LONGEST_COOLDOWN_MS, LONGEST_EJECTION_MS, SLOW_START_MS, Why,
};
pub use lexicon::Lexicon;
pub use line::{
    Change, Entered, Entrant, LimitRule, Line, LineCounts, LineRules, ReplicaReport, Report, Seat, Turn,
    Verdict, Work,
};
pub use objective::{DomainPromise, Objective, Route, Slo, WhenNone};
pub use occupancy::{Occupancy, PoolMinute};
pub use panel::{PanelParts, PanelView, posterior, standardise};
pub use params::{Binding, Params, ParamsError, ParamsParts, prompt_hash};
pub use policy::certified_choice;
pub use prefix::{BLOCK_TOKENS, ChainHash, Prefix, PrefixCache};
pub use price::{FREE_LOAD, Listed, NanoUsd, OwnGpus, Price, PriceError, Rate, Tokens, shadow_share};
pub use prompt::{
    Counts, FEATURES_VERSION, Gram, HASH_ROWS, SHAPE, SHAPE_NAMES, TABLES, count, estimate_tokens,
    estimate_twentieths, route_text,
};
pub use quota::{Bucket, Granted, SHARE_MS, Slots, Wish, share as quota_share};
pub use quote::{Quote, Reason, expected_cost, expected_output};
pub use receipt::{Receipt, ReplayError, Snapshot, Versions};
pub use retry::{HedgeBudget, MAX_ATTEMPTS, RetryBudget};
pub use scope::{MOST_REFUSED, Scope, lock_threshold};
pub use signals::{ExpertSignal, Needs, Share, Signals};
pub use speed::{Declared, Observation, Pace, Speed, SpeedLearner, Spread, Steps};
pub use split::split;
pub use stats::{Moments, clopper_pearson, hoeffding_bentkus_p, hoeffding_bentkus_upper, normal_quantile};
pub use time::Tick;
pub use walk::{Bounds, Failure, Help, Lines, Next, Try, Walk, hedge_after_ms};
pub use weights::Weights;
