//! Graded outcomes: prompts with the score, the tokens and the name of each expert that answered.

use super::{CorpusError, lines};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// One prompt with the graded answers to it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub struct Row {
    /// Unique within the data; the prompt's hash when absent.
    #[serde(default)]
    pub id: String,
    /// Where it comes from.
    #[serde(default)]
    pub source: Option<String>,
    /// The source's own label of its subject.
    #[serde(default)]
    pub subject: Option<String>,
    /// Its domain.
    #[serde(default)]
    pub domain: Option<String>,
    /// Its language, ISO 639-1.
    #[serde(default)]
    pub lang: Option<String>,
    /// The text.
    pub prompt: String,
    /// The answers.
    pub outcomes: Vec<Outcome>,
}

/// One expert's graded answer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub struct Outcome {
    /// Who answered.
    pub expert: String,
    /// How good the answer is, 0 to 1.
    pub score: f64,
    /// Tokens of the prompt; estimated from it when absent.
    #[serde(default)]
    pub input_tokens: Option<u32>,
    /// Tokens of the answer; unknown when absent.
    #[serde(default)]
    pub output_tokens: Option<u32>,
}

impl Row {
    /// The outcome of one expert.
    pub fn outcome(&self, expert: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.expert == expert)
    }

    /// The most specific label there is of what it is about.
    pub(crate) fn label(&self) -> &str {
        [&self.subject, &self.source, &self.domain].into_iter().flatten().next().map_or("", String::as_str)
    }
}

/// All rows of some files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Corpus {
    /// The rows, in the order of the files.
    pub rows: Vec<Row>,
    /// Rows left out, by reason; rows plus these are all that the files hold.
    pub skipped: BTreeMap<String, usize>,
    /// Where the first row was left out for each reason, `FILE:LINE`.
    pub first_skipped: BTreeMap<String, String>,
}

impl Corpus {
    /// What whoever gave the files should know: rows left out, and experts whose grades are all the same.
    pub fn warnings(&self) -> Vec<String> {
        let skipped = self.skipped.iter().map(|(reason, rows)| {
            let first = self.first_skipped.get(reason).map_or("?", String::as_str);
            format!("{rows} rows were left out: {reason}, the first at {first}")
        });
        skipped.chain(self.one_class()).collect()
    }

    /// Experts whose grades are all the same: a mistake in grading, most often.
    fn one_class(&self) -> Vec<String> {
        let mut grades: BTreeMap<&str, (f64, usize, bool)> = BTreeMap::new();
        for outcome in self.rows.iter().flat_map(|row| &row.outcomes) {
            let (first, n, is_same) = grades.entry(&outcome.expert).or_insert((outcome.score, 0, true));
            *n += 1;
            *is_same &= *first == outcome.score;
        }
        let same = grades.into_iter().filter(|(_, (_, n, is_same))| *is_same && *n > 1);
        same.map(|(name, (score, n, _))| {
            format!("all {n} grades of {name} are {score}: nothing tells where it does better or worse; check how it was graded")
        })
        .collect()
    }
}

/// Reads files of graded outcomes, JSON Lines, gzip or not. Unknown keys are ignored.
///
/// A row whose id occurred before, with no outcomes, or with an empty prompt is counted in `skipped`.
///
/// # Errors
/// A file can't be read or has no rows, a line isn't a row, or a score is outside 0 to 1: with file, line and mend.
pub fn load_outcomes(files: &[PathBuf]) -> Result<Corpus, CorpusError> {
    let mut corpus = Corpus::default();
    let mut ids = HashSet::new();
    for file in files {
        let before = corpus.rows.len() + corpus.skipped.values().sum::<usize>();
        lines::for_each(file, |line, text| {
            let row = parse(file, line, text)?;
            match reason_to_skip(&row, &mut ids) {
                Some(reason) => {
                    *corpus.skipped.entry(reason.to_owned()).or_default() += 1;
                    let place = || format!("{}:{line}", file.display());
                    corpus.first_skipped.entry(reason.to_owned()).or_insert_with(place);
                }
                None => corpus.rows.push(row),
            }
            Ok(())
        })?;
        if corpus.rows.len() + corpus.skipped.values().sum::<usize>() == before {
            let (what, mend) =
                ("the file has no rows".to_owned(), "give a file of graded outcomes, one JSON object a line");
            return Err(CorpusError::File { file: file.clone(), what, mend });
        }
    }
    Ok(corpus)
}

fn parse(file: &Path, line: usize, text: &str) -> Result<Row, CorpusError> {
    let wrong = |what: String, mend| CorpusError::Line { file: file.to_owned(), line, what, mend };
    let mut row: Row = serde_json::from_str(text).map_err(|error| wrong(describe(&error), FORM))?;
    for outcome in &row.outcomes {
        if outcome.expert.trim().is_empty() {
            return Err(wrong("an expert has no name".to_owned(), FORM));
        }
        if !(0.0..=1.0).contains(&outcome.score) {
            let what = format!("the score {} of {} is outside 0 to 1", outcome.score, outcome.expert);
            return Err(wrong(what, "scale scores to 0..1"));
        }
    }
    let mut names: Vec<&str> = row.outcomes.iter().map(|outcome| outcome.expert.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(wrong(format!("{} has two outcomes", pair[0]), "keep one outcome for each expert"));
    }
    if row.id.is_empty() {
        row.id = format!("{:016x}", sluice_router::prompt_hash(&row.prompt));
    }
    Ok(row)
}

