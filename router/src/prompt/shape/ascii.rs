//! The same counts for a text that is all ASCII, in a few loops over its bytes, each for one thing.

use super::{Numeral, Pass};
use crate::prompt::ascii::{Tokens, runs};

/// Counts everything; `tokens` are the text's.
pub(super) fn read<'a>(text: &'a [u8], tokens: &Tokens) -> Pass<'a> {
    let mut pass = Pass { bytes: text, chars: text.len() as u32, ..Pass::default() }; // clipped long before
    count_marks(&mut pass);
    count_options(&mut pass);
    pass.sentences = tokens.ends(|byte| (byte == b'.') | (byte == b'!') | (byte == b'?'));
    for word in &tokens.words {
        pass.scripts.latin_words += u32::from(word.is_latin);
        pass.count_word(word.hash, word.length);
    }
    if pass.digits > 0 {
        count_numerals(&mut pass);
    }
    pass
}

fn count_marks(pass: &mut Pass<'_>) {
    let text = pass.bytes;
    pass.digits = times(text, |byte| byte.is_ascii_digit());
    pass.lines = times(text, |byte| byte == b'\n') + 1;
    pass.backslashes = times(text, |byte| byte == b'\\');
    pass.dollars = times(text, |byte| byte == b'$');
    pass.percents = times(text, |byte| byte == b'%');
    pass.operators = times_of_any(text, *b"+=*/^<>");
    pass.brackets = times_of_any(text, *b"{}[]();_");
    pass.commas = times(text, |byte| byte == b',');
    pass.questions = times(text, |byte| byte == b'?');
}

fn times_of_any<const N: usize>(text: &[u8], bytes: [u8; N]) -> u32 {
    times(text, |byte| bytes.iter().fold(false, |is_any, &other| is_any | (byte == other)))
}

/// How many bytes are such. In pieces whose count fits into a byte, so that many are compared at once.
fn times(text: &[u8], is_such: impl Fn(u8) -> bool) -> u32 {
    let of_piece = |piece: &[u8]| piece.iter().fold(0u8, |count, &byte| count + u8::from(is_such(byte)));
    text.chunks(255).map(|piece| u32::from(of_piece(piece))).sum()
}

/// Lines that begin with a letter up to J and a point or a bracket.
fn count_options(pass: &mut Pass<'_>) {
    let mut begins = 0;
    for _ in 0..pass.lines {
        let rest = &pass.bytes[begins..];
        let is_option = matches!(rest, [b'A'..=b'J' | b'a'..=b'j', b'.' | b')', ..]);
        if !is_option && pass.lines == 1 {
            return;
        }
        let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        if is_option {
            pass.before_options.get_or_insert(begins as u32); // clipped long before
            pass.options += 1;
            pass.option_chars += length as u32;
            pass.options_with_digit += u32::from(rest[..length].iter().any(u8::is_ascii_digit));
        }
        begins += length + 1;
    }
}

/// Digits, with points and thousands commas between them, make one numeral.
fn count_numerals(pass: &mut Pass<'_>) {
    let text = pass.bytes;
    let mut numeral = Numeral::default();
    let mut runs = runs(text, |byte| byte.is_ascii_digit()).peekable();
    while let Some(run) = runs.next() {
        numeral.add(&text[run.clone()]);
        let goes_on = runs.peek().is_some_and(|next| next.start == run.end + 1) && numeral.scale == 0.0;
        match text.get(run.end) {
            Some(b'.') if goes_on => numeral.scale = 0.1,
            Some(b',') if goes_on => {}
            _ => {
                pass.count_numeral(numeral.value, numeral.scale);
                numeral = Numeral::default();
            }
        }
    }
}
