//! What goes from a journal to a fleet's common ledger: tables that both have, and rows of them on their way.

use bytes::Bytes;

/// A table whose rows are shipped.
pub(crate) struct Goods {
    /// Its name on both sides.
    pub(crate) table: &'static str,
    /// Where the journal has rows `t` of it whose numbers in the outbox are above `?1` and at most `?2`: up to three places.
    /// The outbox comes first, whatever a planner thinks: its range is short, and tables are looked up by their keys.
    pub(crate) from: &'static [&'static str],
    /// Columns of both sides.
    pub(crate) columns: &'static [&'static str],
    /// Whether the common ledger has the gateway before them.
    pub(crate) with_gateway: bool,
    /// What is done with a row that is there already, as SQL: nothing, unless the last one counts.
    pub(crate) again: &'static str,
}

/// Every table that is shipped, in the order in which rows refer to each other.
pub(crate) const GOODS: &[Goods] = &[
    Goods {
        table: "snapshots",
        from: &["more_outbox AS o CROSS JOIN snapshots AS t ON t.config = o.id
                 WHERE o.kind = 'snapshot' AND o.seq > ?1 AND o.seq <= ?2"],
        columns: &["config", "json"],
        with_gateway: false,
        again: "DO NOTHING",
    },
    Goods {
        table: "requests",
        from: &[
            "more_outbox AS o CROSS JOIN early_requests AS t ON t.request_id = o.id
                 WHERE o.kind = 'request' AND o.seq > ?1 AND o.seq <= ?2",
            "settled_requests AS t WHERE t.seq > ?1 AND t.seq <= ?2",
        ],
        columns: &[
            "request_id",
            "label",
            "at_unix_ms",
            "tenant",
            "project",
            "key_id",
            "route",
            "front",
            "domain",
            "language",
            "status",
            "expert",
            "floor_held",
            "cost_nanousd",
            "baseline_nanousd",
            "ttft_ms",
            "total_ms",
            "tags",
            "decision_id",
        ],
        with_gateway: true,
        again: "DO NOTHING",
    },
    Goods {
        table: "decisions",
        from: &[
            "more_outbox AS o CROSS JOIN early_requests AS r ON r.request_id = o.id
                 CROSS JOIN early_decisions AS t ON t.decision_id = r.decision_id
                 WHERE o.kind = 'request' AND o.seq > ?1 AND o.seq <= ?2",
            "settled_decisions AS t WHERE t.seq > ?1 AND t.seq <= ?2",
        ],
        columns: &["decision_id", "request_id", "config", "receipt"],
        with_gateway: false,
        again: "DO NOTHING",
    },
    Goods {
        table: "attempts",
        from: &[
            "more_outbox AS o CROSS JOIN more_attempts AS t ON t.request_id = o.id
                 WHERE o.kind = 'request' AND o.seq > ?1 AND o.seq <= ?2",
            "settled_attempts AS t WHERE t.seq > ?1 AND t.seq <= ?2",
            "settled AS o CROSS JOIN more_attempts AS t ON t.request_id = o.request_id WHERE o.seq > ?1 AND o.seq <= ?2",
        ],
        columns: &[
            "request_id",
            "attempt",
            "expert",
            "pool",
            "replica",
            "ended",
            "detail",
            "prompt_tokens",
            "cached_tokens",
            "output_tokens",
            "estimated",
            "cost_nanousd",
            "wait_ms",
            "ttft_ms",
            "total_ms",
            "cache_write_tokens",
        ],
        with_gateway: false,
        again: "DO NOTHING",
    },
    Goods {
        table: "entries",
        from: &[
            "more_outbox AS o CROSS JOIN more_entries AS t ON t.request_id = o.id
                 WHERE o.kind = 'request' AND o.seq > ?1 AND o.seq <= ?2",
            "settled_entries AS t WHERE t.seq > ?1 AND t.seq <= ?2",
            "settled AS o CROSS JOIN more_entries AS t ON t.request_id = o.request_id WHERE o.seq > ?1 AND o.seq <= ?2",
        ],
        columns: &[
            "request_id",
            "attempt",
            "phase",
            "debit",
            "credit",
            "amount_nanousd",
            "price_version",
            "writer",
            "sequence",
        ],
        with_gateway: true,
        again: "DO NOTHING",
    },
    Goods {
        table: "closings",
        from: &["more_outbox AS o CROSS JOIN closings AS t ON t.account = substr(o.id, instr(o.id, ':') + 1)
                 AND t.writer = CAST(substr(o.id, 1, instr(o.id, ':') - 1) AS INTEGER)
                 WHERE o.kind = 'closing' AND o.seq > ?1 AND o.seq <= ?2"],
        columns: &["account", "writer", "tenant", "at_unix_ms", "spent_nanousd", "unattributed_nanousd"],
        with_gateway: true,
        again: "(gateway, account, writer) DO UPDATE SET at_unix_ms = excluded.at_unix_ms,
            spent_nanousd = excluded.spent_nanousd, unattributed_nanousd = excluded.unattributed_nanousd",
    },
    Goods {
        table: "minutes",
        from: &["more_outbox AS o CROSS JOIN minutes AS t ON t.id = o.id
                 WHERE o.kind = 'minute' AND o.seq > ?1 AND o.seq <= ?2"],
        columns: &[
            "id",
            "writer",
            "pool",
            "expert",
            "at_unix_ms",
            "bill_nanousd",
            "charged_nanousd",
            "price_version",
        ],
        with_gateway: true,
        again: "DO NOTHING",
    },
    Goods {
        table: "refused",
        from: &["more_outbox AS o CROSS JOIN refused AS t ON t.request_id = o.id
                 WHERE o.kind = 'refused' AND o.seq > ?1 AND o.seq <= ?2"],
        columns: &["request_id", "why", "record"],
        with_gateway: true,
        again: "DO NOTHING",
    },
];

/// Rows on their way, all of one state of the journal.
pub(crate) struct Parcel {
    /// The last number of the outbox that it covers.
    pub(crate) last: i64,
    /// How many numbers of the outbox it covers.
    pub(crate) count: u64,
    /// Kind and id of the last one, for whoever must say which could not be stored.
    pub(crate) label: (String, String),
    /// How many rows and these, in the common ledger's format; one for each of [`GOODS`].
    pub(crate) rows: Vec<(u64, Bytes)>,
}
