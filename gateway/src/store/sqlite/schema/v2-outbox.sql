-- What goes to a fleet's common ledger, in the order in which it was committed: a row for each row of `requests`,
-- `snapshots`, `refused` and `closings`. Filled by triggers, so that nothing that is written can be forgotten. How far it has
-- gone is noted in that ledger, in the transaction that put it there; `shipped` is a copy for when that is away.
CREATE TABLE outbox (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('request', 'snapshot', 'refused', 'closing')),
    id   TEXT NOT NULL
) STRICT;
CREATE TABLE shipped (
    ledger TEXT PRIMARY KEY,
    seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO outbox (kind, id) SELECT 'snapshot', config FROM snapshots;
INSERT INTO outbox (kind, id) SELECT 'request', request_id FROM requests ORDER BY at_unix_ms, request_id;
INSERT INTO outbox (kind, id) SELECT 'refused', request_id FROM refused;

CREATE TRIGGER requests_go_out AFTER INSERT ON requests
BEGIN INSERT INTO outbox (kind, id) VALUES ('request', new.request_id); END;
CREATE TRIGGER snapshots_go_out AFTER INSERT ON snapshots
BEGIN INSERT INTO outbox (kind, id) VALUES ('snapshot', new.config); END;
CREATE TRIGGER refused_go_out AFTER INSERT ON refused
BEGIN INSERT INTO outbox (kind, id) VALUES ('refused', new.request_id); END;
CREATE TRIGGER closings_go_out AFTER INSERT ON closings
BEGIN INSERT INTO outbox (kind, id) VALUES ('closing', new.writer || ':' || new.account); END;
