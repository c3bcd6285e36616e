//! Rows as Postgres' binary COPY format, the cheapest way in.
//!
//! Source: "Binary Format" in Postgres' page on COPY: a signature, rows of counted fields, an end mark; integers and
//! floats in network order.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Rows of one table.
pub(crate) struct Rows {
    bytes: BytesMut,
    count: u64,
}

impl Rows {
    pub(crate) fn new() -> Rows {
        let mut bytes = BytesMut::with_capacity(64 << 10);
        bytes.put_slice(b"PGCOPY\n\xff\r\n\0");
        bytes.put_i32(0); // flags
        bytes.put_i32(0); // length of what else the header has
        Rows { bytes, count: 0 }
    }

    /// Begins a row of so many fields.
    pub(crate) fn row(&mut self, fields: usize) {
        self.bytes.put_i16(i16::try_from(fields).expect("tables are narrow"));
        self.count += 1;
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.bytes.put_i32(8);
        self.bytes.put_i64(value);
    }

    pub(crate) fn real(&mut self, value: f64) {
        self.bytes.put_i32(8);
        self.bytes.put_f64(value);
    }

    pub(crate) fn null(&mut self) {
        self.bytes.put_i32(-1);
    }

    /// Postgres' text can't hold a NUL, and SQLite's can: it becomes the mark of a character that can't be shown.
    pub(crate) fn text(&mut self, text: &[u8]) {
        if text.contains(&0) {
            let text = String::from_utf8_lossy(text).replace('\0', "\u{FFFD}");
            self.bytes_of(text.as_bytes());
        } else {
            self.bytes_of(text);
        }
    }

    fn bytes_of(&mut self, text: &[u8]) {
        self.bytes.put_i32(i32::try_from(text.len()).expect("SQLite's values are below 1 GB"));
        self.bytes.put_slice(text);
    }

    /// How many rows.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The whole, with its end mark.
    pub(crate) fn finish(mut self) -> Bytes {
        self.bytes.put_i16(-1);
        self.bytes.freeze()
    }
}
