//! Figures against known answers: tally, objective, gates and summary together.

use super::*;
use crate::sample::{End, FaultKind, Planned, Sample, Who};

/// A request planned at `at_ms`, with its first token `ttft_ms` later and `tokens` tokens `gap_ms` apart.
pub(crate) fn sample(at_ms: u64, ttft_ms: u64, gap_ms: u64, tokens: u32) -> Sample {
    let first = (at_ms + ttft_ms) * 1_000_000;
    let last = first + gap_ms * u64::from(tokens.saturating_sub(1)) * 1_000_000;
    Sample {
        n: 0,
        planned: Planned { at: at_ms * 1_000_000, ..Planned::default() },
        sent: at_ms * 1_000_000,
        first: Some(first),
        last: Some(last),
        ended: last,
        gaps_us: vec![gap_ms as u32 * 1000; tokens.saturating_sub(1) as usize],
        input_tokens: 10,
        cached_tokens: 0,
        output_tokens: tokens,
        who: Who { route: "auto".into(), expert: "law".into(), pool: "law-a".into(), replica: Some(1) },
        end: End::Done,
        cost_nanousd: Some(1_000_000),
        baseline_nanousd: Some(4_000_000),
        quality: Some(0.9),
        reference_quality: Some(1.0),
        queued: None,
    }
}

fn failed(at_ms: u64) -> Sample {
    let end = End::Failed { kind: FaultKind::Refused, code: "rate_limited".into() };
    Sample { end, first: None, last: None, gaps_us: Vec::new(), output_tokens: 0, ..sample(at_ms, 5, 0, 0) }
}

fn slo(text: &str) -> Option<Slo> {
    Some(text.parse().unwrap())
}

/// 100 requests, 10 a second, TTFT 1..=100 ms in mixed order, then 20 ms per token for 3 tokens.
fn hundred() -> Tally {
    let mut tally = Tally::new(slo("ttft_p90=90ms,tpot_p99=20.1ms"), Vec::new());
    (0..100).for_each(|n| tally.add(&sample(n * 100, n * 37 % 100 + 1, 20, 3)));
    tally
}

fn near(is: Option<f64>, should: f64) {
    let is = is.unwrap_or(f64::NAN);
    assert!((is - should).abs() <= should.abs() * 0.001, "{is} not {should}");
}

#[test]
fn a_summary_has_the_figures_computed_by_hand() {
    let summary = Summary::of(&hundred());
    assert_eq!((summary.sent, summary.ok, summary.errors), (100, 100, 0));
    near(summary.ttft_ms.p50, 50.0);
    near(summary.ttft_ms.p99, 99.0);
    near(summary.tpot_ms.p50, 20.0);
    near(summary.e2e_ms.p90, 130.0);
    near(summary.offered_rps, 10.0);
    // The last begins at 9.9 s and ends 104 ms later.
    near(summary.rate_rps, 100.0 / 10.004);
    near(summary.goodput_rps, 90.0 / 10.004);
    near(summary.goodput_share, 0.9);
    near(summary.cost_usd, 0.1);
    near(summary.cost_per_1k, 1.0);
    near(summary.baseline_usd, 0.4);
    near(summary.saved_pct, 75.0);
    near(summary.quality, 0.9);
    near(summary.quality_ratio, 0.9);
    near(summary.per_expert["law"].quality, 0.9);
    assert_eq!(summary.per_replica["law-a/1"].ok, 100);
    assert!(summary.per_tenant.is_empty() && summary.fairness.is_none());
    // Whole stretches only, so that the last few completions don't count.
    assert!((summary.throughput_rps.unwrap() / 10.0 - 1.0).abs() < 0.02);
    // The median of 100: its interval ends at the 40th and the 61st.
    near(summary.ttft_ms.p50_ci.0, 40.0);
    near(summary.ttft_ms.p50_ci.1, 61.0);
    assert_eq!(summary.ttft_ms.p99_ci.1, None);
}

#[test]
fn the_json_has_the_promised_keys_and_reads_back() {
    let summary = Summary::of(&hundred());
    let json = serde_json::to_value(&summary).unwrap();
    for key in [
        "sent",
        "ok",
        "errors",
        "rate_rps",
        "ttft_ms",
        "tpot_ms",
        "e2e_ms",
        "goodput_rps",
        "cost_usd",
        "baseline_usd",
        "quality",
        "per_expert",
    ] {
        assert!(!json[key].is_null(), "{key}");
    }
    for key in ["p50", "p90", "p99"] {
        assert!(json["ttft_ms"][key].is_f64() && json["per_expert"]["law"]["ttft_ms"][key].is_f64(), "{key}");
    }
    assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary);
    let nothing = serde_json::to_value(Summary::of(&Tally::new(None, Vec::new()))).unwrap();
    assert!(
        nothing["quality"].is_null() && nothing["cost_usd"].is_null() && nothing["ttft_ms"]["p50"].is_null()
    );
}

