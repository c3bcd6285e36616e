-- The minutes of pools on GPUs of one's own: what each cost, and what of it requests were charged.
CREATE TABLE minutes (
    gateway         text NOT NULL,
    id              text NOT NULL,
    writer          bigint NOT NULL,
    pool            text NOT NULL,
    expert          text NOT NULL,
    at_unix_ms      bigint NOT NULL,
    bill_nanousd    bigint NOT NULL CHECK (bill_nanousd > 0),
    charged_nanousd bigint NOT NULL CHECK (charged_nanousd BETWEEN 0 AND bill_nanousd),
    price_version   text NOT NULL,
    PRIMARY KEY (gateway, id)
);
CREATE INDEX minutes_at ON minutes (at_unix_ms);
CREATE TRIGGER minutes_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON minutes
FOR EACH STATEMENT EXECUTE FUNCTION sluice_append_only();

CREATE OR REPLACE VIEW ledger_entries AS
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
  AND length(c.account) - length(replace(c.account, '/', '')) = 3
UNION ALL
SELECT
    'idle:' || m.id,
    0,
    'idle',
    to_char(to_timestamp(m.at_unix_ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
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
    0,
    m.gateway
FROM minutes AS m
WHERE m.bill_nanousd > m.charged_nanousd;
