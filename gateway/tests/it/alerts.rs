//! The webhook that is told of budgets, as its owner meets it.

use crate::peer::{Do, Scripts, done, stop};
use crate::support::{Gateway, experts};
use crate::tenants::tenant;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const KEY: &str = "slk_alerts-77c0";

/// Reads a request to its end. Returns its first line and its body.
async fn read(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4_096];
        let count = stream.read(&mut piece).await.expect("readable");
        assert!(count > 0, "whole");
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
        });
        if body.len() >= length.expect("it has a length").expect("a number") {
            return (head.lines().next().unwrap_or_default().to_owned(), body.to_owned());
        }
    }
}

/// Answers each request with the next of these heads. Returns what came.
async fn hook(listener: TcpListener, heads: Vec<&'static str>) -> Vec<(String, String)> {
    let mut came = Vec::new();
    for head in heads {
        let (mut stream, _) = listener.accept().await.expect("somebody comes");
        came.push(read(&mut stream).await);
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.expect("it listens");
    }
    came
}

#[tokio::test]
async fn a_webhook_is_told_of_a_budget_until_it_takes_it_and_no_redirect_is_followed() {
    let (listener, elsewhere) =
        (TcpListener::bind("127.0.0.1:0").await.expect("a port"), TcpListener::bind("127.0.0.1:0").await);
    let elsewhere = elsewhere.expect("a port");
    let to = format!("302 Found\r\nlocation: http://{}/", elsewhere.local_addr().expect("bound"));
    let heads = vec![&*to.leak(), "503 Service Unavailable", "204 No Content"];
    let url = format!("http://{}/hook?token=s3cret", listener.local_addr().expect("bound"));
    let hook = tokio::time::timeout(Duration::from_secs(30), hook(listener, heads));
    // 10 + 90 tokens at 10 USD per million, of a budget of 0.0019 USD: more than half.
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":90}}"#;
    let script =
        vec![Do::Head, Do::Token("words".to_owned()), stop(), Do::Event(usage.to_owned()), done(), Do::End];
    let engine = Scripts::usually(script).peer().await;
    let budget = "budget = { usd = \"0.0019\", period = \"ever\" }";
    let text = format!(
        "{}{}[alerts]\nwebhook = \"{url}\"\n",
        experts(&[("big", "openai", vec![engine])]),
        tenant("acme", KEY, budget)
    );
    let gateway = Gateway::start(&text).await;
    let body = r#"{"model":"big","max_tokens":90,"messages":[{"role":"user","content":"hello"}]}"#;
    let post = crate::edge_kit::post_chat(&format!("authorization: Bearer {KEY}\r\n"), body);
    // Nobody listens at the webhook yet: no request waits for it.
    assert_eq!(crate::edge_kit::exchange(gateway.running.data(), &post).await.status, 200);
    let came = hook.await.expect("told soon");
    for (line, body) in &came {
        assert_eq!(line, "POST /hook?token=s3cret HTTP/1.1");
        assert_eq!(body, &came[0].1, "the same message until it is taken");
    }
    let told: serde_json::Value = serde_json::from_str(&came[0].1).expect("JSON");
    assert_eq!(
        (&told["event"], &told["level"], &told["tenant"]),
        (&"budget_used".into(), &"acme".into(), &"acme".into())
    );
    assert_eq!((&told["percent"], &told["budget_nanousd"]), (&50.into(), &1_900_000.into()));
    assert_eq!(told["remaining_nanousd"], 900_000);
    let nobody = tokio::time::timeout(Duration::from_millis(200), elsewhere.accept()).await;
    assert!(nobody.is_err(), "the redirect's target is not asked");
}
