//! The decision as JSON: the receipt with what explains it beside it. The keys are in `docs/reference/router.md`.

use super::story::Story;
use serde_json::{Map, Value, json};
use sluice_router::{Flip, MoveKind};

/// The receipt's keys, then those that explain it.
pub(super) fn object(story: &Story) -> Result<Value, serde_json::Error> {
    let Value::Object(mut object) = serde_json::to_value(story.receipt)? else { return Ok(Value::Null) };
    object.insert("expert".to_owned(), json!(story.name(story.chosen())));
    if let Some(route) = story.route() {
        object.insert("reference".to_owned(), json!(story.name(route.reference)));
        object.insert(
            "certificate".to_owned(),
            serde_json::to_value(route.promise(&story.receipt.needs, &story.receipt.signals).1)?,
        );
    }
    let placed = story.placed.iter().map(|place| {
        let subjects = place.subjects.iter().map(|(name, p)| json!({ "subject": name, "p": p }));
        json!({ "panel": place.panel, "p": place.p, "experts": place.experts.len(), "rows": place.rows,
                "subjects": subjects.collect::<Vec<_>>() })
    });
    object.insert("placed".to_owned(), placed.collect());
    object.insert("moves".to_owned(), moves(story));
    object.insert("flips".to_owned(), flips(story));
    Ok(Value::Object(object))
}

fn moves(story: &Story) -> Value {
    let of = |attribution: &sluice_router::Attribution| {
        let moves = attribution.moves.iter().take(MOST_MOVES);
        let moves: Vec<Value> =
            moves.map(|m| json!({ "kind": kind(m.kind), "what": m.what, "by": m.by })).collect();
        json!({ "expert": story.name(attribution.expert), "usual": attribution.usual, "cut": attribution.cut,
                "moves": moves })
    };
    story.attributions.iter().map(of).collect()
}

fn kind(kind: MoveKind) -> &'static str {
    match kind {
        MoveKind::Word => "word",
        MoveKind::Pair => "pair",
        MoveKind::Characters => "characters",
        MoveKind::Subject => "subject",
        MoveKind::Shape => "shape",
    }
}

fn flips(story: &Story) -> Value {
    let Some(flips) = story.flips else { return Value::Null };
    let flip = |flip: Flip| {
        let name = story.name(flip.expert);
        json!({ "floor": flip.floor, "expert": name, "certified": flip.certified })
    };
    let mut object = Map::new();
    object.insert("below".to_owned(), flips.below.map(flip).into());
    object.insert("above".to_owned(), flips.above.map(flip).into());
    object.insert("from".to_owned(), json!(flips.from));
    Value::Object(object)
}

/// A long prompt has thousands, most of them nothing.
const MOST_MOVES: usize = 100;
