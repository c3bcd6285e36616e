# Every recipe is a plain cargo command: just is a convenience, nothing depends on it.

# list the recipes
default:
    @just --list

# what must be green before a commit
check:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --workspace

# all tests, or those that match: just test falls_back
test *filter:
    cargo test --workspace -- {{filter}}

# the main job on simulated experts; arguments go through: just demo --once --json
demo *args:
    cargo run --release -- demo {{args}}

# figures of single parts
bench:
    cargo bench -p sluice-benches

# instructions of the hot path against the merge base (needs valgrind and Python)
instructions *args:
    .ci/instructions {{args}}

# the binary as it ships
release:
    cargo build --release --locked --bin sluice

# licences, sources and duplicates (needs cargo-deny)
deny:
    cargo deny check
