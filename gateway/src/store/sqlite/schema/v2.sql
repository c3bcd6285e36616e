-- What this gateway is called wherever gateways have something in common; outlives its restarts.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('gateway', lower(hex(randomblob(8))));

-- Up to where each start of the gateway may draw on its share of a budget. The last word counts.
CREATE TABLE marks (
    account        TEXT NOT NULL,
    writer         INTEGER NOT NULL,
    amount_nanousd INTEGER NOT NULL CHECK (amount_nanousd >= 0),
    PRIMARY KEY (account, writer)
) STRICT, WITHOUT ROWID;

-- What each start has settled of its share: the sum over its requests, kept with them.
CREATE TABLE charged (
    account        TEXT NOT NULL,
    writer         INTEGER NOT NULL,
    amount_nanousd INTEGER NOT NULL CHECK (amount_nanousd >= 0),
    PRIMARY KEY (account, writer)
) STRICT, WITHOUT ROWID;

-- With hold = "request": money held for requests that have not ended. A request's rows go when it is settled.
CREATE TABLE holds (
    request_id     TEXT NOT NULL,
    hold           INTEGER NOT NULL,
    account        TEXT NOT NULL,
    writer         INTEGER NOT NULL,
    amount_nanousd INTEGER NOT NULL CHECK (amount_nanousd >= 0),
    PRIMARY KEY (request_id, hold, account)
) STRICT, WITHOUT ROWID;

-- Shares of starts that have ended without settling everything: what may have been spent and can't be known.
CREATE TABLE closings (
    account              TEXT NOT NULL,
    writer               INTEGER NOT NULL,
    tenant               TEXT NOT NULL,
    at_unix_ms           INTEGER NOT NULL,
    spent_nanousd        INTEGER NOT NULL CHECK (spent_nanousd >= 0),
    unattributed_nanousd INTEGER NOT NULL CHECK (unattributed_nanousd >= 0),
    PRIMARY KEY (account, writer)
) STRICT, WITHOUT ROWID;

ALTER TABLE requests ADD COLUMN project TEXT NOT NULL DEFAULT '';
ALTER TABLE requests ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;

DROP VIEW ledger_entries;
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
    r.project,
    r.key_id,
    r.route,
    r.domain,
    r.language,
    r.status,
    a.expert,
    a.pool,
    a.replica,
    a.prompt_tokens,
    a.cached_tokens,
    a.cache_write_tokens,
    a.output_tokens,
    a.estimated,
    r.tags,
    r.decision_id,
    e.price_version,
    e.writer,
    e.sequence
FROM entries AS e
JOIN requests AS r USING (request_id)
JOIN attempts AS a USING (request_id, attempt)
UNION ALL
SELECT
    'share:' || c.writer || ':' || c.account,
    0,
    'abandon',
    strftime('%Y-%m-%dT%H:%M:%fZ', c.at_unix_ms / 1000.0, 'unixepoch'),
    c.at_unix_ms,
    'unattributed',
    'funded',
    c.unattributed_nanousd,
    c.tenant,
    '', '', '', '', '', '', '', '', '', 0, 0, 0, 0, 1, '{}', NULL, '',
    c.writer,
    0
FROM closings AS c
-- A tenant's own budget; those of its projects and keys bound the same money once more.
WHERE c.unattributed_nanousd > 0 AND instr(c.account, 'budget/' || c.tenant || '/') = 1
  AND length(c.account) - length(replace(c.account, '/', '')) = 3;
