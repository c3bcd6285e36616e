//! What requests may have in common.

/// Something that requests have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Whose they are.
    Tenant,
    /// The project that they belong to; empty when to none.
    Project,
    /// The key that they came with, by its id; empty when none was needed.
    Key,
    /// Who answered; empty when nobody did.
    Expert,
    /// The most probable domain; empty without a model.
    Domain,
    /// The route or pinned expert.
    Route,
    /// The most probable language; empty without a model.
    Language,
    /// `ok`, or the name of the fault.
    Status,
    /// The day on which they ended, in UTC.
    Day,
    /// What they are tagged with under this name; empty when they aren't.
    Tag(String),
}

impl By {
    /// Everything to group by, but for tags, which have names of their own.
    pub const ALL: &[By] = &[
        By::Tenant,
        By::Project,
        By::Key,
        By::Expert,
        By::Domain,
        By::Route,
        By::Language,
        By::Status,
        By::Day,
    ];

    /// Reads a name such as `tenant` or `tag:team`.
    pub fn named(name: &str) -> Option<By> {
        match name.strip_prefix("tag:") {
            Some(tag) => (!tag.is_empty()).then(|| By::Tag(tag.to_owned())),
            None => By::ALL.iter().find(|by| by.name() == name).cloned(),
        }
    }

    /// Its name on the command line and in reports.
    pub fn name(&self) -> String {
        let name = match self {
            By::Tenant => "tenant",
            By::Project => "project",
            By::Key => "key",
            By::Expert => "expert",
            By::Domain => "domain",
            By::Route => "route",
            By::Language => "language",
            By::Status => "status",
            By::Day => "day",
            By::Tag(tag) => return format!("tag:{tag}"),
        };
        name.to_owned()
    }

    /// Where it stands in rows that are called `r`.
    pub(super) fn column(&self, dialect: Dialect) -> String {
        match self {
            By::Key => "r.key_id".to_owned(),
            By::Day => dialect.day.to_owned(),
            By::Tag(tag) => (dialect.tag)(tag),
            other => format!("r.{}", other.name()),
        }
    }
}

/// What stores say differently in SQL.
#[derive(Clone, Copy)]
pub(in crate::store) struct Dialect {
    /// The day of `r.at_unix_ms` in UTC, as in `2026-08-01`.
    pub(in crate::store) day: &'static str,
    /// The value of a tag in `r.tags`, empty when there is none.
    pub(in crate::store) tag: fn(&str) -> String,
    /// The attempts, each with its request, called `r`.
    pub(in crate::store) attempts: &'static str,
    /// The bookings of requests, each with its request, called `r`.
    pub(in crate::store) entries: &'static str,
    /// The attempts with `at_unix_ms`, who was `asked`, and the `amount` and price `version` of what was booked for them, all
    /// called `r`.
    pub(in crate::store) used: &'static str,
}

/// A text as SQL writes it.
pub(in crate::store) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
