//! What a try has used: by the engine's count where that can be meant, else by our own.

use super::Ending;
use crate::choose::Chosen;
use sluice_experts::{ErrorKind, Finish, Usage};
use sluice_router::{Step, Tokens};

/// What a try may have used at most, and what its prompt is thought to hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    prompt_estimate: u32,
    /// No engine can have read or written more than its context window holds.
    window: u32,
    most_output: u32,
}

impl Bounds {
    pub(super) fn of(chosen: Option<&Chosen>, step: Step) -> Bounds {
        let window = |chosen: &Chosen| {
            chosen.live.rules.snapshot.fleet.experts[step.expert]
                .context_tokens
                .max(chosen.needs.prompt_bytes)
        };
        Bounds {
            prompt_estimate: chosen.map_or(0, |chosen| chosen.needs.prompt_tokens),
            window: chosen.map_or(0, window),
            most_output: step.max_output_tokens,
        }
    }
}

/// What a try has used.
pub(super) struct Used {
    pub(super) tokens: Tokens,
    /// Whether anything of it is our own count.
    pub(super) estimated: bool,
    /// What is wrong with the engine's count; empty when nothing is.
    pub(super) doubt: String,
}

/// What the try used.
///
/// The engine's count holds where it gives one that is within what was asked for. Else: nothing, if the engine accepted
/// nothing; otherwise the prompt by estimate and the tokens relayed, because the engine has worked for them.
pub(super) fn used(ending: &Ending<'_>, bounds: Bounds, relayed: u32, begun: bool) -> Used {
    let output = relayed.min(bounds.most_output);
    let own = Tokens { prompt: bounds.prompt_estimate, output, ..Tokens::default() };
    let by_own_count = |tokens| Used { tokens, estimated: true, doubt: String::new() };
    match ending {
        // Some engines send zeros for what they don't count.
        Ending::Complete(Finish { usage: Some(usage), .. }) if usage.prompt > 0 || usage.output > 0 => {
            counted(*usage, bounds, own)
        }
        Ending::Failed(error) | Ending::Unseen(error) if !begun && accepted_nothing(error.kind) => {
            Used { estimated: false, ..by_own_count(Tokens::default()) }
        }
        Ending::Complete(_)
        | Ending::Failed(_)
        | Ending::Unseen(_)
        | Ending::Cut
        | Ending::HedgeLost
        | Ending::Overran => by_own_count(own),
    }
}

/// The engine's count where it can be meant: nothing beyond its context window. More output than was allowed can be; it
/// is what the engine will charge, and beyond what was held it is not the tenant's to pay.
fn counted(usage: Usage, bounds: Bounds, own: Tokens) -> Used {
    let (prompt_fits, output_fits) = (usage.prompt <= bounds.window, usage.output <= bounds.window);
    let prompt = if prompt_fits { usage.prompt } else { own.prompt };
    let output = if output_fits { usage.output } else { bounds.most_output };
    let cached = usage.cached.min(prompt);
    let tokens = Tokens { prompt, cached, cache_write: usage.cache_write.min(prompt - cached), output };
    let is_doubtful = !prompt_fits || usage.output > bounds.most_output;
    let doubt = format!(
        "the engine counted {} prompt and {} output tokens, of at most {} and {}",
        usage.prompt, usage.output, bounds.window, bounds.most_output
    );
    let estimated = !prompt_fits || !output_fits;
    Used { tokens, estimated, doubt: if is_doubtful { doubt } else { String::new() } }
}

/// Whether an engine that failed so, before its first event, has done no work that it could bill.
fn accepted_nothing(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Unreachable
        | ErrorKind::Busy { .. }
        | ErrorKind::Rejected { .. }
        | ErrorKind::ContextTooLong
        | ErrorKind::Unauthorised
        | ErrorKind::Failed
        | ErrorKind::Late { .. } => true,
        ErrorKind::FirstTokenTimeout
        | ErrorKind::IdleTimeout
        | ErrorKind::Truncated
        | ErrorKind::Protocol
        | ErrorKind::Deadline => false,
    }
}
