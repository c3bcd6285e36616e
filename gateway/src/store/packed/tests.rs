//! The packed form against what `serde_json` writes.

use super::*;
use crate::store::fixtures::settled;
use sluice_router::{ExpertSignal, PoolState, Receipt, ReplicaState, Share, SpeedLearner};
use std::collections::BTreeMap;

fn packed<T: Serialize>(value: &T) -> Vec<u8> {
    let mut packer = Packer::default();
    let first = packer.pack(value).expect("packs").to_vec();
    assert_eq!(packer.pack(value).expect("packs"), first, "what it has met before changes nothing");
    first
}

/// Goes there and back, and is what JSON would have been to the byte.
fn check<T: Serialize>(value: &T) {
    let bytes = packed(value);
    assert_eq!(bytes[0], FORM, "has a form of its own");
    assert_eq!(json(&bytes), Some(serde_json::to_string(value).expect("is JSON")));
}

/// A receipt of several experts and replicas, as different from each other as they come.
fn wide() -> Receipt {
    let mut receipt = *settled(7).receipt.expect("has one");
    let share = |n: u32| Share { name: format!("d\"{n}\u{e9}"), p: f64::from(1.0 / (n as f32 + 3.0)) };
    receipt.signals.domains = (0..5).map(share).collect();
    let expert = |n: u32| ExpertSignal { p_capable: 0.1 * f64::from(n), p_lower: -0.0, output_tokens: 1e300 };
    receipt.signals.experts = (0..4).map(|n| (n != 2).then(|| expert(n))).collect();
    let replica = |n: u32| ReplicaState { in_flight: n, hit_tokens: n * 1_000, ..ReplicaState::default() };
    let pool = |n: u32| PoolState {
        replicas: (0..n).map(replica).collect(),
        ttft_ms: f64::from(n) / 3.0,
        ..PoolState::default()
    };
    receipt.pools = (0..4).map(pool).collect();
    for pool in &mut receipt.pools[1..3] {
        pool.speed = Some(SpeedLearner::new().speed());
    }
    receipt.needs.allowed_experts = Some(vec![0, 300, 70_000]);
    receipt.decision.seed = u64::MAX;
    receipt
}

#[test]
fn a_receipt_is_its_json_to_the_byte_and_shorter() {
    check(&wide());
    let (short, long) = (packed(&wide()).len(), serde_json::to_string(&wide()).expect("is JSON").len());
    assert!(short * 5 < long * 2, "{short} of {long}");
    let back: Receipt = serde_json::from_str(&json(&packed(&wide())).expect("whole")).expect("a receipt");
    assert_eq!(back, wide(), "to the last bit");
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "why", content = "what")]
enum Tagged {
    Plain,
    Of(String),
}

#[derive(Serialize)]
enum Odd {
    Unit,
    New(f32),
    Fields { a: i8, b: Option<bool> },
}

#[derive(Serialize)]
struct Pair(i64, char);

#[derive(Serialize)]
struct Skips {
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u8>,
}

#[test]
fn everything_that_serde_knows_is_its_json() {
    check(&(Tagged::Plain, Tagged::Of("x\n".to_owned()), Tagged::Plain, Tagged::Of(String::new())));
    let fields = || Odd::Fields { a: -128, b: Some(true) };
    check(&(Odd::Unit, Odd::New(0.1), fields(), Odd::Fields { a: 127, b: None }, fields()));
    let both = [(None, None), (Some(1), None), (None, Some(2)), (Some(3), Some(4)), (None, None)];
    check(&both.map(|(first, last)| Skips { first, last }));
    check(&(Pair(i64::MIN, '\u{1F600}'), Pair(i64::MAX, '"'), (), 0_u8, -1_i8, u64::MAX));
    check(&BTreeMap::from([("a", vec![0.0, -0.0, 0.1, 0.5, f64::MAX]), ("", vec![f64::NAN, f64::INFINITY])]));
    check(&serde_json::json!({"a": [null, true, 1.5, -7, "t"], "b": {}}));
}

#[test]
fn what_has_no_packed_form_is_kept_as_json() {
    let odd = BTreeMap::from([(1_u8, i128::MAX)]);
    let bytes = packed(&odd);
    assert_eq!(bytes, serde_json::to_vec(&odd).expect("is JSON"));
    assert_eq!(json(&bytes).as_deref(), Some(r#"{"1":170141183460469231731687303715884105727}"#));
}

#[test]
fn damage_is_nothing_and_no_panic() {
    let whole = packed(&wide());
    for len in 0..whole.len() {
        assert_eq!(json(&whole[..len]).filter(|text| text.starts_with('{')), None, "cut at {len}");
    }
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        let _ = json(&flipped);
    }
    assert_eq!(json(&[&[FORM][..], &[tag::LIST, 1].repeat(1_000)].concat()), None, "too deep");
    assert_eq!(json(&[&whole[..], &[0]].concat()), None, "more than a value");
}

/// Files hold this form: it must be read for ever.
#[test]
fn the_first_form_stays_as_it_is() {
    let numbers = [3, 0xAC, 2, 4, 0, 7, 0, 0, 0, 0x3F, 5, 8, 0, 0, 0, 0x40, 6, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F];
    let bytes: &[&[u8]] = &[
        &[1, 10, 4],
        // A struct with the fields `a`, a list of six, and `bb`, which isn't shown.
        &[12, 2, 1, b'a', 2, b'b', b'b', 10, 6],
        &numbers,
        &[14],
        // Another one.
        &[13, 0, 0, 2],
        &[11, 1, 1, b'm', 9, 2, b'h', b'i'],
        &[1],
    ];
    let expected = r#"[{"a":[300,-1,0.5,0.0,2.0,1.5]},{"a":null,"bb":true},{"m":"hi"},false]"#;
    assert_eq!(json(&bytes.concat()).as_deref(), Some(expected));
}

#[test]
fn the_second_form_stays_as_it_is() {
    // A struct with the fields `id`, `bb` and `config`, and another one.
    let bytes = [2, 10, 2, 12, 3, 1, 0, 2, b'b', b'b', 77, 3, 7, 1, 2, 13, 0, 0, 14, 5];
    let expected = r#"[{"id":7,"bb":false,"config":true},{"id":null,"config":0.0}]"#;
    assert_eq!(json(&bytes).as_deref(), Some(expected));
    assert_eq!(json(&[2, 12, 1, 200, 1, 0]), None, "nobody gave that number away");
}

#[test]
fn each_name_in_a_receipt_has_a_number_and_each_number_one_name() {
    let json: serde_json::Value = serde_json::to_value(wide()).expect("is JSON");
    let mut values = vec![&json];
    while let Some(value) = values.pop() {
        let fields = value.as_object().into_iter().flatten();
        for (name, value) in fields {
            let number = names::number(name).unwrap_or_else(|| panic!("{name} goes to the end of the list"));
            assert_eq!(names::name(number), Some(name.as_str()));
            values.push(value);
        }
        values.extend(value.as_array().into_iter().flatten());
    }
}

#[derive(Serialize)]
struct Nested {
    within: Option<Box<Nested>>,
}

#[test]
fn a_struct_within_itself_is_kept_as_json() {
    let nested = Nested { within: Some(Box::new(Nested { within: None })) };
    let mut packer = Packer::default();
    assert_eq!(packer.pack(&nested).expect("packs"), br#"{"within":{"within":null}}"#);
    // What was learned of it before it failed harms nothing that comes after.
    let plain = packer.pack(&Nested { within: None }).expect("packs").to_vec();
    assert_eq!((plain[0], json(&plain).as_deref()), (FORM, Some(r#"{"within":null}"#)));
}
