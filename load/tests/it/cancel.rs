//! Cancellations reach the server.

use crate::mock::{Mock, carry_out, run};
use sluice_load::End;
use sluice_load::arrivals::Asked;
use std::time::Duration;

const MS: u64 = 1_000_000;

async fn check(dialect: &str, streams: bool) {
    let mock = Mock::start(|_, _| (20 * MS, 1_000 * MS));
    let asked = Asked {
        rate: Some(200.0),
        requests: Some(20),
        cancel: 1.0,
        cancel_within_s: 0.2,
        seed: 5,
        ..Asked::default()
    };
    let (samples, ..) = carry_out(run(&mock.url(dialect), &asked, streams)).await;
    assert_eq!(samples.len(), 20);
    for sample in &samples {
        assert_eq!(sample.end, End::Cancelled);
        let after = sample.planned.cancel_after.unwrap();
        assert!(after <= 200 * MS && sample.ended >= sample.sent + after);
    }
    let reached = async {
        while mock.dropped() < mock.received() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached)
        .await
        .expect("every cancellation reaches the server");
    assert!(mock.received() >= 15, "{} came", mock.received());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancellations_reach_the_server() {
    for dialect in ["grpc", "http"] {
        for streams in [true, false] {
            check(dialect, streams).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_share_asked_for_is_cancelled() {
    let mock = Mock::start(|_, _| (300 * MS, MS));
    let asked = Asked {
        rate: Some(400.0),
        requests: Some(200),
        cancel: 0.25,
        cancel_within_s: 0.1,
        ..Asked::default()
    };
    let (samples, ..) = carry_out(run(&mock.url("grpc"), &asked, true)).await;
    let cancelled = samples.iter().filter(|sample| sample.end == End::Cancelled).count();
    assert!((30..70).contains(&cancelled), "{cancelled} of 200");
}
