//! Which crate may name which, read from the manifests.

use crate::Source;

/// Crate and the crates of this workspace that it may depend on, outside of its tests.
const EDGES: &[(&str, &[&str])] = &[
    ("sluice", &["gateway", "lab", "load", "sim", "router", "proto"]),
    ("gateway", &["router", "experts", "proto"]),
    ("experts", &["proto"]),
    ("lab", &["router", "experts", "proto", "sim"]),
    ("load", &["router", "experts", "proto", "sim", "lab"]),
    ("sim", &["router", "proto"]),
    ("benches", &["gateway", "router", "experts", "proto", "lab", "sim"]),
    ("router", &[]),
    ("proto", &[]),
];

/// What the pure core must not pull in.
const NOT_IN_ROUTER: &[&str] = &["tokio", "tonic", "tracing", "hyper", "axum", "rand", "futures"];

/// Dependencies against the edges; a crate without a row, and a row without a crate.
pub(crate) fn complaints(manifests: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    let mut seen = Vec::new();
    for manifest in manifests {
        let table: toml::Table = match manifest.text.parse() {
            Ok(table) => table,
            Err(error) => {
                out.push(format!("{}: {error}", manifest.path));
                continue;
            }
        };
        let full = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
        let name = short(full.unwrap_or_default());
        seen.push(name.to_owned());
        let Some((_, allowed)) = EDGES.iter().find(|(crate_name, _)| *crate_name == name) else {
            out.push(format!("{}: {name} has no row in EDGES", manifest.path));
            continue;
        };
        for dependency in dependencies(&table) {
            let ours = dependency.starts_with("sluice-");
            if ours && !allowed.contains(&short(dependency)) {
                out.push(format!("{}: {name} must not depend on {}", manifest.path, short(dependency)));
            }
            if name == "router" && NOT_IN_ROUTER.contains(&dependency) {
                out.push(format!(
                    "{}: the router is pure, it must not depend on {dependency}",
                    manifest.path
                ));
            }
        }
    }
    let missing = EDGES.iter().filter(|(name, _)| !seen.iter().any(|found| found == name));
    out.extend(missing.map(|(name, _)| format!("EDGES has a row for {name}, but there is no such crate")));
    out
}

fn dependencies(manifest: &toml::Table) -> impl Iterator<Item = &str> {
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.into_iter().flat_map(|table| table.keys()).map(String::as_str)
}

fn short(name: &str) -> &str {
    name.strip_prefix("sluice-").unwrap_or(name)
}

#[test]
fn a_forbidden_edge_is_found() {
    let manifest = |name: &str, dependency: &str| Source {
        path: format!("{name}/Cargo.toml"),
        text: format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependency}.workspace = true\n"),
    };
    for (name, dependency, expected) in [
        ("sluice-router", "sluice-experts", "router must not depend on experts"),
        ("sluice-experts", "sluice-router", "experts must not depend on router"),
        ("sluice-sim", "sluice-gateway", "sim must not depend on gateway"),
        ("sluice-router", "tokio", "it must not depend on tokio"),
        ("sluice-extra", "serde", "extra has no row"),
    ] {
        let found = complaints(&[manifest(name, dependency)]);
        assert!(found.iter().any(|line| line.contains(expected)), "{name} {dependency}: {found:?}");
    }
    let fine = complaints(&[manifest("sluice-gateway", "sluice-router")]);
    assert!(fine.iter().all(|line| line.contains("no such crate")), "{fine:?}");
}
