-- A request in one row: what was in `requests`, `decisions`, `attempts`, `entries` and `outbox`, for the first of its attempts
-- and that one's settlement. So most requests are one row in one table and two small keys, where they were six rows.
-- Further attempts and their bookings are in `more_attempts` and `more_entries`. What was written before this version stays
-- where it is; the views below, which have the names that the tables had, show both.
DROP VIEW ledger_entries;
DROP TRIGGER requests_go_out;
DROP TRIGGER snapshots_go_out;
DROP TRIGGER refused_go_out;
DROP TRIGGER closings_go_out;
DROP TRIGGER closings_go_out_anew;
DROP TRIGGER minutes_go_out;
ALTER TABLE requests RENAME TO early_requests;
ALTER TABLE decisions RENAME TO early_decisions;
ALTER TABLE attempts RENAME TO more_attempts;
ALTER TABLE entries RENAME TO more_entries;
ALTER TABLE outbox RENAME TO more_outbox;

CREATE TABLE settled (
    -- The number in the outbox.
    seq               INTEGER PRIMARY KEY,
    request_id        TEXT NOT NULL UNIQUE,
    -- NULL: as the id.
    label             TEXT,
    at_unix_ms        INTEGER NOT NULL,
    tenant            TEXT NOT NULL,
    project           TEXT NOT NULL,
    key_id            TEXT NOT NULL,
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
    -- NULL: none was made. Empty: as the request's id.
    decision_id       TEXT,
    -- The configuration that was decided by; NULL without a decision.
    config            TEXT,
    writer            INTEGER NOT NULL,
    -- The first attempt; NULL when there was none.
    attempt           INTEGER,
    -- NULL: who answered the request.
    asked             TEXT,
    pool              TEXT,
    replica           TEXT,
    ended             TEXT,
    detail            TEXT,
    prompt_tokens     INTEGER,
    cached_tokens     INTEGER,
    cache_write_tokens INTEGER,
    output_tokens     INTEGER,
    estimated         INTEGER CHECK (estimated IN (0, 1)),
    attempt_nanousd   INTEGER CHECK (attempt_nanousd >= 0),
    wait_ms           REAL,
    attempt_ttft_ms   REAL,
    attempt_ms        REAL,
    -- Its settlement, from `funded`; NULL when it cost nothing.
    sequence          INTEGER,
    debit             TEXT CHECK (debit <> 'funded'),
    amount_nanousd    INTEGER CHECK (amount_nanousd > 0),
    -- NULL: as `config`.
    price_version     TEXT,
    -- What was decided from, packed; NULL after a purge.
    receipt           BLOB,
    CHECK ((attempt IS NULL) = (wait_ms IS NULL) AND (attempt IS NULL) = (attempt_ms IS NULL)),
    CHECK ((sequence IS NULL) = (amount_nanousd IS NULL) AND (sequence IS NULL OR attempt IS NOT NULL))
) STRICT;
CREATE INDEX settled_at ON settled (at_unix_ms);
-- Where a decision has an id of its own.
CREATE INDEX settled_decision ON settled (decision_id) WHERE decision_id > '';

CREATE TRIGGER settled_stay BEFORE UPDATE OF seq, request_id, at_unix_ms, tenant, cost_nanousd, writer, attempt, sequence, debit,
    amount_nanousd, price_version ON settled
BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER settled_remain BEFORE DELETE ON settled
BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
-- Keys are unique over both tables.
CREATE TRIGGER attempts_differ BEFORE INSERT ON more_attempts
WHEN EXISTS (SELECT 1 FROM settled AS s WHERE s.request_id = new.request_id AND s.attempt = new.attempt)
BEGIN SELECT raise(ABORT, 'an attempt has been stored already'); END;
CREATE TRIGGER entries_differ BEFORE INSERT ON more_entries
WHEN new.phase = 'settle' AND EXISTS (SELECT 1 FROM settled AS s WHERE s.request_id = new.request_id
    AND s.attempt = new.attempt AND s.amount_nanousd IS NOT NULL)
BEGIN SELECT raise(ABORT, 'an attempt has been settled already'); END;