#[test]
fn two_halves_merged_are_the_whole_and_survive_their_file() {
    let tenants = || vec![Tenant { name: "a".into(), weight: 1.0 }, Tenant { name: "b".into(), weight: 2.0 }];
    let new = || Tally::new(slo("ttft_p99=50ms"), tenants());
    let (mut left, mut right, mut all) = (new(), new(), new());
    for n in 0..3000 {
        let mut one = if n % 17 == 0 { failed(n * 20) } else { sample(n * 20, n % 90, 7, 2 + n as u32 % 5) };
        one.planned.tenant = n as u32 % 2;
        one.quality = Some((n % 7) as f64 / 7.0);
        one.who.expert = format!("e{}", n % 3);
        all.add(&one);
        if n < 900 { left.add(&one) } else { right.add(&one) }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.json");
    right.save(&path).unwrap();
    left.merge(Tally::load(&path).unwrap()).unwrap();
    assert_eq!(left, all);
    assert_eq!(Summary::of(&left), Summary::of(&all));
    assert_eq!(left.errors()[&FaultKind::Refused]["rate_limited"], 177);
    assert!(left.parts(By::Tenant).count() == 2 && Summary::of(&left).fairness.is_some());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let mut one = Tally::new(slo("ttft_p99=50ms"), Vec::new());
    let other = one.merge(Tally::new(slo("ttft_p99=60ms"), Vec::new())).unwrap_err().to_string();
    assert!(other.contains("50ms") && other.contains("60ms"), "{other}");
    let tenants = vec![Tenant { name: "a".into(), weight: 1.0 }];
    assert_eq!(one.merge(Tally::new(slo("ttft_p99=50ms"), tenants)), Err(TallyError::OtherTenants));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    for (text, says) in
        [("{\"sent\":1}", "not a file of"), ("{", "EOF"), ("{\"sluice_load_tally\":9}", "format is 9")]
    {
        std::fs::write(&path, text).unwrap();
        let error = Tally::load(&path).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("x.json"), "{error}");
    }
}

#[test]
fn an_objective_judges_requests_and_runs() {
    let tally = hundred();
    let judged = tally.slo().unwrap().judge(&tally);
    assert_eq!(judged.iter().map(|bound| bound.held).collect::<Vec<_>>(), [Some(true), Some(true)]);
    assert_eq!(slo("ttft_p90=89ms").unwrap().held(&tally), Some(false));
    // Ten failures among 110: the ninth decile of all is the 99th answered.
    let mut with_failures = hundred();
    (0..10).for_each(|n| with_failures.add(&failed(n)));
    near(with_failures.slo().unwrap().judge(&with_failures)[0].value, 99.0);
    let by_errors = slo("error_rate=5%").unwrap().judge(&with_failures);
    assert_eq!((by_errors[0].held, by_errors[0].value), (Some(false), Some(10.0 / 110.0)));
    assert_eq!(
        slo("ttft_p99=1s").unwrap().judge(&with_failures)[0].held,
        Some(false),
        "the percentile failed"
    );
    // A unary answer has no first token that could be seen.
    let mut unary = Tally::new(None, Vec::new());
    unary.add(&Sample { first: None, last: None, gaps_us: Vec::new(), ..sample(0, 10, 1, 2) });
    assert_eq!(slo("ttft_p50=1s").unwrap().held(&unary), None);
    assert_eq!(slo("e2e_p50=1s").unwrap().held(&unary), Some(true));
}

#[test]
fn mistakes_in_an_objective_are_pointed_at() {
    for (text, says) in [
        ("ttft_p99=500", "no unit"),
        ("ttft_p99=500ms,tpot=1ms", "at character 16"),
        ("ttft_p99=500ms,quality=1", "error_rate"),
        ("ttft_p99", "FIGURE=LIMIT"),
        ("ttft_p99=1ms,ttft_p99=2ms", "twice"),
        ("error_rate=-1%", "at least 0"),
        ("", "FIGURE=LIMIT"),
    ] {
        let error = text.parse::<Slo>().unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
    assert_eq!(slo("ttft_p99=500ms").unwrap().fewest_requests(), 2000);
}

#[test]
fn gates_fail_with_the_figure_and_an_unknown_one_is_no_pass() {
    let tally = hundred();
    let summary = Summary::of(&tally);
    let judge = |text: &str| text.parse::<Gate>().unwrap().judge(&tally, &summary);
    for (text, held) in [
        ("cost_per_1k>0.5", false),
        ("cost_per_1k > $2", true),
        ("ttft_p99>=98ms", false),
        ("ttft_p99 > 0.2s", true),
        ("ttft_p50<100", false),
        ("error_rate>0.1%", true),
        ("quality_ratio<0.9", true),
        ("saved_pct<=80%", false),
        ("rate_rps<5", true),
    ] {
        assert_eq!(judge(text).held, held, "{text}: {}", judge(text).line);
    }
    assert_eq!(judge("cost_per_1k>0.5").line, "cost_per_1k>0.5: cost_per_1k is $1.00");
    let unknown = judge("fairness<0.9");
    assert!(!unknown.held && unknown.value.is_none() && unknown.line.contains("doesn't know"));
    for (text, says) in [
        ("cost>1", "at character 1"),
        ("cost_per_1k=1", "has no >"),
        ("cost_per_1k>1ms", "at character 13"),
        ("quality<", "at character 9"),
    ] {
        let error = text.parse::<Gate>().unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn parts_beyond_the_bound_are_counted_together() {
    let mut tally = Tally::new(None, Vec::new());
    for n in 0..MOST_PARTS as u64 + 50 {
        let mut one = sample(n, 1, 1, 1);
        one.who.expert = format!("e{n}");
        tally.add(&one);
    }
    assert_eq!(tally.parts(By::Expert).count(), MOST_PARTS + 1);
    let (_, others) = tally.parts(By::Expert).find(|(name, _)| *name == OTHERS).unwrap();
    assert_eq!(others.ok, 50);
}

#[test]
fn a_long_run_keeps_few_stretches() {
    let mut tally = Tally::new(None, Vec::new());
    (0..20_000).for_each(|n| tally.add(&sample(n * 180, 1, 1, 1)));
    let stretches = tally.series().stretches();
    assert!((100..=256).contains(&stretches.len()), "{}", stretches.len());
    assert_eq!(stretches.iter().map(|stretch| stretch.arrived).sum::<u64>(), 20_000);
    assert!((Summary::of(&tally).throughput_rps.unwrap() * 0.18 - 1.0).abs() < 0.001);
}
