//! What may stand in one place only: the environment, status codes, logging, the shared map, clock and tasks.

use crate::Source;

/// Words, the places where they may stand (beginnings of paths), and why only there.
struct Place {
    words: &'static [&'static str],
    /// Beginnings of paths that the rule looks at; empty means everywhere.
    within: &'static [&'static str],
    allowed: &'static [&'static str],
    why: &'static str,
}

const PLACES: &[Place] = &[
    Place {
        words: &[
            "env::args",
            "env::var",
            "env::vars",
            "env::var_os",
            "process::exit",
            "Runtime::new",
            "tokio::main",
        ],
        within: &[],
        allowed: &["src/", "benches/", "lab/examples/"],
        why: "only the root package reads arguments and environment, exits, or owns a runtime",
    },
    Place {
        words: &["DashMap"],
        within: &[],
        allowed: &["gateway/src/store/memory"],
        why: "a shared map is hidden behind the store",
    },
    Place {
        words: &["StatusCode::", "Code::", "Status::new", "Status::internal", "Status::unavailable"],
        within: &["gateway/", "router/", "lab/", "src/"],
        // Readiness is an answer, not a fault; and what tonic chose for an unreadable message is read, to be mended.
        allowed: &["gateway/src/edge/status", "gateway/src/edge/admin", "gateway/src/edge/grpc/wire"],
        why: "a status is chosen in one table, from a fault's code",
    },
    Place {
        words: &[
            "tracing::",
            "tracing_subscriber::",
            "metrics::counter",
            "metrics::histogram",
            "metrics::gauge",
        ],
        within: &[],
        allowed: &["gateway/src/observe/", "gateway/src/observe."],
        why: "an event is emitted; what becomes of it is decided in observe/",
    },
    Place {
        words: &["rusqlite::", "tokio_postgres::"],
        within: &[],
        allowed: &["gateway/src/store/", "gateway/src/shared/sqlite", "gateway/src/shared/postgres"],
        why: "SQL stays in the store",
    },
];

/// Words of [`PLACES`] where they may not stand.
pub(crate) fn complaints(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for source in sources.iter().filter(|source| !is_test(&source.path)) {
        let code = code(&source.text);
        for place in PLACES {
            let looked_at = place.within.is_empty() || begins(&source.path, place.within);
            if !looked_at || begins(&source.path, place.allowed) {
                continue;
            }
            for (line, word) in lines_with(&code, place.words) {
                out.push(format!(
                    "{}:{line}: {word} stands in {:?} only: {}",
                    source.path, place.allowed, place.why
                ));
            }
        }
    }
    out
}

/// Crate folder and the files of it that may read the clock and spawn: one of them does.
const CLOCKS: &[(&str, &[&str])] = &[
    ("gateway/", &["gateway/src/app.rs", "gateway/src/app/clock.rs"]),
    ("sim/", &["sim/src/clock.rs", "sim/src/server.rs"]),
    ("lab/", &["lab/src/clock.rs"]),
    ("load/", &["load/src/clock.rs"]),
    ("src/", &["src/watch.rs"]),
    ("router/", &[]),
    ("experts/", &[]),
    ("proto/", &[]),
];

/// Clocks and spawns outside of the one file of their crate.
pub(crate) fn clocks(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for (folder, allowed) in CLOCKS {
        let mut used: Vec<&str> = Vec::new();
        let of_crate =
            sources.iter().filter(|source| source.path.starts_with(folder) && !is_test(&source.path));
        for source in of_crate {
            let found = lines_with(&code(&source.text), &["Instant::now", "SystemTime::now", "tokio::spawn"]);
            if found.is_empty() {
                continue;
            }
            if allowed.contains(&source.path.as_str()) {
                used.push(&source.path);
            } else {
                let place = |(line, word)| format!("{}:{line}: {word} belongs to {allowed:?}", source.path);
                out.extend(found.into_iter().map(place));
            }
        }
        if used.len() > 1 {
            out.push(format!("{folder} has more than one clock: {used:?}"));
        }
    }
    out
}