CREATE VIEW outbox AS
SELECT seq, kind, id FROM more_outbox
UNION ALL
SELECT seq, 'request', request_id FROM settled;
-- The last number that was given away: requests have them in common with everything else that goes out.
CREATE VIEW outbox_newest AS
SELECT max(coalesce((SELECT max(seq) FROM more_outbox), 0), coalesce((SELECT max(seq) FROM settled), 0)) AS seq;
CREATE TRIGGER snapshots_go_out AFTER INSERT ON snapshots
BEGIN INSERT INTO more_outbox (seq, kind, id) SELECT seq + 1, 'snapshot', new.config FROM outbox_newest; END;
CREATE TRIGGER refused_go_out AFTER INSERT ON refused
BEGIN INSERT INTO more_outbox (seq, kind, id) SELECT seq + 1, 'refused', new.request_id FROM outbox_newest; END;
CREATE TRIGGER closings_go_out AFTER INSERT ON closings
BEGIN INSERT INTO more_outbox (seq, kind, id) SELECT seq + 1, 'closing', new.writer || ':' || new.account FROM outbox_newest; END;
-- A closing may be made anew before it comes into force.
CREATE TRIGGER closings_go_out_anew AFTER UPDATE ON closings
BEGIN INSERT INTO more_outbox (seq, kind, id) SELECT seq + 1, 'closing', new.writer || ':' || new.account FROM outbox_newest; END;
CREATE TRIGGER minutes_go_out AFTER INSERT ON minutes
BEGIN INSERT INTO more_outbox (seq, kind, id) SELECT seq + 1, 'minute', new.id FROM outbox_newest; END;

-- What a row of `settled` says, table by table.
CREATE VIEW settled_requests AS
SELECT seq, request_id, coalesce(label, request_id) AS label, at_unix_ms, tenant, project, key_id, route, front, domain, language,
    status, expert, floor_held, cost_nanousd, baseline_nanousd, ttft_ms, total_ms, tags,
    CASE decision_id WHEN '' THEN request_id ELSE decision_id END AS decision_id
FROM settled;
CREATE VIEW settled_decisions AS
SELECT seq, CASE decision_id WHEN '' THEN request_id ELSE decision_id END AS decision_id, request_id, config, receipt
FROM settled WHERE receipt IS NOT NULL;
CREATE VIEW settled_attempts AS
SELECT seq, request_id, attempt, coalesce(asked, expert) AS expert, pool, replica, ended, detail, prompt_tokens, cached_tokens,
    output_tokens, estimated, attempt_nanousd AS cost_nanousd, wait_ms, attempt_ttft_ms AS ttft_ms, attempt_ms AS total_ms,
    cache_write_tokens
FROM settled WHERE attempt IS NOT NULL;
CREATE VIEW settled_entries AS
SELECT seq, request_id, attempt, 'settle' AS phase, debit, 'funded' AS credit, amount_nanousd,
    coalesce(price_version, config) AS price_version, writer, sequence
FROM settled WHERE amount_nanousd IS NOT NULL;

CREATE VIEW requests AS
SELECT request_id, label, at_unix_ms, tenant, project, key_id, route, front, domain, language, status, expert, floor_held,
    cost_nanousd, baseline_nanousd, ttft_ms, total_ms, tags, decision_id
FROM early_requests
UNION ALL
SELECT request_id, label, at_unix_ms, tenant, project, key_id, route, front, domain, language, status, expert, floor_held,
    cost_nanousd, baseline_nanousd, ttft_ms, total_ms, tags, decision_id
FROM settled_requests;
-- Receipts from before are JSON, later ones packed.
CREATE VIEW decisions AS
SELECT decision_id, request_id, config, receipt FROM early_decisions
UNION ALL
SELECT decision_id, request_id, config, receipt FROM settled_decisions;
CREATE VIEW attempts AS
SELECT request_id, attempt, expert, pool, replica, ended, detail, prompt_tokens, cached_tokens, output_tokens, estimated,
    cost_nanousd, wait_ms, ttft_ms, total_ms, cache_write_tokens
