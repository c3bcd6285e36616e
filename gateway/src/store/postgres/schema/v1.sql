-- A fleet's common ledger: the tables of a journal, with the gateway where only it tells rows apart.

-- How far each gateway's journal has come, moved in the transaction that brings its rows: the number and the id of the
-- last row of its outbox. A journal that has another row there was put back from a backup.
CREATE TABLE gateways (
    gateway text PRIMARY KEY,
    shipped bigint NOT NULL,
    last_id text NOT NULL
);

CREATE TABLE snapshots (
    config text PRIMARY KEY,
    json   text NOT NULL
);

CREATE TABLE requests (
    gateway           text NOT NULL,
    request_id        text PRIMARY KEY,
    label             text NOT NULL,
    at_unix_ms        bigint NOT NULL,
    tenant            text NOT NULL,
    project           text NOT NULL,
    key_id            text NOT NULL,
    route             text NOT NULL,
    front             text NOT NULL,
    domain            text NOT NULL,
    language          text NOT NULL,
    status            text NOT NULL,
    expert            text NOT NULL,
    floor_held        bigint NOT NULL CHECK (floor_held IN (0, 1)),
    cost_nanousd      bigint NOT NULL CHECK (cost_nanousd >= 0),
    baseline_nanousd  bigint NOT NULL CHECK (baseline_nanousd >= 0),
    ttft_ms           double precision,
    total_ms          double precision NOT NULL,
    tags              text NOT NULL,
    decision_id       text
);
CREATE INDEX requests_at ON requests (at_unix_ms);

CREATE TABLE decisions (
    decision_id text PRIMARY KEY,
    request_id  text NOT NULL,
    config      text NOT NULL,
    receipt     text NOT NULL
);

CREATE TABLE attempts (
    request_id    text NOT NULL,
    attempt       bigint NOT NULL,
    expert        text NOT NULL,
    pool          text NOT NULL,
    replica       text NOT NULL,
    ended         text NOT NULL,
    detail        text NOT NULL,
    prompt_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    estimated     bigint NOT NULL CHECK (estimated IN (0, 1)),
    cost_nanousd  bigint NOT NULL CHECK (cost_nanousd >= 0),
    wait_ms       double precision NOT NULL,
    ttft_ms       double precision,
    total_ms      double precision NOT NULL,
    cache_write_tokens bigint NOT NULL,
    PRIMARY KEY (request_id, attempt)
);

-- The money. Rows are added, never changed.
CREATE TABLE entries (
    gateway        text NOT NULL,
    request_id     text NOT NULL,
    attempt        bigint NOT NULL,
    phase          text NOT NULL,
    debit          text NOT NULL,
    credit         text NOT NULL,
    amount_nanousd bigint NOT NULL CHECK (amount_nanousd > 0),
    price_version  text NOT NULL,
    writer         bigint NOT NULL,
    sequence       bigint NOT NULL,
    PRIMARY KEY (request_id, attempt, phase),
    CHECK (debit <> credit)
);
CREATE FUNCTION sluice_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
FOR EACH STATEMENT EXECUTE FUNCTION sluice_append_only();

-- Shares of starts that have ended without settling everything: what may have been spent and can't be known.
CREATE TABLE closings (
    gateway              text NOT NULL,
    account              text NOT NULL,
    writer               bigint NOT NULL,
    tenant               text NOT NULL,
    at_unix_ms           bigint NOT NULL,
    spent_nanousd        bigint NOT NULL CHECK (spent_nanousd >= 0),
    unattributed_nanousd bigint NOT NULL CHECK (unattributed_nanousd >= 0),
    PRIMARY KEY (gateway, account, writer)
);

-- Records that broke a rule of the ledger, here or at their gateway.
CREATE TABLE refused (
    gateway    text NOT NULL,
    request_id text NOT NULL,
    why        text NOT NULL,
    record     text NOT NULL,
    PRIMARY KEY (gateway, request_id)
);

CREATE VIEW ledger_entries AS
SELECT
    e.request_id,
    e.attempt,
    e.phase,
    to_char(to_timestamp(r.at_unix_ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
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
    e.sequence,
    e.gateway
FROM entries AS e
JOIN requests AS r USING (request_id)
JOIN attempts AS a USING (request_id, attempt)
UNION ALL
SELECT
    'share:' || c.writer || ':' || c.account,
    0,
    'abandon',
    to_char(to_timestamp(c.at_unix_ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    c.at_unix_ms,
    'unattributed',
    'funded',
    c.unattributed_nanousd,
    c.tenant,
    '', '', '', '', '', '', '', '', '', 0, 0, 0, 0, 1, '{}', NULL, '',
    c.writer,
    0,
    c.gateway
FROM closings AS c
-- A tenant's own budget; those of its projects and keys bound the same money once more.
WHERE c.unattributed_nanousd > 0 AND starts_with(c.account, 'budget/' || c.tenant || '/')
  AND length(c.account) - length(replace(c.account, '/', '')) = 3;
