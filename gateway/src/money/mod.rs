//! Hard budgets in the hot path: what may be spent is held before anything is sent, out of shares that this gateway
//! took from the budgets before; the machines behind it are pure and in the router (`escrow`).

mod account;
#[cfg(test)]
mod account_tests;
mod alert;
mod books;
mod closing;
#[cfg(test)]
mod closing_tests;
mod held;
mod keep;
mod listing;
mod purse;

pub(crate) use books::Books;
pub use books::HoldMode;
pub(crate) use held::Held;
pub(crate) use keep::keep;
pub use listing::{BudgetState, list_budgets};
pub(crate) use purse::{Empty, Purse};