FROM more_attempts
UNION ALL
SELECT request_id, attempt, expert, pool, replica, ended, detail, prompt_tokens, cached_tokens, output_tokens, estimated,
    cost_nanousd, wait_ms, ttft_ms, total_ms, cache_write_tokens
FROM settled_attempts;
CREATE VIEW entries AS
SELECT request_id, attempt, phase, debit, credit, amount_nanousd, price_version, writer, sequence FROM more_entries
UNION ALL
SELECT request_id, attempt, phase, debit, credit, amount_nanousd, price_version, writer, sequence FROM settled_entries;
CREATE TRIGGER view_entries_stay INSTEAD OF UPDATE ON entries
BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER view_entries_remain INSTEAD OF DELETE ON entries
BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;

CREATE VIEW ledger_entries AS
-- From before.
SELECT
    e.request_id, e.attempt, e.phase, strftime('%Y-%m-%dT%H:%M:%fZ', r.at_unix_ms / 1000.0, 'unixepoch') AS at,
    r.at_unix_ms, e.debit, e.credit, e.amount_nanousd, r.tenant, r.project, r.key_id, r.route, r.domain, r.language,
    r.status, a.expert, a.pool, a.replica, a.prompt_tokens, a.cached_tokens, a.cache_write_tokens, a.output_tokens,
    a.estimated, r.tags, r.decision_id, e.price_version, e.writer, e.sequence
FROM more_entries AS e
JOIN early_requests AS r USING (request_id)
JOIN more_attempts AS a USING (request_id, attempt)
UNION ALL
-- Of further attempts.
SELECT
    e.request_id, e.attempt, e.phase, strftime('%Y-%m-%dT%H:%M:%fZ', r.at_unix_ms / 1000.0, 'unixepoch') AS at,
    r.at_unix_ms, e.debit, e.credit, e.amount_nanousd, r.tenant, r.project, r.key_id, r.route, r.domain, r.language,
    r.status, a.expert, a.pool, a.replica, a.prompt_tokens, a.cached_tokens, a.cache_write_tokens, a.output_tokens,
    a.estimated, r.tags, CASE r.decision_id WHEN '' THEN r.request_id ELSE r.decision_id END, e.price_version, e.writer,
    e.sequence
FROM more_entries AS e
JOIN settled AS r USING (request_id)
JOIN more_attempts AS a USING (request_id, attempt)
UNION ALL
-- Of first attempts, beyond their settlement.
SELECT
    e.request_id, e.attempt, e.phase, strftime('%Y-%m-%dT%H:%M:%fZ', r.at_unix_ms / 1000.0, 'unixepoch') AS at,
    r.at_unix_ms, e.debit, e.credit, e.amount_nanousd, r.tenant, r.project, r.key_id, r.route, r.domain, r.language,
    r.status, coalesce(r.asked, r.expert), r.pool, r.replica, r.prompt_tokens, r.cached_tokens, r.cache_write_tokens,
    r.output_tokens, r.estimated, r.tags, CASE r.decision_id WHEN '' THEN r.request_id ELSE r.decision_id END,
    e.price_version, e.writer, e.sequence
FROM more_entries AS e
JOIN settled AS r USING (request_id, attempt)
UNION ALL
-- Settlements of first attempts.
SELECT
    r.request_id, r.attempt, 'settle', strftime('%Y-%m-%dT%H:%M:%fZ', r.at_unix_ms / 1000.0, 'unixepoch') AS at,
    r.at_unix_ms, r.debit, 'funded', r.amount_nanousd, r.tenant, r.project, r.key_id, r.route, r.domain, r.language,
    r.status, coalesce(r.asked, r.expert), r.pool, r.replica, r.prompt_tokens, r.cached_tokens, r.cache_write_tokens,
    r.output_tokens, r.estimated, r.tags, CASE r.decision_id WHEN '' THEN r.request_id ELSE r.decision_id END,
    coalesce(r.price_version, r.config), r.writer, r.sequence
FROM settled AS r
WHERE r.amount_nanousd IS NOT NULL
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
