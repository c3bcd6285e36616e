//! `serve`: ready, reloaded, drained, killed.

use crate::process::{Served, folder, http, run, signal, sluice};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A configuration with one simulated expert, on free ports.
fn config(folder: &Path, more: &str) -> &'static str {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n{more}\n\
         [[expert]]\nname = \"big\"\nprice = {{ input_per_mtok = \"1\", output_per_mtok = \"2\" }}\n\
         [[expert.pool]]\nname = \"big-a\"\nprotocol = \"sim\"\nprofile = \"8b-a100\"\ntime_scale = 100\n"
    );
    std::fs::write(folder.join("sluice.toml"), text).expect("our folder");
    "sluice.toml"
}

fn chat(address: &str, max_tokens: u32) -> (u16, String) {
    let body = format!(
        r#"{{"model":"auto","max_tokens":{max_tokens},"messages":[{{"role":"user","content":"tell me a story"}}]}}"#
    );
    http(address, "POST", "/v1/chat/completions", &body)
}

#[test]
fn a_drain_on_sigterm_ends_with_0_and_the_ledger_has_everything() {
    let folder = folder("drain");
    let served = Served::start(&folder, config(&folder, ""));
    let (status, body) = chat(&served.data, 20);
    assert_eq!(status, 200, "{body}");
    let (ready, _) = http(&served.admin, "GET", "/readyz", "");
    assert_eq!(ready, 200);
    served.signal("TERM");
    assert_eq!(served.wait().code(), Some(0));
    let report = run(&folder, &["report", "--ledger", "sqlite:sluice.db", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report.out).expect("one JSON object");
    assert_eq!((&report["requests"], &report["entries"]), (&1.into(), &1.into()));
}

#[test]
fn row_46_a_second_signal_ends_at_once() {
    let folder = folder("twice");
    let text = config(&folder, "drain_ms = 60000").to_owned();
    let slow = std::fs::read_to_string(folder.join(&text))
        .expect("just written")
        .replace("time_scale = 100", "time_scale = 0.1");
    std::fs::write(folder.join(&text), slow).expect("our folder");
    let served = Served::start(&folder, &text);
    let address = served.data.clone();
    let request = std::thread::spawn(move || chat(&address, 4_000));
    wait_until(|| {
        http(&served.admin, "GET", "/metrics", "").1.contains("sluice_inflight_requests{pool=\"big-a\"} 1")
    });
    served.signal("TERM");
    wait_until(|| http(&served.admin, "GET", "/readyz", "").0 == 503);
    served.signal("TERM");
    assert_eq!(served.wait().code(), Some(143));
    request.join().expect("the client is told somehow");
}

#[test]
fn row_46_a_signal_while_it_starts_leaves_a_journal_that_can_be_opened() {
    let folder = folder("early");
    let name = config(&folder, "");
    for ms in [0, 2, 5, 10, 20, 40, 80] {
        let mut child = sluice(&folder, &["serve", "--config", name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary is built");
        std::thread::sleep(Duration::from_millis(ms));
        signal(child.id(), "TERM");
        // Killed by the signal before it listens to any, or drained.
        let code = child.wait().expect("it is ours").code();
        assert!(matches!(code, None | Some(0 | 143)), "{code:?} after {ms} ms");
    }
    let served = Served::start(&folder, name);
    assert_eq!(chat(&served.data, 5).0, 200);
}

#[test]
fn sighup_and_a_changed_file_reload_and_a_bad_one_keeps_the_old() {
    let folder = folder("reload");
    let name = config(&folder, "");
    let served = Served::start(&folder, name);
    let path = folder.join(name);
    let good = std::fs::read_to_string(&path).expect("just written");
    let models = || http(&served.data, "GET", "/v1/models", "").1;
    std::fs::write(&path, format!("{good}\n[[route]]\nname = \"second\"\n")).expect("our folder");
    wait_until(|| models().contains("second"));
    std::fs::write(&path, format!("{good}\n[[rout]]\n")).expect("our folder");
    served.signal("HUP");
    wait_until(|| {
        http(&served.admin, "GET", "/metrics", "")
            .1
            .contains("sluice_config_reloads_total{outcome=\"refused\"}")
    });
    assert!(models().contains("second"), "the old configuration stays");
    assert_eq!(chat(&served.data, 5).0, 200);
}

#[test]
fn row_31_kill_minus_9_under_load_loses_no_committed_entry_and_doubles_none() {
    let folder = folder("kill");
    let name = config(&folder, "");
    let mut answered = 0;
    for _ in 0..3 {
        let served = Served::start(&folder, name);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut answered = 0;
                        while !stop.load(Ordering::Relaxed) {
                            answered += i64::from(chat(&served.data, 5).0 == 200);
                        }
                        answered
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(700));
            served.signal("KILL");
            stop.store(true, Ordering::Relaxed);
            answered += clients.into_iter().map(|client| client.join().expect("counted")).sum::<i64>();
        });
    }
    let report = run(&folder, &["report", "--ledger", "sqlite:sluice.db", "--json"]);
    assert_eq!(report.code, Some(0), "{}", report.err);
    let report: serde_json::Value = serde_json::from_str(&report.out).expect("one JSON object");
    let number = |key: &str| report[key].as_i64().expect("a number");
    assert!(answered > 20 && number("requests") > 0, "there was load: {answered} answers");
    assert!(number("requests") <= answered + 3 * 4, "none twice: {report} for {answered} answers");
    assert_eq!(number("requests"), number("entries"), "one booking for each request");
}

#[test]
fn a_port_in_use_and_a_journal_in_use_are_told_plainly() {
    let folder = folder("in-use");
    let name = config(&folder, "");
    let served = Served::start(&folder, name);
    let second = run(&folder, &["serve", "--config", name]);
    assert_eq!(second.code, Some(2), "{}", second.err);
    assert!(second.err.contains("sluice.db"), "{}", second.err);
    let text = std::fs::read_to_string(folder.join(name)).expect("just written");
    let taken = text
        .replacen("127.0.0.1:0", &served.data, 1)
        .replace("[[expert]]", "[store]\njournal = \"memory:\"\n[[expert]]");
    std::fs::write(folder.join("taken.toml"), taken).expect("our folder");
    let third = run(&folder, &["serve", "--config", "taken.toml"]);
    assert_eq!(third.code, Some(2), "{}", third.err);
    assert!(third.err.contains(&served.data) && third.err.contains("choose another port"), "{}", third.err);
}

/// Looks again until `done`; fails the test after twenty seconds.
#[expect(clippy::disallowed_methods, reason = "a test's patience is wall time")]
fn wait_until(done: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < until, "it comes within twenty seconds");
        std::thread::sleep(Duration::from_millis(20));
    }
}
