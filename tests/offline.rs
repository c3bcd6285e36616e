//! `train`, `eval` and `route` from outside: what they print, and what they do with bad input.

#[path = "offline/bad_data.rs"]
mod bad_data;
#[path = "offline/measure.rs"]
mod measure;
#[path = "offline/tune.rs"]
mod tune;

use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of its own with 300 graded rows, prices and a trained model.
struct World(PathBuf);

impl World {
    fn new(name: &str) -> World {
        let folder = std::env::temp_dir().join(format!("sluice-offline-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        let world = World(folder);
        let rows: Vec<String> = (0..300).map(row).collect();
        world.write("graded.jsonl", &rows.join("\n"));
        let price =
            |name, usd| format!("[expert.{name}]\ninput_per_mtok = \"{usd}\"\noutput_per_mtok = \"{usd}\"\n");
        world.write("prices.toml", &format!("{}{}", price("big", 10), price("small", 1)));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("writable");
    }

    fn train(&self) -> Output {
        let (data, out) = (self.path("graded.jsonl"), self.path("m.sluice"));
        sluice(&["train", "--data", text(&data), "--out", text(&out), "--json"], b"")
    }

    fn route(&self, input: &[u8], more: &[&str]) -> Output {
        let (model, prices) = (self.path("m.sluice"), self.path("prices.toml"));
        sluice(&[&["route", "--model", text(&model), "--prices", text(&prices)], more].concat(), input)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The small expert is right on the even ones, which ask for a sum; the big one always.
fn row(at: usize) -> String {
    let (domain, prompt) =
        if at.is_multiple_of(2) { ("maths", "What is the sum") } else { ("law", "Explain the statute") };
    let small = f64::from(u8::from(at.is_multiple_of(2)));
    format!(
        r#"{{"id":"{at}","domain":"{domain}","prompt":"{prompt} number {at}, part {}?","outcomes":[{{"expert":"big","score":1.0,"output_tokens":90}},{{"expert":"small","score":{small},"output_tokens":90}}]}}"#,
        at * 7 % 13
    )
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

fn sluice(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // A command that refuses its arguments may end before it reads.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("the binary ends")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[test]
fn a_model_is_trained_measured_and_routed_by() {
    let world = World::new("main");
    let trained = world.train();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let report = &lines(&trained)[0];
    assert_eq!((report["rows"].as_u64(), report["experts"]["small"]["n"].as_u64()), (Some(300), Some(300)));

    let prompts = b"{\"id\":7,\"prompt\":\"What is the sum number 999, part 3?\"}\n\
        {\"id\":\"b\",\"messages\":[{\"role\":\"system\",\"content\":\"\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Explain the statute number 998, part 3?\"}]}]}\n";
    let routed = world.route(prompts, &["--floor", "0.95"]);
    assert!(routed.status.success(), "{}", String::from_utf8_lossy(&routed.stderr));
    let answers = lines(&routed);
    let expert = |at: usize| answers[at]["expert"].as_str().expect("an expert");
    assert_eq!((expert(0), expert(1)), ("small", "big"));
    assert_eq!((&answers[0]["id"], &answers[1]["id"]), (&Value::from(7), &Value::from("b")));
    assert_eq!((&answers[0]["domain"], &answers[1]["domain"]), (&Value::from("maths"), &Value::from("law")));
    assert_eq!(answers[0]["quotes"].as_array().map(Vec::len), Some(2));

    let (model, data) = (world.path("m.sluice"), world.path("graded.jsonl"));
    let measured = sluice(&["eval", "--model", text(&model), "--data", text(&data), "--json"], b"");
    let report = &lines(&measured)[0];
    assert_eq!(
        (report["seen_rows"].as_u64(), report["best_single"]["expert"].as_str()),
        (Some(300), Some("big"))
    );
    assert_eq!(report["floors"].as_array().map(Vec::len), Some(3));
    assert!(report["pair"]["apgr"].as_f64().expect("a number") > 0.7);
}

/// A configuration with both experts and the model, and these floors of domains.
fn configuration(domain_floor: &str) -> String {
    let expert = |name: &str, usd: &str| {
        format!(
            "[[expert]]\nname = \"{name}\"\nprice = {{ input_per_mtok = \"{usd}\", output_per_mtok = \"{usd}\" }}\n\
             [[expert.pool]]\nname = \"{name}-a\"\nendpoints = [\"http://127.0.0.1:9\"]\n"
        )
    };
    let route = "[[route]]\nname = \"auto\"\nreference = \"big\"\nquality_floor = 0.9\n";
    let model = "[router]\nmodel = \"m.sluice\"\n";
    format!("{model}{}{}{route}domain_floor = {domain_floor}\n", expert("big", "10"), expert("small", "1"))
}

#[test]
fn config_check_says_what_each_route_and_each_domain_promises() {
    let world = World::new("floors");
    let (data, out) = (world.path("graded.jsonl"), world.path("m.sluice"));
    let trained = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["train", "--data", text(&data), "--out", text(&out)])
        .env("SOURCE_DATE_EPOCH", "1795564800")
        .output()
        .expect("the binary starts");
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let check = |domain_floor: &str| {
        world.write("sluice.toml", &configuration(domain_floor));
        sluice(&["config", "check", text(&world.path("sluice.toml"))], b"")
    };

    let checked = check("{ maths = 0.95, law = 0.99 }");
    let told = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{told}{}", String::from_utf8_lossy(&checked.stderr));
    let line =
        |begin: &str| told.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{told}"));
    // Every row is of one of the two domains, so none is left for the route's own certificate.
    assert!(
        line("route auto: ").contains("only 0 calibration rows")
            && line("route auto: ").contains("60 are missing")
    );
    let maths =
        line("route auto, domain maths: at least 0.95 of big's quality with confidence 0.95 (bets, 150 rows");
    assert!(maths.contains("of 2026-11-25, data ") && maths.contains("90 % saved"), "{maths}");
    assert!(told.contains("\n  small gets 150 rows, mean regret 0.0000\n"), "{told}");
    let law = line("route auto, domain law: everything goes to big: floor 0.99 can't be proven");
    assert!(law.contains("more graded rows would do"), "{law}");

    let unknown = check("{ poems = 0.95 }");
    let told = String::from_utf8_lossy(&unknown.stderr);
    assert_eq!(unknown.status.code(), Some(2), "{told}");
    assert!(told.contains("sluice.toml:19:26: ") && told.contains("route[0].domain_floor.poems"), "{told}");
    assert!(told.contains("it knows law, maths"), "{told}");
}

#[test]
fn bad_lines_are_answered_in_their_place() {
    let world = World::new("lines");
    assert!(world.train().status.success());
    let nested = format!("{{\"id\":{}{},\"prompt\":\"x\"}}", "[".repeat(10_000), "]".repeat(10_000));
    let long = format!("{{\"prompt\":\"{}\"}}", "x".repeat(9 << 20));
    let good = r#"{"id":"\u6cd5","prompt":"法律 🙂 \u0000"}"#;
    let input =
        [good, "", "{oops", r#"{"id":1}"#, r#"{"prompt":7}"#, &nested, &long, r#"{"messages":[]}"#, good]
            .join("\n");
    let routed = world.route(&[input.as_bytes(), b"\n\xFF\xFE\n"].concat(), &[]);
    assert_eq!(routed.status.code(), Some(1));
    let answers = lines(&routed);
    let wrong: Vec<u64> = answers.iter().filter_map(|answer| answer["line"].as_u64()).collect();
    assert_eq!(wrong, [3, 4, 5, 6, 7, 8, 10]);
    assert_eq!((answers.len(), &answers[0]["id"]), (9, &Value::from("法")));
    assert!(answers.iter().all(|answer| answer["line"].is_null() || answer["error"].is_string()));
}

#[test]
fn bad_files_and_arguments_end_with_2_and_say_where() {
    let world = World::new("files");
    world.write("bad.jsonl", &format!("{}\n{}", row(0), row(1).replace("1.0", "1.5")));
    world.write("empty.jsonl", "");
    assert!(world.train().status.success());
    let model = std::fs::read(world.path("m.sluice")).expect("just written");
    std::fs::write(world.path("cut.sluice"), &model[..model.len() / 2]).expect("writable");
    std::fs::create_dir_all(world.path("alone/deep")).expect("our folder");
    world.write("alone/deep/graded.jsonl", &row(0));
    let path = |name: &str| text(&world.path(name)).to_owned();
    let prices = path("prices.toml");
    for (arguments, expected) in [
        (vec!["train", "--data", &path("bad.jsonl"), "--out", "x"], "bad.jsonl:2: the score 1.5 of big"),
        (vec!["train", "--data", &path("empty.jsonl"), "--out", "x"], "the file has no rows"),
        (vec!["train", "--data", &path("none.jsonl"), "--out", "x", "--prices", &prices], "none.jsonl"),
        (vec!["train", "--data", "/none.jsonl", "--out", "x"], "/none.jsonl: there is no such file"),
        (
            vec!["train", "--data", &path("alone/deep/graded.jsonl"), "--out", "x"],
            "no prices.toml beside the data",
        ),
        (vec!["route", "--model", &path("cut.sluice"), "--prices", &prices], "the model file is damaged"),
        (vec!["route", "--model", &prices, "--prices", &prices], "not a router model"),
        (
            vec!["route", "--model", &path("m.sluice"), "--prices", &prices, "--experts", "who"],
            "does not know who",
        ),
        (
            vec!["route", "--model", &path("m.sluice"), "--prices", &prices, "--floor", "3"],
            "a number from 0 to 2",
        ),
        (vec!["route", "--model", &path("m.sluice"), "--prices", &prices, "--confidence", "1"], "0.5"),
        (
            vec!["eval", "--model", &path("m.sluice"), "--data", &path("graded.jsonl"), "--reference", "who"],
            "who",
        ),
    ] {
        let arguments: Vec<&str> = arguments.into_iter().map(AsRef::as_ref).collect();
        let output = sluice(&arguments, b"");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    for command in ["train", "eval", "route", "tune"] {
        let help = sluice(&[command, "--help"], b"");
        assert!(
            help.status.success() && String::from_utf8_lossy(&help.stdout).contains("Example:"),
            "{command}"
        );
    }
}
