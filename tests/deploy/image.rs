//! The Dockerfile: a toolchain that is new enough, the same C library on both sides, nobody's user, no secret.

pub(crate) fn complaints(text: &str) -> Vec<String> {
    let steps = steps(text);
    let all = |word: &str| {
        steps.iter().filter(|(w, _)| w == word).map(|(_, rest)| rest.as_str()).collect::<Vec<_>>()
    };
    let mut out = Vec::new();
    let mut expect = |holds: bool, wrong: &str| {
        if !holds {
            out.push(format!("Dockerfile: {wrong}"));
        }
    };
    let from = all("FROM");
    let (build, run) = (from.first().copied().unwrap_or_default(), from.last().copied().unwrap_or_default());
    expect(from.len() == 2 && build.ends_with(" AS build"), "two FROM lines, the first AS build");
    expect(
        version(build) >= version(env!("CARGO_PKG_RUST_VERSION")),
        "the toolchain is older than rust-version",
    );
    let release = ["trixie", "bookworm"].into_iter().find(|name| build.contains(name));
    expect(release.is_some_and(|name| run.contains(name)), "build and run have another C library");
    expect(
        steps.iter().any(|(_, rest)| rest.contains("cargo build --release --locked")),
        "no build with --locked",
    );
    expect(all("COPY").iter().any(|copy| copy.starts_with("--from=build ")), "no COPY from the build");
    let user = all("USER").last().copied().unwrap_or_default();
    let id: u32 = user.split(':').next().and_then(|id| id.parse().ok()).unwrap_or(0);
    expect(id > 0, "USER must be a number that isn't root's, which is what runAsNonRoot can check");
    expect(
        all("ENTRYPOINT") == ["[\"sluice\"]"],
        "ENTRYPOINT must be the binary itself, so that it gets SIGTERM",
    );
    expect(all("CMD") == ["[\"serve\", \"--config\", \"/etc/sluice/sluice.toml\"]"], "CMD must serve");
    expect(all("EXPOSE") == ["8080 9090"], "EXPOSE must name the data and the admin port");
    expect(all("STOPSIGNAL") == ["SIGTERM"], "STOPSIGNAL");
    let health = all("HEALTHCHECK");
    expect(health.len() == 1 && health[0].contains("/healthz"), "HEALTHCHECK must ask /healthz");
    let arguments = [all("ARG"), all("ENV")].concat().join(" ").to_uppercase();
    let secret = ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| arguments.contains(word));
    expect(!secret, "an ARG or ENV carries a secret, which stays in the image's history");
    out
}

/// Instruction and the rest of it, with continued lines joined.
fn steps(text: &str) -> Vec<(String, String)> {
    let joined = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("\\\n", " ");
    let step = |line: &str| {
        let (word, rest) = line.trim().split_once(' ')?;
        Some((word.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    joined.lines().filter_map(step).collect()
}

/// The first `major.minor` in a text.
fn version(text: &str) -> (u32, u32) {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = digits.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}
