-- What `[store] shared = "memory"` keeps: budgets, limits and keys of a gateway that shares them with nobody.
CREATE TABLE shared (
    key     TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    value   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
