//! House rules that the compiler doesn't know, as tests: who may depend on whom, what may stand where, what docs say.
//!
//! Each rule is a function from sources to complaints, shown beside it to find what it forbids.

mod docs;
mod edges;
mod places;
mod shape;

use std::path::{Path, PathBuf};

/// A file of the repository: path below its root, with `/`, and text.
#[derive(Debug, Clone)]
struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this ending that belongs to the repository.
fn sources(ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root(), ending, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no file ends with {ending}");
    found
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().expect("named").to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, ending, found);
        } else if path.is_file() && name.ends_with(ending) {
            let below = path.strip_prefix(root()).expect("found below the root");
            let path_text =
                below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>();
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            found.push(Source { path: path_text.join("/"), text });
        }
    }
}

fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn crates_depend_only_along_the_edges_of_the_layout() {
    none(edges::complaints(&sources("Cargo.toml")));
}

#[test]
fn what_has_one_place_stands_there_only() {
    none(places::complaints(&sources(".rs")));
}

#[test]
fn each_crate_has_at_most_one_file_that_reads_the_clock_or_spawns() {
    none(places::clocks(&sources(".rs")));
}

#[test]
fn every_source_says_what_it_is_and_stays_small() {
    none(shape::headless(&sources(".rs")));
    none(shape::too_long(&sources(".rs")));
}

#[test]
fn no_money_is_a_float_and_no_test_is_ignored() {
    none(shape::float_money(&sources(".rs")));
    none(shape::ignored(&sources(".rs")));
}

#[test]
fn links_in_the_docs_lead_somewhere() {
    none(docs::broken_links(&sources(".md"), &|path| root().join(path).exists()));
}

#[test]
fn every_row_of_a_registry_is_in_the_docs() {
    let sources = sources(".rs");
    let rows = docs::rows(&sources);
    assert!(
        rows.iter().any(|row| row.registry == "BALANCERS"),
        "the registries are read by their names: {rows:?}"
    );
    let docs: Vec<Source> = if root().join("docs").exists() { self::sources(".md") } else { Vec::new() };
    none(docs::undocumented(&rows, &docs));
}
