//! Prices: `[expert."NAME"]` tables with decimal strings of USD per million tokens.

use super::CorpusError;
use serde::Deserialize;
use sluice_router::{Listed, Price, Rate};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The price of each expert by name.
pub type Prices = BTreeMap<String, Price>;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    expert: BTreeMap<String, Table>,
}

#[derive(Deserialize)]
struct Table {
    input_per_mtok: String,
    cached_input_per_mtok: Option<String>,
    cache_write_per_mtok: Option<String>,
    output_per_mtok: String,
    per_request: Option<String>,
    currency: Option<String>,
}

/// Reads a price file. Unknown keys are ignored.
///
/// # Errors
/// The file can't be read, isn't TOML, names no expert, or a price isn't a decimal string of at least 0.
pub fn load_prices(path: &Path) -> Result<Prices, CorpusError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| CorpusError::Read { file: path.to_owned(), error })?;
    let wrong = |what: String| CorpusError::File { file: path.to_owned(), what, mend: FORM };
    let file: File = toml::from_str(&text).map_err(|error| at_line(path, &text, &error))?;
    if file.expert.is_empty() {
        return Err(wrong("no expert has a price".to_owned()));
    }
    let price = |(name, table): (String, Table)| {
        if let Some(currency) = table.currency.filter(|currency| currency != "USD") {
            return Err(wrong(format!("the price of {name} is in {currency}, and these are in USD")));
        }
        let listed = Listed {
            input: &table.input_per_mtok,
            cached_input: table.cached_input_per_mtok.as_deref(),
            cache_write: table.cache_write_per_mtok.as_deref(),
            output: &table.output_per_mtok,
            per_request: table.per_request.as_deref(),
        };
        Price::from_listed(listed, Rate::USD)
            .map(|price| (name.clone(), price))
            .map_err(|error| wrong(format!("the price of {name}: {error}")))
    };
    file.expert.into_iter().map(price).collect()
}

/// The `prices.toml` beside a data file or one folder above it.
pub fn find_prices(data: &[PathBuf]) -> Option<PathBuf> {
    let beside = |file: &PathBuf| {
        let folder = file.parent().unwrap_or(Path::new(""));
        [folder.join("prices.toml"), folder.join("..").join("prices.toml")]
    };
    data.iter().flat_map(beside).find(|path| path.is_file())
}

fn at_line(path: &Path, text: &str, error: &toml::de::Error) -> CorpusError {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..start].iter().filter(|&&byte| byte == b'\n').count() + 1;
    CorpusError::Line { file: path.to_owned(), line, what: error.message().to_owned(), mend: FORM }
}

const FORM: &str =
    "a price is [expert.\"NAME\"] with input_per_mtok = \"0.50\" and output_per_mtok = \"1.50\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str, content: &str) -> Result<Prices, String> {
        let path = std::env::temp_dir().join(format!("sluice-prices-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("writable");
        let loaded = load_prices(&path).map_err(|error| error.to_string());
        std::fs::remove_file(path).expect("removable");
        loaded
    }

    #[test]
    fn prices_are_exact_and_mistakes_have_a_place() {
        let good =
            "[expert.\"gpt-4.1\"]\ninput_per_mtok = \"0.0375\"\noutput_per_mtok = \"8\"\nbasis = \"list\"\n";
        assert_eq!(load("good", good).expect("valid")["gpt-4.1"].input, 37_500_000);
        for (name, content, expected) in [
            ("toml", "[expert.\"a\"]\ninput_per_mtok = 0.5x\n", ":2: "),
            ("number", "[expert.\"a\"]\ninput_per_mtok = 0.5\noutput_per_mtok = \"1\"\n", ":2: invalid type"),
            ("missing", "[expert.\"a\"]\ninput_per_mtok = \"0.5\"\n", "missing field `output_per_mtok`"),
            ("negative", &good.replace("\"8\"", "\"-8\""), "the price of gpt-4.1: \"-8\" is negative"),
            ("currency", &format!("{good}currency = \"CNY\"\n"), "is in CNY"),
            ("none", "title = \"x\"\n", "no expert has a price"),
        ] {
            let error = load(name, content).expect_err(name);
            assert!(error.contains(expected), "{name}: {error}");
        }
    }
}
