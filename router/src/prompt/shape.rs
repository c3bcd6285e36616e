//! The shape of a text: 25 counts from one pass, and which scripts it is written in.
//!
//! Shape tells difficulty where words don't: how many numbers, options, negations and relations a question has.

mod ascii;

use super::ascii::Tokens;
use super::tokens::is_cjk;
use super::{hash, keywords};

/// How many shape counts there are.
pub const SHAPE: usize = 25;

/// What each shape count is; `ln` means ln(1 + count).
pub const SHAPE_NAMES: [&str; SHAPE] = [
    "ln characters",
    "ln words",
    "ln characters before the first option",
    "mean word length",
    "ln numerals",
    "ln distinct numerals",
    "ln digit share in %",
    "ln largest numeral",
    "ln numerals with a decimal point",
    "ln sentences",
    "words per sentence",
    "ln lines",
    "options",
    "ln mean option length",
    "share of options with a digit",
    "ln backslashes and half the dollars",
    "ln percent and dollar signs",
    "ln operators",
    "ln brackets, semicolons and underscores",
    "ln negations",
    "ln relation words",
    "ln commas",
    "ln question marks",
    "ideograph share",
    "ln non-ASCII characters",
];

/// How much of a text is written in which script; the raw material of the language rule.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Scripts {
    pub(crate) han: u32,
    pub(crate) kana: u32,
    pub(crate) hangul: u32,
    /// Words of Latin letters; of these, English function words, those of other languages, and accented ones.
    pub(crate) latin_words: u32,
    pub(crate) english_words: u32,
    pub(crate) foreign_words: u32,
    pub(crate) accented_words: u32,
    /// Letters of any other script.
    pub(crate) other_letters: u32,
}

/// Counts the shape and the scripts of a normalised text. Case makes no difference: people retype.
///
/// `tokens` are the text's where it is all ASCII.
pub(super) fn measure(text: &str, tokens: Option<&Tokens>) -> ([f32; SHAPE], Scripts) {
    let pass = tokens.map_or_else(|| read(text), |tokens| ascii::read(text.as_bytes(), tokens));
    (pass.shape(), pass.scripts)
}

/// Any text, character by character, but for what most are: letters, digits and spaces, which come in runs.
fn read(text: &str) -> Pass<'_> {
    let mut pass = Pass { at_line_start: true, bytes: text.as_bytes(), ..Pass::default() };
    while let Some(&byte) = pass.bytes.get(pass.at) {
        pass.at += match byte {
            b'a'..=b'z' | b'A'..=b'Z' if pass.is_within_a_line() => pass.see_letters(),
            b'0'..=b'9' => pass.see_digits(),
            b' ' => pass.see_space(),
            _ => pass.see(&text[pass.at..]),
        };
    }
    pass.end_word();
    pass.end_numeral();
    pass.end_line();
    pass
}

#[derive(Default)]
struct Pass<'a> {
    bytes: &'a [u8],
    /// How far it has come.
    at: usize,
    chars: u32,
    digits: u32,
    non_ascii: u32,
    ideographs: u32,
    backslashes: u32,
    dollars: u32,
    percents: u32,
    operators: u32,
    brackets: u32,
    commas: u32,
    questions: u32,
    sentences: u32,
    lines: u32,
    words: u32,
    word_chars: u32,
    negations: u32,
    relations: u32,
    numerals: u32,
    distinct: Vec<u64>,
    largest: f64,
    decimals: u32,
    before_options: Option<u32>,
    options: u32,
    option_chars: u32,
    options_with_digit: u32,
    /// The option that is being read: its length and whether it has a digit.
    option: Option<(u32, bool)>,
    at_line_start: bool,
    word: Word,
    numeral: Numeral,
    scripts: Scripts,
}

/// The word that is being read: where it begins, its length, in which script it is.
#[derive(Default)]
struct Word {
    begins: usize,
    chars: u32,
    is_latin: bool,
    is_accented: bool,
}

