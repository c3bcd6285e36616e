//! Coordinated omission: a server that stalls for a second, and a tester that may not have more than four requests open.

use crate::mock::{Mock, carry_out, run};
use crate::times::quantile;
use sluice_load::Sample;
use sluice_load::arrivals::Asked;

const MS: u64 = 1_000_000;
const STALL: std::ops::Range<u64> = 500 * MS..1_500 * MS;

/// Whatever comes during the stall is answered at its end.
fn delays(_: usize, at: u64) -> (u64, u64) {
    (if STALL.contains(&at) { STALL.end - at } else { MS }, 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_is_seen_by_all_who_had_to_wait() {
    let mock = Mock::start(delays);
    let asked = Asked { rate: Some(200.0), constant: true, requests: Some(600), ..Asked::default() };
    let mut test = run(&mock.url("grpc"), &asked, true);
    test.max_open = 4;
    let (samples, _, gauge) = carry_out(test).await;
    let shift = mock.clock.now() - gauge.clock.get().unwrap().now();
    assert_eq!(samples.len(), 600);
    let done = |sample: &Sample| mock.done(sample.planned.prompt);
    let all = |of: &dyn Fn(&Sample) -> f64| quantile(samples.iter().map(of).collect(), 0.99);

    let corrected = all(&|sample| sample.ttft_ms().unwrap());
    let uncorrected = all(&|sample| sample.ttft_from_sent_ms().unwrap());
    let truth = all(&|sample| (done(sample).first - shift - sample.planned.at) as f64 / 1e6);
    let service = all(&|sample| (done(sample).first - done(sample).received) as f64 / 1e6);

    // 200 of the 600 were due in the stall, evenly: all but 6 of them waited for less than 970 ms.
    assert!(corrected >= 960.0, "{corrected}");
    // Only four requests were open in it, fewer than one in a hundred.
    assert!(service < 480.0 && uncorrected < 480.0, "{service} {uncorrected}");
    assert!((corrected - truth).abs() < (truth * 0.02).max(20.0), "{corrected} {truth}");
}
