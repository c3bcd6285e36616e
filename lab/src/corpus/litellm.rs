//! LiteLLM's list of prices, `model_prices_and_context_window.json`, read as it is.

use super::decimal::shifted;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What became of a list of prices.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// A `prices.toml`.
    pub toml: String,
    /// Models in it.
    pub models: usize,
    /// Models that are not in it, by the reason.
    pub skipped: BTreeMap<&'static str, usize>,
    /// Prices that were finer than nine places and are rounded up.
    pub rounded: usize,
}

/// A list of prices that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is not JSON of that form.
    #[error(
        "line {line}, column {column}: {what}; LiteLLM's list is one JSON object with a model's name for each key"
    )]
    Form {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the reader says.
        what: String,
    },
    /// A model was asked for that isn't there, or has no price for its tokens.
    #[error("{0:?} is not in the list, or has no price for tokens there")]
    Unknown(String),
}

/// What the list has of a model, each value as its text.
type Model<'a> = BTreeMap<String, &'a RawValue>;

/// Turns a list into a `prices.toml`; of the models in `only`, or of all that are priced by tokens.
///
/// # Errors
/// [`ImportError`].
pub fn import_prices(json: &str, only: &[String]) -> Result<Imported, ImportError> {
    let models: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ImportError::Form { line, column, what: error.to_string() }
    })?;
    let mut imported = Imported { toml: HEAD.to_owned(), ..Imported::default() };
    let wanted = |name: &&String| only.is_empty() || only.contains(name);
    let mut found = Vec::new();
    for name in models.keys().filter(wanted) {
        // The list explains its own form in an entry of this name.
        let read = if name == "sample_spec" { Err("sample") } else { table(name, models[name]) };
        match read {
            Ok((table, rounded)) => {
                imported.toml.push_str(&table);
                imported.models += 1;
                imported.rounded += rounded;
                found.push(name);
            }
            Err(why) => *imported.skipped.entry(why).or_default() += 1,
        }
    }
    match only.iter().find(|name| !found.contains(name)) {
        Some(missing) => Err(ImportError::Unknown(missing.clone())),
        None => Ok(imported),
    }
}

/// A model's table, and how many of its prices were rounded; else why it has none.
fn table(name: &str, json: &RawValue) -> Result<(String, usize), &'static str> {
    let model: Model<'_> = serde_json::from_str(json.get()).map_err(|_| "odd")?;
    let text =
        |key: &str| model.get(key).map(|value| value.get().trim_matches('"')).filter(|text| *text != "null");
    if text("mode").is_some_and(|mode| !MODES.contains(&mode)) {
        return Err("no_text");
    }
    if text("input_cost_per_token").is_none() || text("output_cost_per_token").is_none() {
        return Err("no_price");
    }
    let name = serde_json::to_string(name).map_err(|_| "odd")?;
    let (mut table, mut rounded) = (format!("\n[expert.{name}]\n"), 0);
    for (key, theirs, shift) in PRICES {
        let Some(number) = text(theirs) else { continue };
        let (plain, is_rounded) = shifted(number, *shift).ok_or("odd")?;
        rounded += usize::from(is_rounded);
        // Writing to a string can't fail.
        let _ = writeln!(table, "{key} = \"{plain}\"");
    }
    if model.keys().any(|key| key.contains("_above_")) {
        table.push_str("# the list has other prices for long prompts\n");
    }
    Ok((table, rounded))
}

const HEAD: &str = "# USD per million tokens, from LiteLLM's model_prices_and_context_window.json\n";
/// Our key, theirs, and the power of ten between them: theirs are per token, ours per million; a fee is a fee.
const PRICES: &[(&str, &str, i32)] = &[
    ("input_per_mtok", "input_cost_per_token", 6),
    ("cached_input_per_mtok", "cache_read_input_token_cost", 6),
    ("cache_write_per_mtok", "cache_creation_input_token_cost", 6),
    ("output_per_mtok", "output_cost_per_token", 6),
    ("per_request", "input_cost_per_request", 0),
];
/// What models may be for; the others aren't asked for text.
const MODES: &[&str] = &["chat", "completion", "responses"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::load_prices;
    use sluice_router::Price;

    const LIST: &str = r#"{
        "sample_spec": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "mode": "one of chat, embedding"},
        "small-1": {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
            "cache_read_input_token_cost": 7.5e-08, "litellm_provider": "x", "mode": "chat", "supports_vision": true},
        "we/\"big\"": {"input_cost_per_token": 0.000003, "output_cost_per_token": 1.5e-05,
            "cache_creation_input_token_cost": 3.75e-06, "input_cost_per_request": 0.005,
            "input_cost_per_token_above_200k_tokens": 6e-06, "cache_read_input_token_cost": null},
        "fine": {"input_cost_per_token": 1.9999999999999998e-07, "output_cost_per_token": "2e-07", "mode": "chat"},
        "pictures": {"input_cost_per_pixel": 1e-8, "mode": "image_generation"},
        "by-the-second": {"input_cost_per_second": 0.1, "mode": "chat"},
        "broken": {"input_cost_per_token": "cheap", "output_cost_per_token": 1, "mode": "chat"}
    }"#;

    #[test]
    fn a_list_becomes_prices_to_the_last_digit() {
        let imported = import_prices(LIST, &[]).expect("read");
        assert_eq!((imported.models, imported.rounded), (3, 1));
        let skipped = [("no_price", 1), ("no_text", 1), ("odd", 1), ("sample", 1)];
        assert_eq!(imported.skipped, BTreeMap::from(skipped));
        let path = std::env::temp_dir().join(format!("sluice-imported-{}.toml", std::process::id()));
        std::fs::write(&path, &imported.toml).expect("writable");
        let prices = load_prices(&path).expect("valid");
        std::fs::remove_file(path).expect("removable");
        let small = Price {
            input: 150_000_000,
            cached_input: 75_000_000,
            cache_write: 150_000_000,
            output: 600_000_000,
            per_request: 0,
            replica_hour: 0,
        };
        assert_eq!(prices["small-1"], small);
        let big = Price {
            input: 3_000_000_000,
            cached_input: 3_000_000_000,
            cache_write: 3_750_000_000,
            output: 15_000_000_000,
            per_request: 5_000_000,
            replica_hour: 0,
        };
        assert_eq!(prices["we/\"big\""], big);
        assert_eq!((prices["fine"].input, prices["fine"].output), (200_000_000, 200_000_000));
        assert_eq!(imported.toml.matches("# the list has other prices").count(), 1);
    }

    #[test]
    fn some_models_may_be_named() {
        let imported = import_prices(LIST, &["small-1".to_owned()]).expect("read");
        assert_eq!((imported.models, imported.skipped.len()), (1, 0));
        let expected = format!(
            "{HEAD}\n[expert.\"small-1\"]\ninput_per_mtok = \"0.15\"\ncached_input_per_mtok = \"0.075\"\noutput_per_mtok = \"0.6\"\n"
        );
        assert_eq!(imported.toml, expected);
        for missing in ["pictures", "smal-1"] {
            let error = import_prices(LIST, &[missing.to_owned()]).expect_err("no price");
            assert!(error.to_string().contains(missing), "{error}");
        }
    }

    #[test]
    fn what_is_no_list_is_told_with_its_place() {
        let error = import_prices("{\n\"a\": }", &[]).expect_err("wrong").to_string();
        assert!(error.starts_with("line 2, column 6: "), "{error}");
    }
}