/// The numeral that is being read: value, digits after the point, digits seen.
#[derive(Default)]
struct Numeral {
    value: f64,
    scale: f64,
    digits: u32,
}

impl Numeral {
    fn add(&mut self, digits: &[u8]) {
        self.digits += digits.len() as u32; // clipped long before
        let digits = digits.iter().map(|digit| digit - b'0');
        if self.scale > 0.0 {
            for digit in digits {
                self.value += f64::from(digit) * self.scale;
                self.scale *= 0.1;
            }
            return;
        }
        // Whole up to here, so that it is exact as an integer, which is quicker to count with.
        let whole =
            digits.fold(self.value as u64, |whole, digit| (whole * 10 + u64::from(digit)).min(LARGEST));
        self.value = whole as f64;
    }
}

impl Pass<'_> {
    /// The first character of `rest`, whatever it is. Returns its bytes.
    fn see(&mut self, rest: &str) -> usize {
        let mut chars = rest.chars();
        let Some(c) = chars.next() else { return 0 };
        let next = chars.next();
        self.chars += 1;
        if self.at_line_start
            && ('A'..='J').contains(&c.to_ascii_uppercase())
            && matches!(next, Some('.' | ')'))
        {
            self.begin_option();
        }
        self.at_line_start = false;
        self.count_number(c, next);
        if is_cjk(c) {
            self.end_word();
            self.count_ideograph(c);
        } else if c.is_alphanumeric() || c == '_' {
            self.extend_word(c);
        } else {
            self.end_word();
        }
        self.count_mark(c, next);
        self.lengthen_option(1);
        c.len_utf8()
    }

    /// Whether a letter that comes now is nothing but a part of a word: not the name of an option, and after no digit.
    fn is_within_a_line(&self) -> bool {
        !self.at_line_start && self.numeral.digits == 0
    }

    /// The bytes of such a kind that come now.
    fn run(&self, is_such: fn(&u8) -> bool) -> &[u8] {
        let rest = &self.bytes[self.at..];
        &rest[..rest.iter().position(|byte| !is_such(byte)).unwrap_or(rest.len())]
    }

    /// Letters within a line: most of what there is to see. Returns how many.
    fn see_letters(&mut self) -> usize {
        let count = self.run(u8::is_ascii_alphabetic).len();
        self.word.is_latin = true;
        self.see_in_word(count);
        count
    }

    fn see_digits(&mut self) -> usize {
        let mut numeral = std::mem::take(&mut self.numeral);
        let digits = self.run(u8::is_ascii_digit);
        let count = digits.len();
        numeral.add(digits);
        self.numeral = numeral;
        self.at_line_start = false;
        self.digits += count as u32; // clipped long before
        self.see_in_word(count);
        if let Some((_, has_digit)) = &mut self.option {
            *has_digit = true;
        }
        count
    }

    fn see_space(&mut self) -> usize {
        self.chars += 1;
        self.at_line_start = false;
        self.end_numeral();
        self.end_word();
        self.lengthen_option(1);
        1
    }

    /// Bytes that are a part of a word and nothing else.
    fn see_in_word(&mut self, count: usize) {
        let count = count as u32; // clipped long before
        self.chars += count;
        self.lengthen_word(count);
        self.lengthen_option(count);
    }

    fn lengthen_word(&mut self, by: u32) {
        if self.word.chars == 0 {
            self.word.begins = self.at;
        }
        self.word.chars += by;
    }

    fn lengthen_option(&mut self, by: u32) {
        if let Some((length, _)) = &mut self.option {
            *length += by;
        }
    }

    fn count_mark(&mut self, c: char, next: Option<char>) {
        let ends = || next.is_none_or(|next| next.is_whitespace() || is_cjk(next));
        self.non_ascii += u32::from(!c.is_ascii());
        match c {
            '\n' => self.end_line(),
            '\\' => self.backslashes += 1,
            '$' => self.dollars += 1,
            '%' => self.percents += 1,
            '+' | '=' | '*' | '/' | '^' | '<' | '>' => self.operators += 1,
            '{' | '}' | '[' | ']' | '(' | ')' | ';' | '_' => self.brackets += 1,
            ',' | '、' => self.commas += 1,
            '。' => self.sentences += 1,
            '?' => {
                self.questions += 1;
                self.sentences += u32::from(ends());
            }
            '.' | '!' if ends() => self.sentences += 1,
            _ => {}
        }
    }

    fn count_ideograph(&mut self, c: char) {
        self.ideographs += 1;
        match c {
            '\u{3040}'..='\u{30FF}' => self.scripts.kana += 1,
            '\u{AC00}'..='\u{D7AF}' => self.scripts.hangul += 1,
            _ => self.scripts.han += 1,
        }
        if matches!(c, '不' | '非' | '无' | '未' | '没') {
            self.negations += 1;
        }
    }

    /// Digits, with points and thousands commas between them, make one numeral.
    fn count_number(&mut self, c: char, next: Option<char>) {
        let number = &mut self.numeral;
        let inside = number.digits > 0 && next.is_some_and(|next| next.is_ascii_digit());
        match c {
            '.' if inside && number.scale == 0.0 => number.scale = 0.1,
            ',' if inside && number.scale == 0.0 => {}
            _ => self.end_numeral(),
        }
    }

    fn end_numeral(&mut self) {
        if self.numeral.digits == 0 {
            return;
        }
        let Numeral { value, scale, .. } = std::mem::take(&mut self.numeral);
        self.count_numeral(value, scale);
    }

    fn count_numeral(&mut self, value: f64, scale: f64) {
        self.numerals += 1;
        self.decimals += u32::from(scale > 0.0);
        self.largest = self.largest.max(value);
        if self.distinct.len() < MOST_NUMERALS && !self.distinct.contains(&value.to_bits()) {
            self.distinct.push(value.to_bits());
        }
    }

    fn extend_word(&mut self, c: char) {
        let is_latin = c.is_ascii_alphabetic() || ('\u{C0}'..='\u{24F}').contains(&c);
        if c.is_alphabetic() && !is_latin {
            self.scripts.other_letters += 1;
        }
        self.word.is_latin |= is_latin;
        self.word.is_accented |= is_latin && !c.is_ascii();
        self.lengthen_word(1);
    }

    fn end_word(&mut self) {
        if self.word.chars == 0 {
            return;
        }
        let word = std::mem::take(&mut self.word);
        self.scripts.latin_words += u32::from(word.is_latin);
        self.scripts.accented_words += u32::from(word.is_accented);
        self.count_word(hash::word(&self.bytes[word.begins..self.at]), word.chars);
    }

    /// A word with this hash, of so many characters.
    fn count_word(&mut self, hash: u64, chars: u32) {
        let (meaning, is_long) = (keywords::meaning(hash), u32::from(chars >= 2));
        self.scripts.english_words += meaning.is_english();
        self.scripts.foreign_words += meaning.is_foreign();
        self.words += is_long;
        self.word_chars += is_long * chars;
        // None of these has a single letter.
        self.negations += meaning.is_negation();
        self.relations += meaning.is_relation();
    }

    fn begin_option(&mut self) {
        self.before_options.get_or_insert(self.chars - 1);
        self.options += 1;
        self.option = Some((0, false));
    }

    fn end_line(&mut self) {
        self.lines += 1;
        self.at_line_start = true;
        if let Some((length, has_digit)) = self.option.take() {
            self.option_chars += length;
            self.options_with_digit += u32::from(has_digit);
        }
    }

    fn shape(&self) -> [f32; SHAPE] {
        let ln = |count: f64| libm::log1p(count);
        let of = |count: u32| f64::from(count);
        let share = |part: u32, whole: u32| of(part) / of(whole.max(1));
        let shape = [
            ln(of(self.chars)),
            ln(of(self.words)),
            ln(of(self.before_options.unwrap_or(self.chars))),
            share(self.word_chars, self.words),
            ln(of(self.numerals)),
            ln(self.distinct.len() as f64),
            ln(100.0 * share(self.digits, self.chars)),
            ln(self.largest),
            ln(of(self.decimals)),
            ln(of(self.sentences)),
            share(self.words, self.sentences),
            ln(of(self.lines)),
            of(self.options),
            ln(share(self.option_chars, self.options)),
            share(self.options_with_digit, self.options),
            ln(of(self.backslashes) + of(self.dollars) / 2.0),
            ln(of(self.percents) + of(self.dollars)),
            ln(of(self.operators)),
            ln(of(self.brackets)),
            ln(of(self.negations)),
            ln(of(self.relations)),
            ln(of(self.commas)),
            ln(of(self.questions)),
            share(self.ideographs, self.chars),
            ln(of(self.non_ascii)),
        ];
        shape.map(|value| value as f32)
    }
}

