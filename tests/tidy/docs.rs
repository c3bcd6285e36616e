//! What the docs promise: links lead to files, and whatever a registry offers is described.

use crate::Source;

/// Relative links to what doesn't exist, as `exists` tells of paths below the root.
pub(crate) fn broken_links(docs: &[Source], exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut out = Vec::new();
    for doc in docs {
        for target in links(&doc.text) {
            let file = target.split(['#', '?']).next().unwrap_or_default();
            let elsewhere = file.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if elsewhere {
                continue;
            }
            match resolved(&doc.path, file) {
                Some(path) if exists(&path) => {}
                _ => out.push(format!("{}: {target} leads nowhere", doc.path)),
            }
        }
    }
    out
}

/// Targets of `[text](target)` outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every second part is inside of backticks; a link's own text may have them, its target doesn't.
        for (at, _) in line.match_indices("](") {
            let quoted = line[..at].matches('`').count() % 2 == 1;
            let target = line[at + 2..].split([')', ' ']).next().unwrap_or_default();
            if !quoted {
                out.push(target);
            }
        }
    }
    out
}

/// `target` as seen from the folder of `doc`, below the root; none if it leaves the repository.
fn resolved(doc: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = doc.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// A row of a registry, with the name that a configuration uses.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) registry: &'static str,
    name: String,
}

/// The tables that a newcomer adds a row to.
const REGISTRIES: &[&str] = &[
    "ARRIVALS",
    "BALANCERS",
    "PROTOCOLS",
    "CODECS",
    "SOURCES",
    "QUEUES",
    "POLICIES",
    "CLASSIFIERS",
    "STORES",
    "FRONTS",
];

/// The rows of every registry in the sources: `name: "..."` within `const REGISTRY ... = ...;`.
pub(crate) fn rows(sources: &[Source]) -> Vec<Row> {
    let mut out = Vec::new();
    for source in sources.iter().filter(|source| !crate::places::is_test(&source.path)) {
        for registry in REGISTRIES {
            let Some((_, rest)) = source.text.split_once(&format!("const {registry}:")) else { continue };
            let table = rest.split("];").next().unwrap_or_default();
            for name in table.split("name: \"").skip(1).filter_map(|rest| rest.split('"').next()) {
                out.push(Row { registry, name: name.to_owned() });
            }
        }
    }
    out
}

/// Rows that the docs about their registry don't name in backticks or quotes; nothing to say without such docs.
pub(crate) fn undocumented(rows: &[Row], docs: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for row in rows {
        let about: Vec<&Source> = docs.iter().filter(|doc| is_about(doc, row.registry)).collect();
        let forms = [format!("`{}`", row.name), format!("\"{}\"", row.name)];
        let named = about.iter().any(|doc| forms.iter().any(|form| doc.text.contains(form)));
        if !about.is_empty() && !named {
            let paths: Vec<&str> = about.iter().map(|doc| doc.path.as_str()).collect();
            out.push(format!("{} has {:?}, but {paths:?} don't name it", row.registry, row.name));
        }
    }
    out
}

/// A page of docs/adding or docs/reference that is called after the registry, or names it.
fn is_about(doc: &Source, registry: &str) -> bool {
    let Some(page) =
        doc.path.strip_prefix("docs/adding/").or_else(|| doc.path.strip_prefix("docs/reference/"))
    else {
        return false;
    };
    // The beginning, since POLICIES are described in policy.md.
    page.starts_with(&registry.to_lowercase()[..5]) || doc.text.contains(registry)
}

#[cfg(test)]
fn doc(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let exists = |path: &str| ["README.md", "docs/A.md", "docs"].contains(&path);
    for (text, broken) in [
        ("[a](A.md) [b](../README.md#top) [c](https://x.org/y) [d](#here) [e](/README.md)", 0),
        ("[a](B.md)", 1),
        ("[a](../../README.md)", 1),
        ("see [`x`](gone.md \"title\")", 1),
        ("`[a](B.md)`", 0),
        ("```\n[a](B.md)\n```\n[b](B.md)", 1),
    ] {
        let found = broken_links(&[doc("docs/X.md", text)], &exists);
        assert_eq!(found.len(), broken, "{text}: {found:?}");
    }
}

#[test]
fn a_row_without_docs_is_found() {
    let source = doc(
        "a/src/mod.rs",
        "pub const BALANCERS: &[Row] = &[\n    Row { name: \"p2c\", a: 1 },\n    Row { name: \"new\" },\n];\nRow { name: \"other\" }",
    );
    let rows = rows(&[source]);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(undocumented(&rows, &[]).is_empty());
    let page = |path: &str, text: &str| undocumented(&rows, &[doc(path, text)]);
    for (path, text, missing) in [
        ("docs/adding/balancer.md", "Take `p2c` as an example.", 1),
        ("docs/reference/config.md", "BALANCERS: `p2c`", 1),
        ("docs/reference/balancers.md", "`p2c`, `new`", 0),
        ("docs/reference/metrics.md", "nothing on balancing", 0),
        ("docs/ARCHITECTURE.md", "BALANCERS", 0),
    ] {
        let found = page(path, text);
        assert_eq!(found.len(), missing, "{path}: {found:?}");
        assert!(found.iter().all(|line| line.contains("\"new\"")), "{found:?}");
    }
}
