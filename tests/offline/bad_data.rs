//! Mislabelled data: what can't be meant is an error with its line, what may be meant is a warning, and rows add up.

use super::{World, lines, row, sluice, text};
use serde_json::Value;

fn run(world: &World, command: &str, file: &str) -> (Option<i32>, String, Vec<Value>) {
    let (data, prices, model) = (world.path(file), world.path("prices.toml"), world.path("m.sluice"));
    let out = world.path("out.sluice");
    let (data, prices) = (["--data", text(&data), "--json"], ["--prices", text(&prices)]);
    let own: &[&str] = match command {
        "train" => &["--out", text(&out)],
        "eval" => &["--model", text(&model)],
        _ => &[],
    };
    let output = sluice(&[&[command], &data[..], &prices, own].concat(), b"");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = if output.status.success() { lines(&output) } else { vec![] };
    (output.status.code(), message, printed)
}

#[test]
fn what_can_not_be_meant_is_refused_with_its_line() {
    let world = World::new("refused");
    assert!(world.train().status.success());
    let bad = [
        (
            "score above 1",
            row(1).replace("1.0", "1.01"),
            "bad.jsonl:3: the score 1.01 of big is outside 0 to 1",
        ),
        (
            "score below 0",
            row(1).replace("1.0", "-0.1"),
            "bad.jsonl:3: the score -0.1 of big is outside 0 to 1",
        ),
        (
            "score in percent",
            row(1).replace("1.0", "87"),
            "bad.jsonl:3: the score 87 of big is outside 0 to 1",
        ),
        ("score as text", row(1).replace("1.0", "\"yes\""), "bad.jsonl:3: column"),
        ("no score", row(1).replace("\"score\":1.0,", ""), "missing field `score`"),
        ("twice", row(1).replace("\"small\"", "\"big\""), "bad.jsonl:3: big has two outcomes"),
        ("nameless", row(1).replace("\"small\"", "\"\""), "bad.jsonl:3: an expert has no name"),
        ("cut off", row(1)[..40].to_owned(), "bad.jsonl:3: column"),
    ];
    for command in ["train", "eval", "tune"] {
        for (what, line, expected) in &bad {
            world.write("bad.jsonl", &format!("{}\n\n{line}\n", row(0)));
            let (code, message, _) = run(&world, command, "bad.jsonl");
            assert_eq!(code, Some(2), "{command}, {what}: {message}");
            assert!(message.contains(expected) && message.contains(';'), "{command}, {what}: {message}");
        }
        world.write("empty.jsonl", "\n\n");
        let (code, message, _) = run(&world, command, "empty.jsonl");
        assert!(code == Some(2) && message.contains("empty.jsonl: the file has no rows"), "{message}");
    }
}

/// 300 good rows, then a repeated id, an empty prompt, no outcomes, an expert without a price, and one row of its own.
fn odd(world: &World) {
    let mut rows: Vec<String> = (0..300).map(row).collect();
    rows.push(row(7));
    rows.push(r#"{"id":"e","prompt":" ","outcomes":[{"expert":"big","score":1}]}"#.to_owned());
    rows.push(r#"{"id":"n","prompt":"x","outcomes":[]}"#.to_owned());
    rows.push(r#"{"id":"u","prompt":"Which?","outcomes":[{"expert":"who","score":0.5}]}"#.to_owned());
    world.write("odd.jsonl", &rows.join("\n"));
}

#[test]
fn what_is_left_out_is_said_and_every_row_is_counted() {
    let world = World::new("odd");
    assert!(world.train().status.success());
    odd(&world);
    let sum = |skipped: &Value| -> u64 {
        skipped.as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum()
    };
    for command in ["train", "eval", "tune"] {
        let (code, message, printed) = run(&world, command, "odd.jsonl");
        assert_eq!(code, Some(0), "{command}: {message}");
        for expected in [
            "1 rows were left out: duplicate_id, the first at",
            "odd.jsonl:301",
            "1 rows were left out: empty_prompt, the first at",
            "1 rows were left out: no_outcomes, the first at",
            "all 300 grades of big are 1: nothing tells",
        ] {
            assert!(message.contains(expected), "{command}: {expected} is not in {message}");
        }
        let report = &printed[0];
        let used = match command {
            "tune" => &report["rows"]["used"],
            _ => &report["rows"],
        };
        assert_eq!((used.as_u64(), sum(&report["skipped"])), (Some(300), 4), "{command}: {report}");
    }
    let (_, message, printed) = run(&world, "eval", "odd.jsonl");
    assert_eq!(
        (printed[0]["read"].as_u64(), &printed[0]["left_out"]["who"]),
        (Some(304), &Value::from("not_in_model"))
    );
    assert!(message.contains("expert who was left out: not_in_model"), "{message}");
}

#[test]
fn an_expert_without_a_price_is_named_and_left_out() {
    let world = World::new("unpriced");
    assert!(world.train().status.success());
    world.write("prices.toml", "[expert.big]\ninput_per_mtok = \"10\"\noutput_per_mtok = \"10\"\n");
    for command in ["train", "eval", "tune"] {
        let (code, message, _) = run(&world, command, "graded.jsonl");
        assert_eq!(code, Some(0), "{command}: {message}");
        assert!(message.contains("small") && message.contains("price"), "{command}: {message}");
    }
}

#[test]
fn one_class_only_trains_without_a_number_going_wrong() {
    let world = World::new("class");
    let rows: Vec<String> = (0..300).map(|at| row(at).replace("\"score\":0", "\"score\":1.0")).collect();
    world.write("same.jsonl", &rows.join("\n"));
    for command in ["train", "tune"] {
        let (code, message, printed) = run(&world, command, "same.jsonl");
        assert_eq!(code, Some(0), "{command}: {message}");
        assert!(message.contains("all 300 grades of small are 1"), "{command}: {message}");
        assert!(!printed[0].to_string().contains("null,null"), "{command}: {}", printed[0]);
    }
}
