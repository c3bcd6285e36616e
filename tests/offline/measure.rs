//! `eval`'s scorecards and its report on other wordings.

use super::{World, lines, sluice, text};
use serde_json::Value;

fn eval(world: &World, more: &[&str]) -> Value {
    let (model, data) = (world.path("m.sluice"), world.path("graded.jsonl"));
    let fixed = ["eval", "--model", text(&model), "--data", text(&data), "--json"];
    let output = sluice(&[&fixed, more].concat(), b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lines(&output).remove(0)
}

#[test]
fn scorecards_add_up_and_come_in_three_forms() {
    let world = World::new("scorecards");
    assert!(world.train().status.success());
    let (markdown, svg, json) = (world.path("card.md"), world.path("card.svg"), world.path("card.json"));
    let files = ["--scorecard", text(&markdown), "--scorecard", text(&svg), "--scorecard", text(&json)];
    let report = eval(&world, &files);
    let slices = report["scorecards"]["slices"].as_array().expect("slices");
    let rows = |slice: &&Value| slice["n"].as_u64().expect("rows");
    let sum = |domain: &str, is_level: fn(&str) -> bool| -> u64 {
        let of = |slice: &&Value| {
            slice["domain"] == domain && is_level(slice["difficulty"].as_str().expect("a difficulty"))
        };
        slices.iter().filter(of).map(|slice| rows(&slice)).sum()
    };
    assert_eq!((sum("all", |level| level == "all"), sum("all", |level| level != "all")), (300, 300));
    assert_eq!((sum("law", |level| level == "all"), sum("law", |level| level != "all")), (150, 150));

    let law = slices.iter().find(|slice| slice["domain"] == "law").expect("a slice");
    let (first, second) = (&law["experts"][0], &law["experts"][1]);
    assert_eq!((&first["expert"], &second["expert"]), (&Value::from("big"), &Value::from("small")));
    assert_eq!((first["quality"].as_f64(), first["high"].as_f64()), (Some(1.0), Some(1.0)));
    assert!(first["low"].as_f64().expect("a bound") > 0.97, "150 of 150 right");
    assert_eq!((&second["worst_rank"], &second["cost_per_right_usd"]), (&Value::from(2), &Value::Null));
    assert!(report["experts"]["small"]["domains"]["law"]["ece_by_chance"].is_number());

    let read = |path| std::fs::read_to_string(path).expect("written");
    assert!(
        read(&markdown).contains("## law, unlabelled") && read(&markdown).contains("| 1 | big | 1.000 |")
    );
    let written: Value = serde_json::from_str(&read(&json)).expect("JSON");
    assert_eq!(written, report["scorecards"]);
    let drawn = read(&svg);
    assert!(drawn.starts_with("<svg xmlns") && drawn.trim_end().ends_with("</svg>"));
    assert_eq!(drawn.matches("<title>").count(), 2 * slices.len(), "a cell for each slice and expert");
    let refused = sluice(&["eval", "--model", "m", "--data", "d", "--scorecard", "card.png"], b"");
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn other_wordings_are_counted_where_they_apply() {
    let world = World::new("perturb");
    assert!(world.train().status.success());
    assert!(eval(&world, &[]).get("perturb").is_none());
    let report = eval(&world, &["--perturb", "--floors", "0.8,0.95"]);
    let perturb = &report["perturb"];
    assert_eq!((perturb["floor"].as_f64(), &perturb["dearest"]), (Some(0.95), &Value::from("big")));
    let kinds = perturb["kinds"].as_array().expect("kinds");
    let kind = |name: &str| kinds.iter().find(|kind| kind["kind"] == name).expect("a kind");
    assert_eq!(
        (kind("upper_case")["rows"].as_u64(), kind("options_shuffled")["rows"].as_u64()),
        (Some(300), Some(0))
    );
    assert_eq!(
        kind("system_other_language")["flipped_pct"].as_f64(),
        Some(0.0),
        "only the user's turn is read"
    );
    for force in perturb["forcing"].as_array().expect("suffixes") {
        assert_eq!(force["rows"].as_u64(), Some(300));
        assert!((0.0..=100.0).contains(&force["to_dearest_pct"].as_f64().expect("a share")));
    }
}
