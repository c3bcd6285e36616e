//! What is reported is what the server did: latency by quantile, times of a plan, turns of a conversation.

use crate::mock::{Mock, TOKENS, carry_out, run};
use sluice_load::Sample;
use sluice_load::arrivals::{Asked, Trace, TraceRow};
use std::sync::{Arc, Mutex};

const MS: u64 = 1_000_000;

/// A busy machine may delay either side at any time. What is wrong stays wrong, so one quiet attempt is enough.
const ATTEMPTS: usize = 4;
/// Wake-ups between a server's note and ours: its task, its connection, our connection, our task.
const HOPS: f64 = 4.0;

pub(crate) fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((q * values.len() as f64).ceil() as usize).max(1) - 1]
}

/// Whether quantiles agree within 2 % or 1 ms, beside what the machine itself adds.
fn agrees(reported: &[f64], truth: &[f64], machine: &[f64]) -> Result<(), String> {
    for q in [0.5, 0.99] {
        let (got, want) = (quantile(reported.to_vec(), q), quantile(truth.to_vec(), q));
        let noise = HOPS * quantile(machine.to_vec(), q);
        if (got - want).abs() > (want * 0.02).max(1.0) + noise {
            return Err(format!("p{}: {got:.3} ms, the server says {want:.3}, noise {noise:.3}", q * 100.0));
        }
    }
    Ok(())
}

async fn attempt(dialect: &str, streams: bool) -> Result<(), String> {
    let mock = Mock::start(|n, _| ((20 + n as u64 * 37 % 100) * MS, 4 * MS));
    let asked = Asked { rate: Some(80.0), requests: Some(100), seed: 3, ..Asked::default() };
    let pulse = Mutex::new(Vec::new());
    let (samples, _, gauge) = tokio::select! {
        carried = carry_out(run(&mock.url(dialect), &asked, streams)) => carried,
        () = mock.feel_pulse(&pulse) => unreachable!("the server runs on"),
    };
    let machine = pulse.into_inner().unwrap();
    assert_eq!(samples.iter().filter(|sample| sample.is_ok()).count(), 100, "{:?}", samples[0].end);
    assert!(samples.iter().all(|sample| (sample.input_tokens, sample.output_tokens) == (5, TOKENS)));
    let shift = mock.clock.now() - gauge.clock.get().unwrap().now();
    let since = |sample: &Sample, at: u64| (at - shift).saturating_sub(sample.planned.at) as f64 / 1e6;
    let done = |sample: &Sample| mock.done(sample.planned.prompt);
    let ends: Vec<f64> = samples.iter().map(|sample| since(sample, done(sample).last)).collect();
    agrees(&samples.iter().map(Sample::e2e_ms).collect::<Vec<_>>(), &ends, &machine)?;
    if streams {
        let firsts: Vec<f64> = samples.iter().map(|sample| since(sample, done(sample).first)).collect();
        agrees(&samples.iter().filter_map(Sample::ttft_ms).collect::<Vec<_>>(), &firsts, &machine)?;
        let span = |sample: &Sample| (done(sample).last - done(sample).first) as f64 / 1e6;
        let tpots: Vec<f64> = samples.iter().map(|sample| span(sample) / f64::from(TOKENS - 1)).collect();
        agrees(&samples.iter().filter_map(Sample::tpot_ms).collect::<Vec<_>>(), &tpots, &machine)?;
        assert!(samples.iter().all(|sample| sample.gaps_us.len() == TOKENS as usize - 1));
    } else {
        assert!(samples.iter().all(|sample| sample.first.is_none()));
    }
    Ok(())
}

async fn check(dialect: &str, streams: bool) {
    let mut said = Vec::new();
    for _ in 0..ATTEMPTS {
        match attempt(dialect, streams).await {
            Ok(()) => return,
            Err(why) => said.push(why),
        }
    }
    panic!("{dialect} streams={streams}: {said:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reported_latency_is_what_the_server_did() {
    for dialect in ["grpc", "http"] {
        for streams in [true, false] {
            check(dialect, streams).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answered_and_what_it_cost_is_read() {
    let mock = Mock::start(|_, _| (MS, MS));
    let asked = Asked { rate: Some(100.0), requests: Some(2), ..Asked::default() };
    for streams in [true, false] {
        let (samples, ..) = carry_out(run(&mock.url("grpc"), &asked, streams)).await;
        let who = &samples[0].who;
        assert_eq!(
            (who.route.as_str(), who.expert.as_str(), who.pool.as_str(), who.replica),
            ("auto", "mock", "pool", Some(1))
        );
        assert_eq!((samples[1].cost_nanousd, samples[1].baseline_nanousd), (Some(70), Some(900)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_replayed_at_its_times() {
    let mock = Mock::start(|_, _| (MS, MS));
    let times = [0.0, 0.1, 0.1, 0.3, 0.8, 1.2];
    let row = |arrival_s| TraceRow { arrival_s, input_tokens: 3, output_tokens: 3, session: None };
    let trace = Arc::new(Trace { rows: times.map(row).to_vec() });
    let asked = Asked { trace: Some(trace), speed: Some(2.0), ..Asked::default() };
    let (samples, _, gauge) = carry_out(run(&mock.url("http"), &asked, true)).await;
    let shift = mock.clock.now() - gauge.clock.get().unwrap().now();
    assert_eq!(samples.len(), times.len());
    for (sample, time) in samples.iter().zip(times) {
        let want = (time * 1e9 / 2.0).round() as u64;
        assert_eq!(sample.planned.at, want);
        assert!(sample.sent >= want, "{} is before {want}", sample.sent);
        // It came at the server after it was sent, and nobody was sent a whole second late.
        let received = mock.done(sample.planned.prompt).received - shift;
        assert!(received + MS >= sample.sent && received < want + 1_000 * MS, "{received} {want}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_follow_the_answer_before_and_carry_it() {
    let mock = Mock::start(|_, _| (5 * MS, MS));
    let asked =
        Asked { rate: Some(50.0), requests: Some(12), turns: Some(3), think_s: 0.02, ..Asked::default() };
    for dialect in ["grpc", "http"] {
        let (samples, ..) = carry_out(run(&mock.url(dialect), &asked, true)).await;
        assert_eq!(samples.len(), 12);
        for sample in samples.iter().filter(|sample| sample.planned.prompt % 3 > 0) {
            let before =
                samples.iter().find(|other| other.planned.prompt + 1 == sample.planned.prompt).unwrap();
            assert_eq!(sample.planned.at, before.ended + 20 * MS, "thinking begins at the answer's end");
        }
        let last = samples.iter().map(|sample| sample.planned.prompt).find(|prompt| prompt % 3 == 2).unwrap();
        let roles: Vec<String> = mock.messages(last).into_iter().map(|(role, _)| role).collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
        assert_eq!(mock.messages(last)[1].1, "t1 t2 t3 t4 t5 t6 t7 t8 ");
    }
}
