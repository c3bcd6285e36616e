//! The rival's features: words 1-2 and characters 3-5 inside word bounds (Chinese: 1-3), TF-IDF, hashed wide enough
//! that collisions don't matter.

use std::collections::HashMap;

/// For each text its features as (number, value), of length 1; and how many numbers there are.
pub(crate) fn weigh(texts: &[&str]) -> (Vec<Vec<(u32, f32)>>, usize) {
    let counted: Vec<HashMap<u64, f32>> = texts.iter().map(|text| count(text)).collect();
    let mut frequency: HashMap<u64, u32> = HashMap::new();
    counted.iter().flat_map(|counts| counts.keys()).for_each(|key| *frequency.entry(*key).or_default() += 1);
    let mut known: Vec<u64> =
        frequency.iter().filter(|(_, times)| **times > 1).map(|(key, _)| *key).collect();
    known.sort_unstable();
    let number: HashMap<u64, u32> = known.iter().enumerate().map(|(at, key)| (*key, at as u32)).collect();
    let n = texts.len() as f32;
    let weighed = counted.iter().map(|counts| {
        let known =
            counts.iter().filter_map(|(key, times)| Some((*number.get(key)?, *times, frequency[key])));
        let value = |times: f32, frequency: u32| {
            (1.0 + times.ln()) * (((1.0 + n) / (1.0 + frequency as f32)).ln() + 1.0)
        };
        let mut row: Vec<(u32, f32)> =
            known.map(|(at, times, frequency)| (at, value(times, frequency))).collect();
        row.sort_unstable_by_key(|(at, _)| *at);
        let length = row.iter().map(|(_, value)| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        row.iter_mut().for_each(|(_, value)| *value /= length);
        row
    });
    (weighed.collect(), known.len())
}

fn count(text: &str) -> HashMap<u64, f32> {
    let mut counts = HashMap::new();
    let mut add = |kind: u64, gram: &[char]| {
        let fold =
            |hash: u64, c: &char| (hash ^ u64::from(u32::from(*c))).wrapping_mul(0x0000_0100_0000_01B3);
        *counts.entry(gram.iter().fold(0xCBF2_9CE4_8422_2325 ^ kind, fold)).or_insert(0.0) += 1.0;
    };
    let lower: Vec<char> = text.to_lowercase().chars().collect();
    let mut previous: Vec<char> = vec![];
    for word in lower.split(|c| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if word.iter().any(|&c| c >= '\u{2E80}') {
            (1..=3).for_each(|size| word.windows(size).for_each(|gram| add(0, gram)));
            continue;
        }
        if word.len() > 1 {
            add(1, word);
            let pair = [&previous[..], &[' '], word].concat();
            add(1, &pair);
            previous = word.to_vec();
        }
        let padded = [&[' '], word, &[' ']].concat();
        (3..=5).for_each(|size| padded.windows(size).for_each(|gram| add(2, gram)));
    }
    counts
}
