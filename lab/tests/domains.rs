//! Domains, what is in none of them, and the lock of experts that refuse what is not theirs.

use sluice_lab::corpus::{DomainText, Outcome, Row, load_domains, load_outcomes};
use sluice_lab::train;
use sluice_router::{Params, Signals, classify, prompt_hash};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

/// Made-up texts of two domains, in English and Chinese, of words that are the domain's own.
fn texts(n: u64, salt: u64) -> Vec<DomainText> {
    let law = ["contract", "tenant", "statute", "court", "damages", "breach", "clause", "appeal", "deed"];
    let ship =
        ["parcel", "freight", "customs", "pallet", "courier", "tracking", "warehouse", "cargo", "depot"];
    let law_zh = ["合同", "租客", "法条", "法院", "赔偿", "违约", "条款", "上诉", "诉讼"];
    let ship_zh = ["包裹", "货运", "海关", "托盘", "快递", "运单", "仓库", "集装箱", "物流"];
    let text = |at: u64| {
        let seed = prompt_hash(&format!("{salt} {at}"));
        let (is_law, is_chinese) = (seed.is_multiple_of(2), (seed >> 1).is_multiple_of(2));
        let words = match (is_law, is_chinese) {
            (true, false) => law,
            (false, false) => ship,
            (true, true) => law_zh,
            (false, true) => ship_zh,
        };
        let word = |place: u64| words[(prompt_hash(&format!("{seed} {place}")) % 9) as usize];
        let said: Vec<&str> = (0..3 + seed % 5).map(word).collect();
        DomainText {
            text: said.join(if is_chinese { "的" } else { " and the " }),
            domain: if is_law { "law" } else { "logistics" }.to_owned(),
            lang: Some(if is_chinese { "zh" } else { "en" }.to_owned()),
            kind: None,
        }
    };
    (0..n).map(text).collect()
}

fn model() -> Params {
    let row = |(at, text): (usize, DomainText)| Row {
        id: at.to_string(),
        prompt: text.text,
        outcomes: vec![Outcome { expert: "big".to_owned(), score: 1.0, ..Outcome::default() }],
        ..Row::default()
    };
    let rows: Vec<Row> = texts(60, 1).into_iter().enumerate().map(row).collect();
    train(&rows, &texts(800, 2), 1, &mut |_| {}).expect("enough rows").0
}

fn see(params: &Params, text: &str) -> Signals {
    classify(params, text, &params.bind(&[]))
}

#[test]
fn shares_sum_to_what_is_in_scope_and_poems_are_out() {
    let params = model();
    for text in texts(50, 3) {
        let signals = see(&params, &text.text);
        let sum: f64 = signals.domains.iter().map(|share| share.p).sum();
        let outside = signals.p_out_of_scope.expect("a model of several domains tells");
        assert!((sum + outside - 1.0).abs() < 1e-6, "{sum} and {outside}");
        assert_eq!(signals.domain().expect("two domains").name, text.domain);
        assert!(outside < 0.5, "{}: {outside}", text.text);
    }
    for poem in ["Sing me a verse about the silver moon", "给我唱一段关于银色月亮的歌词"] {
        let signals = see(&params, poem);
        assert!(signals.p_out_of_scope.expect("told") > 0.5, "{poem}: {signals:?}");
        assert_eq!(signals.inside, Some(vec![]), "{poem}");
    }
}

#[test]
fn a_locked_expert_sees_its_own_and_neither_the_other_domain_nor_the_unknown() {
    let params = model();
    let (mut refused, mut let_in, mut own) = (0, 0, 0);
    for text in texts(1_000, 4) {
        let inside = see(&params, &text.text).inside.expect("told");
        own += 1;
        refused += usize::from(!inside.contains(&text.domain));
        let_in += usize::from(inside.iter().any(|name| *name != text.domain));
    }
    // 5 %, and three standard errors over the draw of about 400 calibration texts and 1,000 fresh ones.
    assert!(refused as f64 <= (0.05 + 0.04) * f64::from(own), "{refused} of {own} refused");
    assert!(let_in as f64 <= 0.02 * f64::from(own), "{let_in} of another domain let in");
    for unknown in
        ["", "   ", "契約書のレビューをお願いします", "Проверьте договор", "계약서를 검토해 주세요"]
    {
        assert_eq!(see(&params, unknown).inside, Some(vec![]), "{unknown:?}");
    }
}

/// Out-of-scope text with a tail of domain words: what gets through is what the tail outweighs.
#[test]
fn a_few_quoted_domain_words_do_not_open_a_lock() {
    let params = model();
    let poem = "Sing me a long and gentle verse about the silver moon over the quiet harbour of my childhood";
    for tail in ["contract", "tenant statute"] {
        let inside = see(&params, &format!("{poem}. {tail}")).inside.expect("told");
        assert!(inside.is_empty(), "{tail}: {inside:?}");
    }
}

