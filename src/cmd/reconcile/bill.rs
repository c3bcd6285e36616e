//! A vendor's bill as a CSV file.

use super::Tokens;
use crate::cmd::report::when;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use sluice_router::NanoUsd;
use std::collections::BTreeMap;

/// What a bill says of one expert on one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Billed {
    /// Lines that are summed here.
    pub(super) lines: u64,
    pub(super) tokens: Tokens,
    pub(super) amount: NanoUsd,
}

/// The bill by day and expert; `renamed` tells what the vendor calls our experts.
///
/// # Errors
/// A line that can't be read, with its number and the mend.
pub(super) fn read(
    text: &str,
    renamed: &BTreeMap<String, String>,
) -> Result<BTreeMap<(String, String), Billed>> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let (_, head) = lines.next().context("the bill is empty")?;
    let columns = Columns::of(&fields(head).context("line 1: a quote is not closed")?)?;
    let mut bill = BTreeMap::<(String, String), Billed>::new();
    for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let said = || format!("line {}", at + 1);
        let fields = fields(line).context("a quote is not closed").with_context(said)?;
        let (day, model, read) = columns.read(&fields).with_context(said)?;
        let expert = renamed.get(&model).unwrap_or(&model).clone();
        let billed = bill.entry((day, expert)).or_default();
        billed.add(&read).context("the sums exceed 64 bits").with_context(said)?;
    }
    ensure!(!bill.is_empty(), "the bill has no lines below its header");
    Ok(bill)
}

impl Billed {
    fn add(&mut self, other: &Billed) -> Option<()> {
        self.lines += 1;
        self.tokens = self.tokens.plus(other.tokens)?;
        self.amount = NanoUsd(self.amount.0.checked_add(other.amount.0)?);
        Some(())
    }
}

/// Where each value stands.
struct Columns {
    date: usize,
    model: usize,
    input: usize,
    cached: Option<usize>,
    cache_write: Option<usize>,
    output: usize,
    amount: usize,
}

impl Columns {
    fn of(head: &[String]) -> Result<Columns> {
        let find = |name: &str| head.iter().position(|field| field.trim().eq_ignore_ascii_case(name));
        let need =
            |name: &str| find(name).with_context(|| format!("line 1: there is no column {name}; {FORM}"));
        Ok(Columns {
            date: need("date")?,
            model: find("expert").map_or_else(|| need("model"), Ok)?,
            input: need("input_tokens")?,
            cached: find("cached_tokens"),
            cache_write: find("cache_write_tokens"),
            output: need("output_tokens")?,
            amount: need("amount")?,
        })
    }

    /// Day, model and numbers of a line.
    fn read(&self, fields: &[String]) -> Result<(String, String, Billed)> {
        let field = |at: usize| fields.get(at).map_or("", |field| field.trim());
        let count = |at: Option<usize>| -> Result<u64> {
            match at.map_or("", field) {
                "" => Ok(0),
                text => text.parse().map_err(|_| anyhow!("{text:?} is not a number of tokens")),
            }
        };
        let date = field(self.date);
        if let Err(mend) = when::parse(date) {
            bail!("{date:?} is no date; {mend}");
        }
        // Days are told apart in UTC, so a time with another offset would be on a day that it doesn't show.
        let has_offset = date.len() > 10 && !date.ends_with(['Z', 'z']);
        ensure!(!has_offset, "{date:?} is not in UTC; write it with Z at its end");
        ensure!(!field(self.model).is_empty(), "the expert is missing");
        let tokens = Tokens {
            input: count(Some(self.input))?,
            cached: count(self.cached)?,
            cache_write: count(self.cache_write)?,
            output: count(Some(self.output))?,
        };
        ensure!(
            tokens.cached.saturating_add(tokens.cache_write) <= tokens.input,
            "more cached than input tokens; input_tokens includes both kinds of cached ones"
        );
        let amount = NanoUsd::from_usd(field(self.amount)).context("amount")?;
        Ok((date[..10].to_owned(), field(self.model).to_owned(), Billed { lines: 1, tokens, amount }))
    }
}

/// The fields of a line by RFC 4180; `None` when a quote is not closed.
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '"' if is_quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    (!is_quoted).then_some(fields)
}

const FORM: &str = "the header is date,expert,input_tokens,cached_tokens,output_tokens,amount";

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "date,model,input_tokens,cached_tokens,output_tokens,amount\n";

    fn read(lines: &str) -> Result<BTreeMap<(String, String), Billed>, String> {
        let renamed = BTreeMap::from([("gpt-x-2026".to_owned(), "big".to_owned())]);
        super::read(lines, &renamed).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn lines_of_a_day_are_summed_by_our_names() {
        let bill = read(&format!(
            "\u{feff}{HEAD}2026-08-01,gpt-x-2026,10,4,2,0.5\r\n2026-08-01T23:59:59Z,\"big\",1,,3,-0.000000001\r\n\n"
        ));
        let tokens = Tokens { input: 11, cached: 4, cache_write: 0, output: 5 };
        let expected = Billed { lines: 2, tokens, amount: NanoUsd(499_999_999) };
        assert_eq!(bill, Ok(BTreeMap::from([(("2026-08-01".to_owned(), "big".to_owned()), expected)])));
    }

    #[test]
    fn columns_stand_in_any_order() {
        let bill = read(
            "Amount,output_tokens,cache_write_tokens,input_tokens,expert,Date\n1,2,3,4,\"a,\"\"b\"\"\",2026-08-01",
        );
        let bill = bill.expect("read");
        let (key, billed) = bill.first_key_value().expect("a line");
        assert_eq!(key.1, "a,\"b\"");
        assert_eq!(billed.tokens, Tokens { input: 4, cached: 0, cache_write: 3, output: 2 });
    }

    #[test]
    fn mistakes_have_their_line_and_a_mend() {
        for (text, words) in [
            (String::new(), "empty"),
            (HEAD.to_owned(), "no lines"),
            ("date,model\n".to_owned(), "no column input_tokens; the header is date,expert"),
            (
                format!("{HEAD}yesterday,a,1,0,1,1\n"),
                "line 2: \"yesterday\" is no date; write a date such as",
            ),
            (
                format!("{HEAD}2026-08-01T00:00:00+08:00,a,1,0,1,1\n"),
                "line 2: \"2026-08-01T00:00:00+08:00\" is not in UTC",
            ),
            (format!("{HEAD}2026-08-01,a,x,0,1,1\n"), "line 2: \"x\" is not a number of tokens"),
            (format!("{HEAD}2026-08-01,a,1,2,1,1\n"), "line 2: more cached than input"),
            (format!("{HEAD}2026-08-01,a,1,0,1,$1\n"), "line 2: amount: \"$1\" is not a decimal"),
            (format!("{HEAD}2026-08-01,,1,0,1,1\n"), "line 2: the expert is missing"),
            (format!("{HEAD}2026-08-01,\"a,1,0,1,1\n"), "line 2: a quote is not closed"),
            (
                format!("{HEAD}2026-08-01,a,1,0,1,9000000000\n2026-08-01,a,1,0,1,9000000000\n"),
                "line 3: the sums",
            ),
        ] {
            let error = read(&text).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }
}
