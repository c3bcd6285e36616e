//! `sluice key`: secrets are printed once and nowhere else.

use crate::process::{folder, run};
use serde_json::Value;

const CONFIG: &str = r#"
[[expert]]
name = "big"
price = { input_per_mtok = "1", output_per_mtok = "2" }
[[expert.pool]]
name = "big-a"
endpoints = ["http://127.0.0.1:9"]
[[tenant]]
id = "acme"
keys = [{ sha256 = "abababababababababababababababababababababababababababababababab", id = "ci", owner = "ann" }]
[[tenant.project]]
id = "web"
"#;

#[test]
fn a_key_is_made_with_its_secret_on_stdout_alone() {
    let folder = folder("key-create");
    std::fs::write(folder.join("sluice.toml"), CONFIG).expect("ours");
    let made =
        run(&folder, &["key", "create", "--config", "sluice.toml", "--tenant", "acme", "--project", "web"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let secret = made.out.trim();
    assert!(secret.starts_with("slk_") && secret.len() == 47 && secret.is_ascii(), "{secret}");
    assert!(!made.err.contains(secret) && made.err.contains("acme"), "{}", made.err);
    let json =
        ["--json", "--budget-usd", "1.5", "--period", "day", "--requests-per-min", "60", "--routes", "auto"];
    let args = ["key", "create", "--config", "sluice.toml", "--tenant", "acme", "--expires", "2999-01-01"];
    let made = run(&folder, &[&args[..], &json[..]].concat());
    let value: Value = serde_json::from_str(&made.out).expect("one JSON object");
    assert_eq!(
        (value["state"].as_str(), value["limits"]["requests_per_min"].as_u64()),
        (Some("good"), Some(60))
    );
    assert_eq!(value["budget"]["amount"].as_i64(), Some(1_500_000_000));
    assert!(value["key"].as_str().expect("the secret").starts_with("slk_"));
}

#[test]
fn the_list_shows_keys_without_anything_of_their_secrets() {
    let folder = folder("key-list");
    std::fs::write(folder.join("sluice.toml"), CONFIG).expect("ours");
    let listed = run(&folder, &["key", "list", "--config", "sluice.toml"]);
    let words: Vec<&str> = listed.out.split_whitespace().collect();
    assert_eq!(words, ["id", "tenant", "project", "owner", "state", "ci", "acme", "ann", "good"]);
    let json = run(&folder, &["key", "list", "--config", "sluice.toml", "--json"]);
    assert!(!json.out.contains("abab") && !listed.out.contains("abab"), "{}", json.out);
}

#[test]
fn a_key_lives_in_the_journal_s_file_until_it_is_revoked_for_good() {
    let folder = folder("key-life");
    std::fs::write(folder.join("sluice.toml"), CONFIG).expect("ours");
    let key = |args: &[&str]| run(&folder, &[&["key"], args, &["--config", "sluice.toml"]].concat());
    let made =
        key(&["create", "--tenant", "acme", "--id", "k1", "--owner", "bob", "--expires", "2001-01-01"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(key(&["create", "--tenant", "acme", "--id", "k1"]).code, Some(1), "ids are unique");
    key(&["create", "--tenant", "acme", "--id", "k2"]);
    let revoked = key(&["revoke", "k2", "--json"]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.err);
    let states = || {
        let listed: Value = serde_json::from_str(&key(&["list", "--json"]).out).expect("one JSON object");
        let keys = listed["keys"].as_array().expect("a list").clone();
        let state = |key: &Value| format!("{} {}", key["id"], key["state"]).replace('"', "");
        keys.iter().map(state).collect::<Vec<String>>()
    };
    assert_eq!(states(), ["ci good", "k1 expired", "k2 revoked"]);
    assert!(!key(&["list", "--json"]).out.contains(made.out.trim()));
    assert_eq!(key(&["revoke", "k2"]).code, Some(0), "once more changes nothing");
    assert_eq!(states(), ["ci good", "k1 expired", "k2 revoked"]);
}

#[test]
fn mistakes_end_with_2_and_say_what_is_known() {
    let folder = folder("key-mistakes");
    std::fs::write(folder.join("sluice.toml"), CONFIG).expect("ours");
    let cases: [(&[&str], &str); 7] = [
        (&["create", "--tenant", "nobody"], "no [[tenant]] has the id \"nobody\""),
        (&["create", "--tenant", "acme", "--project", "x"], "no [[tenant.project]] \"x\""),
        (&["create", "--tenant", "acme", "--id", "ci"], "of the configuration"),
        (&["create", "--tenant", "acme", "--experts", "small"], "there are big"),
        (&["create", "--tenant", "acme", "--expires", "soon"], "2027-01-31"),
        (&["revoke", "ci"], "take it out of the file"),
        (&["revoke", "none"], "sluice key list"),
    ];
    for (args, told) in cases {
        let ended = run(&folder, &[&["key"], args, &["--config", "sluice.toml"]].concat());
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        assert!(ended.err.contains(told) && ended.out.is_empty(), "{args:?}: {}", ended.err);
    }
}
