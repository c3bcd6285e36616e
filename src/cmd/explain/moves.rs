//! What moved a predicted score: subject and shape, up on the left and down on the right, then the words.

use super::story::Story;
use super::width::{fit, wrapped};
use sluice_router::{Attribution, Move, MoveKind};

/// The strongest moves of the chosen expert and of the reference, or of all.
pub(super) fn lines(story: &Story, all: bool) -> Vec<String> {
    let reference = story.route().map(|route| route.reference);
    let is_shown = |of: &&Attribution| all || of.expert == story.chosen() || Some(of.expert) == reference;
    story.attributions.iter().filter(is_shown).flat_map(|of| block(story, of)).collect()
}

fn block(story: &Story, of: &Attribution) -> Vec<String> {
    let sum = of.usual + of.cut + of.moves.iter().map(|m| m.by).sum::<f64>();
    let cut = if of.cut.abs() >= 0.0005 {
        format!(" ({:+.3} by the bounds 0 and 1)", of.cut)
    } else {
        String::new()
    };
    let mut lines = vec![
        String::new(),
        format!("what moved {} from its usual {:.3} to {sum:.3}{cut}", story.name(of.expert), of.usual),
    ];
    let (up, down) = strongest(of, |kind| !is_text(kind));
    for at in 0..up.len().max(down.len()) {
        let cell =
            |side: &[&Move]| side.get(at).map_or(String::new(), |m| format!("{:+.3} {}", m.by, what(m)));
        lines.push(
            format!("  {}  {}", fit(&cell(&up), COLUMN), fit(&cell(&down), COLUMN)).trim_end().to_owned(),
        );
    }
    let (more, less) = strongest(of, is_text);
    for (side, words) in [("up", &more), ("down", &less)] {
        let told: Vec<String> = words.iter().map(|m| format!("{} {:+.4}", what(m), m.by)).collect();
        if !told.is_empty() {
            lines.extend(wrapped(&format!("  words {side}: {}", told.join(", "))));
        }
    }
    let shown: f64 = [&up, &down, &more, &less].into_iter().flatten().map(|m| m.by).sum();
    let rest = of.moves.iter().map(|m| m.by).sum::<f64>() - shown;
    let others = of.moves.len() - up.len() - down.len() - more.len() - less.len();
    if others > 0 {
        lines.push(format!("  {rest:+.3} by {others} others"));
    }
    lines
}

fn is_text(kind: MoveKind) -> bool {
    matches!(kind, MoveKind::Word | MoveKind::Pair | MoveKind::Characters)
}

/// The strongest moves up, and those down, of some kinds.
fn strongest(of: &Attribution, wanted: fn(MoveKind) -> bool) -> (Vec<&Move>, Vec<&Move>) {
    let side = |sign: f64| {
        let moves = of.moves.iter().filter(|m| wanted(m.kind) && m.by * sign >= least(m.kind));
        moves.take(SHOWN).collect::<Vec<&Move>>()
    };
    (side(1.0), side(-1.0))
}

fn what(m: &Move) -> String {
    match m.kind {
        MoveKind::Word | MoveKind::Pair | MoveKind::Characters => format!("\"{}\"", m.what),
        MoveKind::Subject => format!("subject {}", m.what),
        MoveKind::Shape => m.what.trim_start_matches("ln ").to_owned(),
    }
}

/// Less would be shown as nothing.
fn least(kind: MoveKind) -> f64 {
    if is_text(kind) { 0.000_05 } else { 0.000_5 }
}

/// Moves shown on each side.
const SHOWN: usize = 5;
const COLUMN: usize = 47;