/// Larger numerals count as this one.
const LARGEST: u64 = 1_000_000_000_000_000;
/// Distinct numerals are counted up to here.
const MOST_NUMERALS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::odd;

    fn counted(text: &str) -> ([f32; SHAPE], Scripts) {
        let tokens = text.is_ascii().then(|| Tokens::of(text.as_bytes()));
        measure(text, tokens.as_ref())
    }

    fn check(text: &str, expected: &[(&str, f64)]) {
        let (shape, _) = counted(text);
        for &(name, value) in expected {
            let at = SHAPE_NAMES.iter().position(|&known| known == name).expect("a shape count");
            assert!(
                (f64::from(shape[at]) - value).abs() < 1e-5,
                "{name} of {text:?}: {} not {value}",
                shape[at]
            );
        }
    }

    #[test]
    fn shapes_are_counted_as_documented() {
        let ln = |count: f64| libm::log1p(count);
        check(
            "If each box holds 1,200 nuts, what is 2.5 times half?\nA. 12\nB. none",
            &[
                ("ln numerals", ln(3.0)),
                ("ln distinct numerals", ln(3.0)),
                ("ln largest numeral", ln(1200.0)),
                ("ln numerals with a decimal point", ln(1.0)),
                ("options", 2.0),
                ("share of options with a digit", 0.5),
                ("ln characters before the first option", ln(54.0)),
                ("ln relation words", ln(4.0)),
                ("ln lines", ln(3.0)),
                ("ln question marks", ln(1.0)),
                ("ln commas", ln(2.0)),
            ],
        );
        check(
            "盗窃不是犯罪。对吗?",
            &[("ideograph share", 0.8), ("ln sentences", ln(2.0)), ("ln negations", ln(1.0))],
        );
        check("", &[("ln characters", 0.0), ("words per sentence", 0.0)]);
    }

    #[test]
    fn ascii_is_counted_like_any_text() {
        #[rustfmt::skip]
        const PIECES: &[&str] = &[
            "a", "B.", "A) ", "K. ", "word", "Not", "each ", "the", "7", "12", "1,200", "2.5", "3.", ".5", "0", "\n",
            "\nC. ", "\nj)", " ", "\t", "\u{b}", "\u{1c}", "\u{0}", ".", "? ", "!", ",", "$", "%", "\\", "(", "_", "+",
            "'s", "x1y", "99999999999999999999", "1.234567",
        ];
        for text in odd::texts(PIECES, 3_000) {
            let short = ascii::read(text.as_bytes(), &Tokens::of(text.as_bytes()));
            let long = read(&text);
            assert_eq!(short.shape().map(f32::to_bits), long.shape().map(f32::to_bits), "{text:?}");
            assert_eq!(short.scripts, long.scripts, "{text:?}");
        }
    }

    #[test]
    fn scripts_are_told_apart() {
        let scripts = |text| counted(text).1;
        assert_eq!(scripts("法律かな").han, 2);
        assert_eq!(scripts("法律かな").kana, 2);
        assert_eq!(scripts("the law of the sea").english_words, 3);
        assert_eq!(scripts("le droit de la mer où").accented_words, 1);
        assert_eq!(scripts("закон").other_letters, 5);
    }
}