/// The folder with `quality/` and `domains/`; `None` with a loud line when it isn't there.
fn data() -> Option<PathBuf> {
    let found = std::env::var_os("SLUICE_EVAL_DATA").map(PathBuf::from).filter(|folder| folder.is_dir());
    if found.is_none() {
        // Not `eprintln!`, which the test runner would keep to itself.
        let line = "SKIPPED: set SLUICE_EVAL_DATA to a folder with quality/, domains/ and prices.toml";
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    found
}

/// Trains on four fifths of the domain texts, without `left_out`; what is seen in the other fifth.
fn held_out(folder: &std::path::Path, left_out: &str) -> Vec<(DomainText, Signals)> {
    let texts =
        load_domains(&["en", "zh"].map(|lang| folder.join("domains").join(format!("{lang}.jsonl.gz"))))
            .expect("valid");
    let (unseen, mut seen): (Vec<_>, Vec<_>) =
        texts.into_iter().partition(|text| prompt_hash(&text.text).is_multiple_of(5));
    seen.retain(|text| text.domain != left_out);
    let rows = load_outcomes(&[folder.join("quality/zeroeval.jsonl.gz")]).expect("a valid file").rows;
    let (params, _) = train(&rows, &seen, 1, &mut |_| {}).expect("enough rows");
    let seen = |text: DomainText| {
        let signals = see(&params, &text.text);
        (text, signals)
    };
    unseen.into_iter().map(seen).collect()
}

fn share(hits: impl Iterator<Item = bool>) -> f64 {
    let hits: Vec<bool> = hits.collect();
    hits.iter().filter(|hit| **hit).count() as f64 / hits.len() as f64
}

#[test]
fn real_domains_are_recognised() {
    let Some(folder) = data() else { return };
    let seen = held_out(&folder, "");
    let is_right = |text: &DomainText, signals: &Signals| {
        signals.domain().is_some_and(|share| share.name == text.domain)
    };
    for (lang, kind, least) in
        [("en", "request", 0.935), ("en", "exam", 0.90), ("zh", "request", 0.955), ("zh", "exam", 0.92)]
    {
        let of = seen
            .iter()
            .filter(|(text, _)| text.lang.as_deref() == Some(lang) && text.kind.as_deref() == Some(kind));
        let right = share(of.map(|(text, signals)| is_right(text, signals)));
        assert!(right >= least, "{lang} {kind}: {right:.3}");
    }
    for (lang, least) in [("en", 0.94), ("zh", 0.95)] {
        let mut counts: BTreeMap<&str, [f64; 2]> = BTreeMap::new(); // right, and called or truly so
        for (text, signals) in seen.iter().filter(|(text, _)| text.lang.as_deref() == Some(lang)) {
            let called = &signals.domain().expect("eleven domains").name;
            counts.entry(called).or_default()[1] += 1.0;
            let of = counts.entry(&text.domain).or_default();
            *of = [of[0] + f64::from(u8::from(*called == text.domain)), of[1] + 1.0];
        }
        let f1 = counts.values().map(|[right, both]| 2.0 * right / both).sum::<f64>() / counts.len() as f64;
        assert!(f1 >= least, "{lang}: macro-F1 {f1:.3}");
    }
}

#[test]
fn what_is_in_no_real_domain_is_noticed_and_kept_from_locked_experts() {
    let Some(folder) = data() else { return };
    let seen = held_out(&folder, "general");
    for lang in ["en", "zh"] {
        let of: Vec<_> = seen.iter().filter(|(text, _)| text.lang.as_deref() == Some(lang)).collect();
        let (outside, within): (Vec<_>, Vec<_>) =
            of.into_iter().partition(|(text, _)| text.domain == "general");
        let p = |signals: &Signals| signals.domain().map_or(0.0, |share| share.p);
        let mut scores: Vec<f64> = within.iter().map(|(_, signals)| p(signals)).collect();
        scores.sort_by(f64::total_cmp);
        let threshold = scores[scores.len() / 20];
        let recall = share(outside.iter().map(|(_, signals)| p(signals) < threshold));
        assert!(recall >= 0.6, "{lang}: {recall:.3} of the texts out of scope at 5 % false positives");
        let inside = |signals: &Signals| signals.inside.clone().expect("told");
        let refused = share(within.iter().map(|(text, signals)| !inside(signals).contains(&text.domain)));
        assert!(refused <= 0.06, "{lang}: {refused:.3} of their own texts refused");
        let astray = |(text, signals): &&(DomainText, Signals)| {
            inside(signals).iter().filter(|name| **name != text.domain).count() as f64 / 10.0
        };
        let let_in = within.iter().map(astray).sum::<f64>() / within.len() as f64;
        assert!(let_in <= 0.05, "{lang}: a locked expert gets {let_in:.3} of the other domains' texts");
        let let_in = outside.iter().map(astray).sum::<f64>() / outside.len() as f64;
        assert!(let_in <= 0.15, "{lang}: a locked expert gets {let_in:.3} of the texts out of scope");
    }
}
