-- One row for each start of a gateway on this file.
CREATE TABLE writers (
    writer  INTEGER PRIMARY KEY AUTOINCREMENT,
    version TEXT NOT NULL
) STRICT;

-- Configurations that decisions refer to.
CREATE TABLE snapshots (
    config TEXT PRIMARY KEY,
    json   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    request_id        TEXT PRIMARY KEY,
    label             TEXT NOT NULL,
    at_unix_ms        INTEGER NOT NULL,
    tenant            TEXT NOT NULL,
    route             TEXT NOT NULL,
    front             TEXT NOT NULL,
    domain            TEXT NOT NULL,
    language          TEXT NOT NULL,
    status            TEXT NOT NULL,
    expert            TEXT NOT NULL,
    floor_held        INTEGER NOT NULL CHECK (floor_held IN (0, 1)),
    cost_nanousd      INTEGER NOT NULL CHECK (cost_nanousd >= 0),
    baseline_nanousd  INTEGER NOT NULL CHECK (baseline_nanousd >= 0),
    ttft_ms           REAL,
    total_ms          REAL NOT NULL,
    tags              TEXT NOT NULL,
    decision_id       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_at ON requests (at_unix_ms);

-- Receipts: what each decision was made from.
CREATE TABLE decisions (
    decision_id TEXT PRIMARY KEY,
    request_id  TEXT NOT NULL,
    config      TEXT NOT NULL,
    receipt     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    request_id    TEXT NOT NULL,
    attempt       INTEGER NOT NULL,
    expert        TEXT NOT NULL,
    pool          TEXT NOT NULL,
    replica       TEXT NOT NULL,
    ended         TEXT NOT NULL,
    detail        TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    estimated     INTEGER NOT NULL CHECK (estimated IN (0, 1)),
    cost_nanousd  INTEGER NOT NULL CHECK (cost_nanousd >= 0),
    wait_ms       REAL NOT NULL,
    ttft_ms       REAL,
    total_ms      REAL NOT NULL,
    PRIMARY KEY (request_id, attempt)
) STRICT, WITHOUT ROWID;

-- The money. Rows are added, never changed.
CREATE TABLE entries (
    request_id     TEXT NOT NULL,
    attempt        INTEGER NOT NULL,
    phase          TEXT NOT NULL,
    debit          TEXT NOT NULL,
    credit         TEXT NOT NULL,
    amount_nanousd INTEGER NOT NULL CHECK (amount_nanousd > 0),
    price_version  TEXT NOT NULL,
    writer         INTEGER NOT NULL REFERENCES writers (writer),
    sequence       INTEGER NOT NULL,
    PRIMARY KEY (request_id, attempt, phase),
    CHECK (debit <> credit)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entries_remain BEFORE DELETE ON entries
BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;

-- Records that would have broken a rule of the ledger: a bug, kept for whoever looks into it.
CREATE TABLE refused (
    request_id TEXT PRIMARY KEY,
    why        TEXT NOT NULL,
    record     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The documented view: one row for each booking, with what it was for.
CREATE VIEW ledger_entries AS
SELECT
    e.request_id,
    e.attempt,
    e.phase,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.at_unix_ms / 1000.0, 'unixepoch') AS at,
    r.at_unix_ms,
    e.debit,
    e.credit,
    e.amount_nanousd,
    r.tenant,
    r.route,
    r.domain,
    r.language,
    r.status,
    a.expert,
    a.pool,
    a.replica,
    a.prompt_tokens,
    a.cached_tokens,
    a.output_tokens,
    a.estimated,
    r.tags,
    r.decision_id,
    e.price_version,
    e.writer,
    e.sequence
FROM entries AS e
JOIN requests AS r USING (request_id)
JOIN attempts AS a USING (request_id, attempt);
