//! Domain texts: requests with the domain they belong to.

use super::{CorpusError, lines};
use serde::Deserialize;
use std::path::PathBuf;

/// A text with its domain.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DomainText {
    /// The text.
    pub text: String,
    /// Its domain.
    pub domain: String,
    /// Its language, ISO 639-1.
    #[serde(default)]
    pub lang: Option<String>,
    /// What kind of text it is, such as a request or an examination question; reports slice by it.
    #[serde(default)]
    pub kind: Option<String>,
}

/// Reads files of domain texts, JSON Lines, gzip or not. Unknown keys are ignored.
///
/// # Errors
/// A file can't be read or is empty, or a line isn't a domain text: with file, line and mend.
pub fn load_domains(files: &[PathBuf]) -> Result<Vec<DomainText>, CorpusError> {
    let mut texts = vec![];
    for file in files {
        let before = texts.len();
        lines::for_each(file, |line, text| {
            let wrong = |what| CorpusError::Line { file: file.clone(), line, what, mend: FORM };
            let text: DomainText = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
            if text.domain.trim().is_empty() {
                return Err(wrong("the domain is empty".to_owned()));
            }
            if text.text.trim().is_empty() {
                return Err(wrong("the text is empty".to_owned()));
            }
            texts.push(text);
            Ok(())
        })?;
        if texts.len() == before {
            return Err(CorpusError::File {
                file: file.clone(),
                what: "the file has no texts".to_owned(),
                mend: FORM,
            });
        }
    }
    Ok(texts)
}

const FORM: &str = "a domain text is {\"text\":...,\"domain\":...}, one JSON object a line";