/// Tests, benches' and build scripts' own rules are laxer.
pub(crate) fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.contains("/netsim/")
        || name.ends_with("tests.rs")
        || name == "build.rs"
}

/// The text without comments and without the test module at its end; lines stay where they are.
pub(crate) fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let bare = |line: &str| {
        let from = line.match_indices("//").find(|(at, _)| line[..*at].chars().all(|c| c != '"' && c != ':'));
        from.map_or(line, |(at, _)| &line[..at]).to_owned()
    };
    text[..tests].lines().map(bare).collect::<Vec<_>>().join("\n")
}

/// Number and word of each line that has one of `words` as a whole path segment, `Code::` but not `FaultCode::`.
fn lines_with(code: &str, words: &[&'static str]) -> Vec<(usize, &'static str)> {
    let stands = |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let inside = |c: char| c.is_alphanumeric() || c == '_';
            let before = line[..at].chars().next_back().is_none_or(|c| !inside(c));
            let after =
                word.ends_with(':') || line[at + word.len()..].chars().next().is_none_or(|c| !inside(c));
            before && after
        })
    };
    let numbered = code.lines().enumerate();
    numbered.filter_map(|(at, line)| Some((at + 1, *words.iter().find(|word| stands(line, word))?))).collect()
}

fn begins(path: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| path.starts_with(beginning))
}

#[cfg(test)]
fn made_up(path: &str, text: &str) -> Vec<Source> {
    vec![Source { path: path.to_owned(), text: text.to_owned() }]
}

#[test]
fn a_word_in_the_wrong_place_is_found() {
    for (path, text) in [
        ("gateway/src/serve.rs", "fn f() { std::env::var(\"X\") }"),
        ("sim/src/lib.rs", "std::process::exit(1)"),
        ("gateway/src/admit.rs", "use dashmap::DashMap;"),
        ("gateway/src/edge/grpc.rs", "tonic::Code::Internal"),
        ("gateway/src/serve.rs", "StatusCode::OK"),
        ("src/cmd/serve.rs", "tracing::info!(\"x\")"),
        ("lab/src/report.rs", "let c = rusqlite::Connection::open(p);"),
    ] {
        assert_eq!(complaints(&made_up(path, text)).len(), 1, "{path}: {text}");
    }
}

#[test]
fn the_same_words_are_fine_where_they_belong() {
    for (path, text) in [
        ("src/main.rs", "std::env::args()"),
        ("gateway/src/store/memory.rs", "use dashmap::DashMap;"),
        ("gateway/src/edge/status.rs", "tonic::Code::Internal"),
        ("gateway/src/serve.rs", "FaultCode::Internal"),
        ("experts/src/error.rs", "StatusCode::OK"),
        ("gateway/src/observe/log.rs", "tracing::info!(\"x\")"),
        ("gateway/src/serve.rs", "let x = 1; // tracing::info is for observe/"),
        ("lab/src/lib.rs", "#[cfg(test)]\nmod tests {\n    fn f() { std::env::var(\"X\"); }\n}"),
        ("gateway/tests/it/main.rs", "std::env::var(\"X\")"),
        ("router/src/decide.rs", "env!(\"CARGO_PKG_VERSION\")"),
    ] {
        assert_eq!(complaints(&made_up(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn a_second_clock_is_found() {
    for path in [
        "gateway/src/lane.rs",
        "router/src/time.rs",
        "experts/src/client.rs",
        "sim/src/pool.rs",
        "src/main.rs",
    ] {
        let found = clocks(&made_up(path, "let now = Instant::now();\ntokio::spawn(task);"));
        assert_eq!(found.len(), 2, "{path}: {found:?}");
    }
    let both =
        [made_up("sim/src/clock.rs", "Instant::now()"), made_up("sim/src/server.rs", "tokio::spawn(x)")]
            .concat();
    assert_eq!(clocks(&both).len(), 1);
    assert!(clocks(&made_up("gateway/src/app.rs", "Instant::now()")).is_empty());
    assert!(clocks(&made_up("gateway/src/lane.rs", "// Instant::now")).is_empty());
}
