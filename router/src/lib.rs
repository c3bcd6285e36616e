//! The pure core: what a request needs, what each expert offers, and which plan is chosen.
//!
//! No I/O, no clock, no randomness of its own: everything is told, so that every decision can be derived again,
//! bit for bit.

mod ask;
mod balance;
mod calibration;
mod certify;
mod classify;
mod codec;
mod decide;
mod decision;
mod fleet;
mod health;
mod lexicon;
mod line;
mod mix;
mod objective;
mod panel;
mod params;
mod policy;
mod price;
mod prompt;
mod quote;
mod receipt;
mod retry;
mod signals;
mod stats;
mod time;
mod weights;

pub use ask::Ask;
pub use balance::{BALANCERS, Balancer, Pick, ReplicaLoad, Row as BalancerRow, balancer};
pub use calibration::{Calibration, MISSING_SCORE, UNKNOWN_DOMAIN, UNKNOWN_TOKENS};
pub use certify::{CertifyAsk, CertifyBy, Pairs, Refusal, certify_pairs};
pub use classify::{blend, classify, softmax};
pub use decide::{NoRoute, decide};
pub use decision::{ChosenBy, Decision, MAX_STEPS, Step, Trigger};
pub use fleet::{Expert, Fleet, Kind, OutOfDomain, Pool, PoolState, Privacy};
pub use health::{EJECT_AFTER, FIRST_EJECTION_MS, Health, LONGEST_EJECTION_MS};
pub use lexicon::Lexicon;
pub use line::{Entered, Line, LineCounts, LineRules, Turn, Verdict};
pub use objective::{Certificate, Route, WhenNone};
pub use panel::{PanelParts, PanelView, posterior, standardise};
pub use params::{Binding, Params, ParamsError, ParamsParts, prompt_hash};
pub use policy::certified_choice;
pub use price::{NanoUsd, Price, PriceError, Tokens};
pub use prompt::{
    Counts, FEATURES_VERSION, Gram, HASH_ROWS, SHAPE, SHAPE_NAMES, TABLES, count, estimate_tokens, route_text,
};
pub use quote::{Quote, Reason, expected_cost, expected_output};
pub use receipt::{Receipt, ReplayError, Snapshot, Versions};
pub use retry::{MAX_ATTEMPTS, RetryBudget};
pub use signals::{ExpertSignal, Needs, Share, Signals};
pub use stats::{Moments, normal_quantile};
pub use time::Tick;
pub use weights::Weights;
