//! A profile fitted to a real engine, llama.cpp's `llama-server`, when one is at hand: `SLUICE_LLAMA_SERVER` names the
//! binary and `SLUICE_LLAMA_MODEL` a GGUF file. Else the test says loudly that it skips.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sluice_load::fit::{Engine, Options, Reach, fit};
use sluice_load::target::{Address, Manner, connect};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running llama-server with two slots. Dropping it kills it.
struct Llama(Child);

impl Drop for Llama {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server and its address; `None`, said loudly, without a binary and a model.
fn llama() -> Option<(Llama, String)> {
    let (Ok(binary), Ok(model)) = (std::env::var("SLUICE_LLAMA_SERVER"), std::env::var("SLUICE_LLAMA_MODEL"))
    else {
        // Not `eprintln!`, which the test runner would keep to itself.
        let line =
            "SKIPPED: set SLUICE_LLAMA_SERVER and SLUICE_LLAMA_MODEL to fit a profile to a real llama-server";
        let _ = writeln!(std::io::stderr(), "{line}");
        return None;
    };
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(binary);
    command.args(["-m", &model, "--host", "127.0.0.1", "--port", &addr.port().to_string()]);
    command.args(["--parallel", "2", "-c", "4096", "-t", "1", "--no-ui"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let llama = Llama(child);
    for _ in 0..100 {
        if TcpStream::connect(addr).is_ok() {
            // It listens before its model is loaded.
            std::thread::sleep(Duration::from_secs(2));
            return Some((llama, format!("http://{addr}/v1")));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("llama-server didn't listen on {addr} within 10 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_engine_is_fitted_and_checked() {
    let Some((_llama, url)) = llama() else { return };
    let extra = serde_json::json!({ "ignore_eos": true }).as_object().unwrap().clone();
    let manner = Manner { model: "tiny".to_owned(), extra, ..Manner::default() };
    let target = connect(&Address::parse(&url).unwrap(), manner).unwrap();
    let options = Options {
        reach: Reach { input: 64, output: 32, users: 8, repeats: 3, seed: 1 },
        max_seqs: None,
        kv_tokens: Some(4_096),
        batch_tokens: 2_048,
        runs: 3,
        requests: 20,
        about: "tiny".to_owned(),
        source: url,
    };
    let engine = Engine { target, timeout: Duration::from_secs(60) };
    let report = fit(&engine, &options, &mut |_| {}).await.unwrap();
    let _ = writeln!(std::io::stderr(), "{}", report.text());
    assert_eq!((report.most_running, report.is_full), (2, true));
    let low = &report.loads[0];
    let middle = low.rows.iter().filter(|row| row.name.ends_with("p50"));
    // Tests share the machine with others: half of what an idle one shows.
    assert!(middle.clone().count() == 2 && middle.clone().all(|row| row.error_pct.abs() < 40.0), "{low:?}");
}
