-- The minutes of pools on GPUs of one's own: what each cost, and what of it requests were charged. Made when the last request
-- of the minute has ended. What is left is idle: the operator's.
CREATE TABLE minutes (
    id              TEXT PRIMARY KEY,
    writer          INTEGER NOT NULL,
    pool            TEXT NOT NULL,
    expert          TEXT NOT NULL,
    at_unix_ms      INTEGER NOT NULL,
    bill_nanousd    INTEGER NOT NULL CHECK (bill_nanousd > 0),
    charged_nanousd INTEGER NOT NULL CHECK (charged_nanousd BETWEEN 0 AND bill_nanousd),
    price_version   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX minutes_at ON minutes (at_unix_ms);
CREATE TRIGGER minutes_stay BEFORE UPDATE ON minutes
BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER minutes_remain BEFORE DELETE ON minutes
BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;

-- Closings that have come into force: the vault was kept with them. One that was only written down is made again by the next
-- start, which has to know what was left open for that.
CREATE TABLE closed (
    account TEXT NOT NULL,
    writer  INTEGER NOT NULL,
    PRIMARY KEY (account, writer)
) STRICT, WITHOUT ROWID;

-- Minutes go out too: the table is made anew, as a check of a column can't be changed.
DROP TRIGGER requests_go_out;
DROP TRIGGER snapshots_go_out;
DROP TRIGGER refused_go_out;
DROP TRIGGER closings_go_out;
CREATE TABLE new_outbox (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('request', 'snapshot', 'refused', 'closing', 'minute')),
    id   TEXT NOT NULL
) STRICT;
INSERT INTO new_outbox (seq, kind, id) SELECT seq, kind, id FROM outbox ORDER BY seq;
DROP TABLE outbox;
ALTER TABLE new_outbox RENAME TO outbox;
CREATE TRIGGER requests_go_out AFTER INSERT ON requests
BEGIN INSERT INTO outbox (kind, id) VALUES ('request', new.request_id); END;
CREATE TRIGGER snapshots_go_out AFTER INSERT ON snapshots
BEGIN INSERT INTO outbox (kind, id) VALUES ('snapshot', new.config); END;
CREATE TRIGGER refused_go_out AFTER INSERT ON refused
BEGIN INSERT INTO outbox (kind, id) VALUES ('refused', new.request_id); END;
CREATE TRIGGER closings_go_out AFTER INSERT ON closings
BEGIN INSERT INTO outbox (kind, id) VALUES ('closing', new.writer || ':' || new.account); END;
-- A closing may be made anew before it comes into force.
CREATE TRIGGER closings_go_out_anew AFTER UPDATE ON closings
BEGIN INSERT INTO outbox (kind, id) VALUES ('closing', new.writer || ':' || new.account); END;
CREATE TRIGGER minutes_go_out AFTER INSERT ON minutes
BEGIN INSERT INTO outbox (kind, id) VALUES ('minute', new.id); END;

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
  AND length(c.account) - length(replace(c.account, '/', '')) = 3
UNION ALL
SELECT
    'idle:' || m.id,
    0,
    'idle',
    strftime('%Y-%m-%dT%H:%M:%fZ', m.at_unix_ms / 1000.0, 'unixepoch'),
    m.at_unix_ms,
    'overhead',
    'funded',
    m.bill_nanousd - m.charged_nanousd,
    '', '', '', '', '', '', '',
    m.expert,
    m.pool,
    '', 0, 0, 0, 0, 0, '{}', NULL,
    m.price_version,
    m.writer,
    0
FROM minutes AS m
WHERE m.bill_nanousd > m.charged_nanousd;
