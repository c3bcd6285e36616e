//! `tune` from outside: its report, its page, and a route section that a configuration takes.

use super::{World, lines, sluice, text};
use serde_json::Value;

fn tune(world: &World, more: &[&str]) -> Value {
    let output = sluice(&[&["tune", "--json"], more].concat(), b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(world.path("graded.jsonl").exists());
    lines(&output).remove(0)
}

#[test]
fn a_tuning_recommends_a_floor_that_a_configuration_takes() {
    let world = World::new("tune");
    assert!(world.train().status.success());
    let (data, page) = (world.path("graded.jsonl"), world.path("tune.html"));
    let report = tune(&world, &["--data", text(&data), "--report", text(&page)]);
    assert_eq!((report["rows"]["used"].as_u64(), &report["reference"]), (Some(300), &Value::from("big")));
    let points = report["points"].as_array().expect("points");
    let recommended = &report["recommended"];
    assert!(points.contains(recommended) && recommended["certified"] == true);
    assert!(recommended["saved_pct"].as_f64().expect("a share") > 30.0, "half can go to the cheap one");
    for point in points {
        let (band, ratio) =
            (&point["band"]["quality_ratio"], point["quality_ratio"].as_f64().expect("a ratio"));
        assert!(
            band[0].as_f64().expect("low") <= ratio && ratio <= band[1].as_f64().expect("high"),
            "{point}"
        );
    }
    assert_eq!(
        (&report["best_single"]["expert"], report["oracle"]["quality_ratio"].as_f64()),
        (&Value::from("big"), Some(1.0))
    );
    let shares = report["traffic"].as_object().expect("shares").values().filter_map(Value::as_f64);
    assert!((shares.sum::<f64>() - 1.0).abs() < 1e-9);

    let page = std::fs::read_to_string(page).expect("written");
    for outside in ["<script", "http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "the page asks for {outside}");
    }
    check(&world, report["route_toml"].as_str().expect("text"));

    let model = world.path("m.sluice");
    let prices = world.path("prices.toml");
    let again = tune(&world, &["--model", text(&model), "--prices", text(&prices)]);
    assert_eq!(again["points"], report["points"], "the model was trained alike");
}

/// The section, in a configuration with its experts, passes `config check`.
fn check(world: &World, route: &str) {
    let expert = |name: &str, price: u32| {
        format!(
            "[[expert]]\nname = \"{name}\"\nprice = {{ input_per_mtok = \"{price}\", output_per_mtok = \"{price}\" }}\n\
             [[expert.pool]]\nname = \"{name}-a\"\nprotocol = \"sim\"\nprofile = \"8b-a100\"\n"
        )
    };
    let config =
        format!("[router]\nmodel = \"m.sluice\"\n{}{}{route}", expert("big", 10), expert("small", 1));
    world.write("sluice.toml", &config);
    let path = world.path("sluice.toml");
    let checked = sluice(&["config", "check", text(&path)], b"");
    assert!(checked.status.success(), "{}\n{config}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn names_from_data_stay_text_on_the_page_and_in_the_route() {
    let world = World::new("names");
    for file in ["graded.jsonl", "prices.toml"] {
        let content = std::fs::read_to_string(world.path(file)).expect("written");
        let evil = content.replace("\"small\"", "\"<script>alert('x')</script>\\\"]\"");
        world.write(file, &evil.replace("[expert.small]", "[expert.\"<script>alert('x')</script>\\\"]\"]"));
    }
    let (data, page, card) = (world.path("graded.jsonl"), world.path("t.html"), world.path("c.svg"));
    let report = tune(&world, &["--data", text(&data), "--report", text(&page)]);
    let page = std::fs::read_to_string(page).expect("written");
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)") && !page.contains("<script"));
    let route = report["route_toml"].as_str().expect("text");
    let parsed: toml::Table = toml::from_str(route).expect("TOML");
    assert_eq!(parsed["route"][0]["experts"].as_array().map(Vec::len), Some(2));
    assert!(world.train().status.success());
    let model = world.path("m.sluice");
    let drawn = ["eval", "--model", text(&model), "--data", text(&data), "--scorecard", text(&card)];
    assert!(sluice(&drawn, b"").status.success());
    assert!(!std::fs::read_to_string(card).expect("written").contains("<script"));
}

#[test]
fn wrong_arguments_say_how_to_mend_them() {
    let world = World::new("tune-wrong");
    assert!(world.train().status.success());
    let path = |name: &str| text(&world.path(name)).to_owned();
    let (data, model, prices) = (path("graded.jsonl"), path("m.sluice"), path("prices.toml"));
    world.write("other.toml", "[expert.other]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"1\"\n");
    let other = path("other.toml");
    for (arguments, expected) in [
        (vec!["--model", &model], "--prices"),
        (vec!["--prices", &prices], "--data"),
        (vec!["--data", &data, "--reference", "who"], "the reference who is not among the experts"),
        (vec!["--data", &data, "--experts", "who"], "no price for who"),
        (vec!["--model", &model, "--prices", &other], "none of the model's experts has a price"),
        (vec!["--data", &data, "--prices", &other], "none of the model's experts has a price"),
        (vec!["--data", &data, "--report", "/nowhere/x.html"], "/nowhere/x.html: the file can't be written"),
    ] {
        let output = sluice(&[&["tune"], &arguments[..]].concat(), b"");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
