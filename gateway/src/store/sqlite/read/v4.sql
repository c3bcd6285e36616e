-- Each attempt with its request and what was booked for it, and each booking with its request. A join of the views `requests`
-- and `attempts` would be the same, but read all attempts for a span of time; these look for the span in each table.
CREATE TEMP VIEW tries AS
SELECT r.at_unix_ms, r.tenant, r.project, r.key_id, r.route, r.domain, r.language, r.status, r.expert, r.tags, a.expert AS asked,
    a.prompt_tokens, a.cached_tokens, a.cache_write_tokens, a.output_tokens, a.estimated,
    (SELECT sum(e.amount_nanousd) FROM more_entries AS e WHERE e.request_id = a.request_id AND e.attempt = a.attempt) AS amount,
    (SELECT max(e.price_version) FROM more_entries AS e WHERE e.request_id = a.request_id AND e.attempt = a.attempt) AS version
FROM early_requests AS r JOIN more_attempts AS a USING (request_id)
UNION ALL
SELECT r.at_unix_ms, r.tenant, r.project, r.key_id, r.route, r.domain, r.language, r.status, r.expert, r.tags, a.expert,
    a.prompt_tokens, a.cached_tokens, a.cache_write_tokens, a.output_tokens, a.estimated,
    (SELECT sum(e.amount_nanousd) FROM more_entries AS e WHERE e.request_id = a.request_id AND e.attempt = a.attempt),
    (SELECT max(e.price_version) FROM more_entries AS e WHERE e.request_id = a.request_id AND e.attempt = a.attempt)
FROM settled AS r JOIN more_attempts AS a USING (request_id)
UNION ALL
SELECT r.at_unix_ms, r.tenant, r.project, r.key_id, r.route, r.domain, r.language, r.status, r.expert, r.tags,
    coalesce(r.asked, r.expert),
    r.prompt_tokens, r.cached_tokens, r.cache_write_tokens, r.output_tokens, r.estimated,
    (SELECT sum(x) FROM (SELECT r.amount_nanousd AS x UNION ALL SELECT e.amount_nanousd FROM more_entries AS e
        WHERE e.request_id = r.request_id AND e.attempt = r.attempt)),
    (SELECT max(x) FROM (SELECT coalesce(r.price_version, r.config) AS x WHERE r.amount_nanousd IS NOT NULL
        UNION ALL SELECT e.price_version FROM more_entries AS e
        WHERE e.request_id = r.request_id AND e.attempt = r.attempt))
FROM settled AS r WHERE r.attempt IS NOT NULL;

CREATE TEMP VIEW bookings AS
SELECT r.at_unix_ms, r.tenant, r.project, r.key_id, r.route, r.domain, r.language, r.status, r.expert, r.tags,
    e.debit, e.amount_nanousd
FROM early_requests AS r JOIN more_entries AS e USING (request_id)
UNION ALL
SELECT r.at_unix_ms, r.tenant, r.project, r.key_id, r.route, r.domain, r.language, r.status, r.expert, r.tags,
    e.debit, e.amount_nanousd
FROM settled AS r JOIN more_entries AS e USING (request_id)
UNION ALL
SELECT at_unix_ms, tenant, project, key_id, route, domain, language, status, expert, tags, debit, amount_nanousd
FROM settled WHERE amount_nanousd IS NOT NULL;