/// serde_json's message with its column; its line is always 1 here.
fn describe(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    format!("column {}: {message}", error.column())
}

fn reason_to_skip(row: &Row, ids: &mut HashSet<String>) -> Option<&'static str> {
    if !ids.insert(row.id.clone()) {
        return Some("duplicate_id");
    }
    if row.outcomes.is_empty() {
        return Some("no_outcomes");
    }
    row.prompt.trim().is_empty().then_some("empty_prompt")
}

const FORM: &str = "a row is {\"id\":...,\"prompt\":...,\"outcomes\":[{\"expert\":...,\"score\":0..1}, ...]}";

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// A file of its own for each call, in the tests' temporary folder.
    fn file(name: &str, content: &[u8]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("sluice-outcomes-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("writable");
        path
    }

    fn load(name: &str, content: &str) -> Result<Corpus, String> {
        let path = file(name, content.as_bytes());
        let loaded = load_outcomes(std::slice::from_ref(&path)).map_err(|error| error.to_string());
        std::fs::remove_file(path).expect("removable");
        loaded
    }

    const GOOD: &str =
        r#"{"id":"a","prompt":"1+1?","extra":[{}],"outcomes":[{"expert":"x","score":0.5,"more":1}]}"#;

    #[test]
    fn rows_are_read_and_unknown_keys_ignored() {
        let corpus = load("good", &format!("{GOOD}\n\n{GOOD}\n")).expect("valid");
        assert_eq!(corpus.rows.len(), 1);
        assert_eq!(corpus.rows[0].outcomes[0].output_tokens, None);
        assert_eq!(corpus.skipped, BTreeMap::from([("duplicate_id".to_owned(), 1)]));
        let warnings = corpus.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].starts_with("1 rows were left out: duplicate_id, the first at ")
                && warnings[0].ends_with(":3")
        );
    }

    #[test]
    fn gzip_is_read_alike() {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        encoder.write_all(GOOD.as_bytes()).expect("in memory");
        let path = file("gz", &encoder.finish().expect("in memory"));
        assert_eq!(load_outcomes(std::slice::from_ref(&path)).expect("valid").rows.len(), 1);
        std::fs::remove_file(path).expect("removable");
    }

    #[test]
    fn every_mistake_says_where_and_how_to_mend_it() {
        let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let bad = |score: &str| GOOD.replace("0.5", score);
        for (name, content, expected) in [
            ("json", format!("{GOOD}\n{{\"id\": oops}}"), ":2: column 8: expected value"),
            ("score", bad("1.5"), ":1: the score 1.5 of x is outside 0 to 1; scale scores to 0..1"),
            ("nan", bad("NaN"), ":1: column"),
            ("text", bad("\"0.5\""), "invalid type: string"),
            ("prompt", r#"{"id":"a","outcomes":[]}"#.to_owned(), "missing field `prompt`"),
            ("nested", nested, "invalid type: sequence"),
            ("name", GOOD.replace("\"x\"", "\" \""), ":1: an expert has no name"),
            ("huge", bad("1e999"), ":1: column"),
            ("null", bad("null"), "invalid type: null"),
            ("tokens", GOOD.replace("\"more\":1", "\"output_tokens\":-1"), "invalid value: integer `-1`"),
            ("empty", String::new(), "the file has no rows"),
            (
                "twice",
                GOOD.replace("[{\"expert\"", "[{\"expert\":\"x\",\"score\":1},{\"expert\""),
                "x has two outcomes",
            ),
        ] {
            let error = load(name, &content).expect_err(name);
            assert!(error.contains(expected) && error.contains(';'), "{name}: {error}");
        }
        let error = load_outcomes(&[PathBuf::from("/nowhere/at-all.jsonl")]).expect_err("no such file");
        assert!(error.to_string().contains("at-all.jsonl"));
    }

    #[test]
    fn an_expert_of_one_class_is_named() {
        let rows = (0..3).map(|at| {
            format!(r#"{{"id":"{at}","prompt":"p","outcomes":[{{"expert":"same","score":1}},{{"expert":"not","score":0.{at}}}]}}"#)
        });
        let corpus = load("class", &rows.collect::<Vec<_>>().join("\n")).expect("valid");
        let warnings = corpus.warnings();
        assert!(warnings.len() == 1 && warnings[0].starts_with("all 3 grades of same are 1"), "{warnings:?}");
    }

    #[test]
    fn a_line_that_is_not_utf8_is_an_error() {
        let path = file("utf8", b"{\"id\":\"\xFF\"}\n");
        let error = load_outcomes(std::slice::from_ref(&path)).expect_err("not UTF-8").to_string();
        assert!(error.contains(":1: the line is not UTF-8"), "{error}");
        std::fs::remove_file(path).expect("removable");
    }
}
