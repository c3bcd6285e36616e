//! The language of a text, from its scripts and its function words: a rule, since it needs no training data.

use crate::prompt::Scripts;
use crate::signals::Share;

/// Shares of Chinese (`zh`), English (`en`) and any other language (`other`), most probable first.
///
/// A Chinese character weighs as much as a word. Kana or hangul make the text other than Chinese; Latin words count
/// as English unless accents or function words of other languages outweigh English ones.
pub(super) fn languages(scripts: &Scripts) -> Vec<Share> {
    let count = |n: u32| f64::from(n);
    let han = count(scripts.han);
    let is_chinese = count(scripts.kana + scripts.hangul) <= 0.1 * han;
    let words = count(scripts.latin_words);
    let (for_english, against) = (
        count(scripts.english_words) + 1.0,
        2.0 * count(scripts.foreign_words) + 1.5 * count(scripts.accented_words),
    );
    let english = words * for_english / (for_english + against);
    let mut zh = PRIOR + if is_chinese { han } else { 0.0 };
    let mut en = PRIOR + english;
    let mut other = PRIOR + if is_chinese { 0.0 } else { han } + (words - english);
    other += count(scripts.kana + scripts.hangul) + count(scripts.other_letters) / LETTERS_PER_WORD;
    let sum = zh + en + other;
    for share in [&mut zh, &mut en, &mut other] {
        *share /= sum;
    }
    let mut shares = [("en", en), ("zh", zh), ("other", other)];
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares.map(|(name, p)| Share { name: name.to_owned(), p }).to_vec()
}

/// What each language has without any evidence, in words.
const PRIOR: f64 = 0.1;
const LETTERS_PER_WORD: f64 = 5.0;

#[cfg(test)]
mod tests {
    use crate::prompt::count;

    #[test]
    fn languages_are_told_apart() {
        for (text, expected) in [
            ("What is the statute of limitations for a breach of contract?", "en"),
            ("关于剥夺政治权利，下列说法错误的是？", "zh"),
            ("请用 Python 写一个 quick sort 函数", "zh"),
            ("fix my nginx 502", "en"),
            ("Quelle est la durée de validité de ce contrat de location ?", "other"),
            ("Wie kann ich den Vertrag kündigen und was kostet das?", "other"),
            ("¿Cuánto cuesta el envío a Madrid?", "other"),
            ("契約書のレビューをお願いします", "other"),
            ("계약서를 검토해 주세요", "other"),
            ("Проверьте, пожалуйста, договор", "other"),
        ] {
            let shares = super::languages(&count(text).scripts);
            assert_eq!(shares[0].name, expected, "{text}: {shares:?}");
            assert!((shares.iter().map(|share| share.p).sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
