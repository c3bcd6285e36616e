//! Cases of a gateway that has everything switched on: a key, limits, a budget, a trained model, a journal.

use super::{model, model_file};
use crate::counted::Bench;
use crate::peer::{Answers, KEY, Peer, STREAM_HEAD, canned_answer, engine, post_chat, runtime, token_chunk};
use crate::{Records, experts, prompt};
use sluice_gateway::config::{self, Overrides};
use sluice_gateway::{Digest, JournalFile, Record, Running, open_journal};
use std::net::SocketAddr;
use std::path::Path;
use tokio::sync::mpsc;

/// A unary request of 2 KB, from the client's bytes to the answer's, whatever that takes on the gateway's thread.
pub(super) fn request_short(bench: &Bench) {
    request(bench, 2_048);
}

/// The same with 220 KB.
pub(super) fn request_long(bench: &Bench) {
    request(bench, 220_000);
}

fn request(bench: &Bench, bytes: usize) {
    let runtime = runtime();
    let folder = folder(bench);
    let request = post_chat(&prompt(7, bytes), false);
    let (_gateway, mut client) = runtime.block_on(async {
        let engine = engine(Answers::Canned(canned_answer())).await;
        gateway(bench, folder.path(), engine).await
    });
    bench.count(|times| {
        runtime.block_on(async {
            for _ in 0..times {
                client.send(&request).await;
                let answer = client.message().await.expect("an answer");
                assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
            }
        });
    });
}

/// One token of a stream, from the engine's packet to the client's: each is sent when the one before has arrived.
pub(super) fn stream_event(bench: &Bench) {
    let runtime = runtime();
    let folder = folder(bench);
    let token = token_chunk();
    let (_gateway, mut client, mut engine) = runtime.block_on(async {
        let (to, mut handed) = mpsc::channel(1);
        let engine = engine(Answers::Handed(to)).await;
        let (gateway, mut client) = gateway(bench, folder.path(), engine).await;
        client.send(&post_chat(&prompt(7, 2_048), true)).await;
        let mut engine = handed.recv().await.expect("the gateway calls");
        engine.send(STREAM_HEAD.as_bytes()).await;
        engine.send(token.as_bytes()).await;
        (gateway, client, engine)
    });
    runtime.block_on(async {
        // The head, who answers, and the first token, in however many packets.
        while !contains(client.until(b"\n\n\r\n").await, b" token") {}
    });
    bench.count(|times| {
        runtime.block_on(async {
            for _ in 0..times {
                engine.send(token.as_bytes()).await;
                client.until(b"\n\n\r\n").await;
            }
        });
    });
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// One record handed to the journal, on the thread that hands it over.
pub(super) fn enqueue(bench: &Bench) {
    let runtime = runtime();
    let folder = folder(bench);
    let url = format!("sqlite:{}", folder.path().join("sluice.db").display());
    let journal = open_journal(&url).expect("opens");
    let records = Records::by(&model(bench), 1);
    let mut ready: Vec<Record> = (0..bench.most()).map(|_| records.next()).collect();
    bench.count(|times| {
        runtime.block_on(async {
            for _ in 0..times {
                journal.record(ready.pop().expect("made for each")).await;
            }
        });
    });
    runtime.block_on(journal.flush()).expect("durable");
}

/// Records packed where they are made, and written as the journal's thread does, in groups as they gather under load.
pub(super) fn write(bench: &Bench) {
    let folder = folder(bench);
    let mut file = JournalFile::open(&folder.path().join("sluice.db")).expect("opens");
    let records = Records::by(&model(bench), 1);
    let mut ready: Vec<Record> = (0..bench.most()).map(|_| records.next()).rev().collect();
    bench.count(|times| {
        let mut left = times as usize;
        while left > 0 {
            let rest = ready.len() - left.min(GROUP);
            // The last ones are the oldest.
            let group: Vec<Record> = ready.drain(rest..).rev().collect();
            left -= group.len();
            file.write(group).expect("durable");
        }
    });
}

fn folder(bench: &Bench) -> tempfile::TempDir {
    tempfile::TempDir::new_in(bench.folder()).expect("the case may write")
}

/// A gateway before this engine, and a client that is connected.
async fn gateway(bench: &Bench, folder: &Path, engine: SocketAddr) -> (Running, Peer) {
    let text = configuration(&model_file(bench.folder()), engine);
    let config = config::parse("bench.toml", &text, folder, &Overrides::new()).expect("it is valid");
    let running = sluice_gateway::start(config).await.expect("it starts");
    let client = Peer::connect(running.data()).await;
    (running, client)
}

fn configuration(model: &Path, engine: SocketAddr) -> String {
    let head = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
         [router]\nmodel = {model:?}\nexplore = 0.0\n\
         [[route]]\nname = \"auto\"\nexperts = [\"*\"]\nreference = \"expert-7\"\n\
         [[tenant]]\nid = \"acme\"\nkeys = [{{ sha256 = \"{}\", id = \"acme-key\" }}]\n\
         budget = {{ usd = \"1000000\", period = \"month\" }}\n\
         limits = {{ requests_per_min = 100000000, tokens_per_min = 4000000000, concurrent = 64 }}\n",
        Digest::of(KEY).hex()
    );
    let expert = |(at, name): (usize, String)| {
        format!(
            "[[expert]]\nname = \"{name}\"\ncontext_tokens = 1000000\nmax_output_tokens = 4096\n\
             price = {{ input_per_mtok = \"0.{}\", output_per_mtok = \"{at}\" }}\n\
             [[expert.pool]]\nname = \"pool-{at}\"\nprotocol = \"openai\"\nendpoints = [\"http://{engine}\"]\n\
             first_token_timeout_ms = 600000\nidle_timeout_ms = 600000\n",
            at + 1
        )
    };
    head + &experts().into_iter().take(ASKED).enumerate().map(expert).collect::<String>()
}

const ASKED: usize = 8;
/// Records of one transaction at some 3,000 requests a second.
const GROUP: usize = 32;
