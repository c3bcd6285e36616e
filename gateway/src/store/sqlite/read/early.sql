-- What `v4.sql` beside this says, of a file of an earlier version that no gateway has taken over yet.
CREATE TEMP VIEW tries AS
SELECT r.at_unix_ms, r.tenant, r.project, r.key_id, r.route, r.domain, r.language, r.status, r.expert, r.tags, a.expert AS asked,
    a.prompt_tokens, a.cached_tokens, a.cache_write_tokens, a.output_tokens, a.estimated,
    (SELECT sum(e.amount_nanousd) FROM entries AS e WHERE e.request_id = a.request_id AND e.attempt = a.attempt) AS amount,
    (SELECT max(e.price_version) FROM entries AS e WHERE e.request_id = a.request_id AND e.attempt = a.attempt) AS version
FROM requests AS r JOIN attempts AS a USING (request_id);

CREATE TEMP VIEW bookings AS
SELECT r.at_unix_ms, r.tenant, r.project, r.key_id, r.route, r.domain, r.language, r.status, r.expert, r.tags,
    e.debit, e.amount_nanousd
FROM requests AS r JOIN entries AS e USING (request_id);
