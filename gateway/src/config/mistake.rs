//! What is wrong in a configuration file: where, and how to mend it.

use std::fmt;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Every mistake of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named.
    pub file: String,
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line and column, from 1; `None` when it isn't at a place in the file.
    pub place: Option<(usize, usize)>,
    /// The key, for instance `expert[0].price`; empty for the whole file.
    pub key: String,
    /// What is wrong and how to mend it.
    pub what: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    /// One line for each mistake: `file:line:column: key: what`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.mistakes.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if let Some((line, column)) = mistake.place {
                write!(f, ":{line}:{column}")?;
            }
            if !mistake.key.is_empty() {
                write!(f, ": {}", mistake.key)?;
            }
            write!(f, ": {}", mistake.what)?;
        }
        Ok(())
    }
}

impl ConfigError {
    /// A file that can't be read at all.
    pub(super) fn whole(file: &str, what: impl Into<String>) -> ConfigError {
        let mistake = Mistake { place: None, key: String::new(), what: what.into() };
        ConfigError { file: file.to_owned(), mistakes: vec![mistake] }
    }

    /// What the TOML reader says, with the nearest known key when a key is unknown.
    pub(super) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
        let place = error.span().map(|span| line_and_column(text, span.start));
        let message = error.message().trim().replace('\n', " ");
        let mistake = Mistake { place, key: String::new(), what: with_nearest_key(&message) };
        ConfigError { file: file.to_owned(), mistakes: vec![mistake] }
    }
}

/// Gathers mistakes by key, then finds their places.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<(String, String)>,
}

impl Mistakes {
    /// Notes a mistake at a key such as `expert[0].pool[1].endpoints`.
    pub(super) fn note(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.found.push((key.into(), what.into()));
    }

    /// Takes a value, or notes why there is none.
    pub(super) fn take<T, E: fmt::Display>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.note(key, error.to_string())).ok()
    }

    /// `Ok` when there are none.
    pub(super) fn end(self, file: &str, text: &str) -> Result<(), ConfigError> {
        if self.found.is_empty() {
            return Ok(());
        }
        let document = DeTable::parse(text).ok();
        let place = |key: &str| {
            let span = document.as_ref().and_then(|document| find(document.get_ref(), key))?;
            Some(line_and_column(text, span.start))
        };
        let mistakes = self.found.into_iter().map(|(key, what)| Mistake { place: place(&key), key, what });
        let mut mistakes: Vec<Mistake> = mistakes.collect();
        mistakes.sort_by_key(|mistake| mistake.place);
        Err(ConfigError { file: file.to_owned(), mistakes })
    }
}

/// A key with its file, and its line and column where they can be found: for mistakes that show later.
pub(super) fn place(file: &str, text: &str, key: &str) -> String {
    let document = DeTable::parse(text).ok();
    let span = document.as_ref().and_then(|document| find(document.get_ref(), key));
    match span.map(|span| line_and_column(text, span.start)) {
        Some((line, column)) => format!("{file}:{line}:{column}: {key}"),
        None => format!("{file}: {key}"),
    }
}

/// Where the value of `key` stands, or of the nearest table around it that exists.
fn find(document: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let mut table = Some(document);
    let mut span = None;
    for part in key.split('.') {
        let (name, index) = match part.strip_suffix(']').and_then(|part| part.split_once('[')) {
            Some((name, index)) => (name, index.parse::<usize>().ok()),
            None => (part, None),
        };
        let found = table.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == name));
        let Some((_, mut value)) = found else { break };
        if let (Some(index), DeValue::Array(items)) = (index, value.get_ref()) {
            let Some(item) = items.get(index) else { break };
            value = item;
        }
        span = Some(value.span());
        table = match value.get_ref() {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        };
    }
    span
}

/// Line and column from 1, columns in characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Adds "did you mean" to serde's message about an unknown name.
fn with_nearest_key(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next().filter(|_| message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    let nearest = quoted.max_by(|a, b| similarity(unknown, a).total_cmp(&similarity(unknown, b)));
    match nearest.filter(|near| similarity(unknown, near) > NEAR_ENOUGH) {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message.to_owned(),
    }
}

/// The one of `names` that is most like `wrong`, as a hint for people; empty when none is.
pub(super) fn did_you_mean<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    let nearest = names.max_by(|a, b| similarity(wrong, a).total_cmp(&similarity(wrong, b)));
    match nearest.filter(|near| similarity(wrong, near) > NEAR_ENOUGH) {
        Some(near) => format!("; did you mean {near:?}?"),
        None => String::new(),
    }
}

fn similarity(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

/// Names less alike than this are no hint but a guess.
const NEAR_ENOUGH: f64 = 0.75;
