//! How a source file looks: it says what it is, it is short, its money is whole, its tests run.

use crate::Source;
use crate::places::code;

/// Files that don't begin with a sentence on what they are.
pub(crate) fn headless(sources: &[Source]) -> Vec<String> {
    let says =
        |text: &str| text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 5);
    let wrong = sources.iter().filter(|source| !says(&source.text));
    wrong
        .map(|source| format!("{}: the first line must be //! and say what the file is", source.path))
        .collect()
}

/// Lines of a source file.
const MOST_LINES: usize = 600;

/// Tables of text may be as long as they need to be.
const DATA: &[&str] = &["src/demo/requests/"];

/// Files that should be two.
pub(crate) fn too_long(sources: &[Source]) -> Vec<String> {
    let counted = sources.iter().map(|source| (source, source.text.lines().count()));
    let is_data = |path: &str| DATA.iter().any(|data| path.starts_with(data));
    let wrong = counted.filter(|(source, lines)| *lines > MOST_LINES && !is_data(&source.path));
    wrong.map(|(source, lines)| format!("{}: {lines} lines, at most {MOST_LINES}", source.path)).collect()
}

/// Fields, parameters and functions that say nano-USD and are floats.
pub(crate) fn float_money(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    // The examples below are what is forbidden.
    for source in sources.iter().filter(|source| !source.path.starts_with("tests/tidy/")) {
        let code = code(&source.text);
        for (at, _) in code.match_indices("_nanousd") {
            let rest = &code[at + "_nanousd".len()..];
            let kind = match rest.trim_start().chars().next() {
                Some(':') => rest.split([',', ';', ')', '}', '=']).next().unwrap_or_default(),
                Some('(') => returned(rest),
                _ => continue,
            };
            if kind.contains("f64") || kind.contains("f32") {
                let line = code[..at].lines().count();
                out.push(format!("{}:{line}: an amount in nano-USD is a float", source.path));
            }
        }
    }
    out
}

/// The type after `->`, if the text is the rest of a function's head.
fn returned(rest: &str) -> &str {
    let head = rest.split(['{', ';']).next().unwrap_or_default();
    head.split_once("->").map_or("", |(_, kind)| kind)
}

/// Tests that don't run.
pub(crate) fn ignored(sources: &[Source]) -> Vec<String> {
    let mark = concat!("#[", "ignore");
    let wrong = sources.iter().filter(|source| source.text.contains(mark));
    wrong.map(|source| format!("{}: an ignored test proves nothing", source.path)).collect()
}

#[cfg(test)]
fn made_up(text: &str) -> Vec<Source> {
    vec![Source { path: "router/src/x.rs".to_owned(), text: text.to_owned() }]
}

#[test]
fn a_file_that_does_not_say_what_it_is_is_found() {
    for text in ["", "use std::fmt;\n", "// A comment about this file.\n", "//! x\n"] {
        assert_eq!(headless(&made_up(text)).len(), 1, "{text:?}");
    }
    assert!(headless(&made_up("//! What it is.\n")).is_empty());
}

#[test]
fn a_long_file_is_found_unless_it_is_data() {
    let long = "x\n".repeat(MOST_LINES + 1);
    assert_eq!(too_long(&made_up(&long)).len(), 1);
    assert!(too_long(&made_up(&"x\n".repeat(MOST_LINES))).is_empty());
    let data = Source { path: "src/demo/requests/law.rs".to_owned(), text: long };
    assert!(too_long(&[data]).is_empty());
}

#[test]
fn float_money_is_found() {
    for text in [
        "struct A { cost_nanousd: f64 }",
        "struct A { cost_nanousd: Option<f32>, b: u8 }",
        "fn spent_nanousd(&self) -> f64 { 0.0 }",
        "fn f(hold_nanousd: f64) {}",
        "let x_nanousd: f64 = 1.0;",
    ] {
        assert_eq!(float_money(&made_up(text)).len(), 1, "{text}");
    }
    for text in [
        "struct A { cost_nanousd: i64, share: f64 }",
        "fn spent_nanousd(share: f64) -> i64 { 0 }",
        "let y = a.cost_nanousd as f64;",
        "// cost_nanousd: f64",
    ] {
        assert!(float_money(&made_up(text)).is_empty(), "{text}");
    }
}

#[test]
fn an_ignored_test_is_found() {
    assert_eq!(ignored(&made_up(&["#[", "ignore]\nfn f() {}"].concat())).len(), 1);
    assert!(ignored(&made_up("fn ignore() {}")).is_empty());
}
