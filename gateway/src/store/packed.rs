//! Receipts as the journal's file has them: a compact form that is cheap to write, and JSON wherever it is read.
//!
//! JSON costs its writer most for floats, which it prints digit by digit, and for the names of fields, which each quote
//! and each pool repeats. Here a float is its eight bytes, or four where those say the same, and the fields of a struct
//! are named once, by numbers where they have any ([`names`]). What is stored still names everything that it holds, so a later
//! version reads it without knowing the structs of this one, and [`json`] gives to the byte what `serde_json` would have written.

mod names;
mod read;
mod write;

use serde::Serialize;
use write::{Shapes, Writer};

/// Packs values, one after the other. It remembers the structs that it has met, so that only their names are compared.
#[derive(Default)]
pub(super) struct Packer {
    shapes: Shapes,
    out: Vec<u8>,
}

impl Packer {
    /// A value's bytes. One that this form doesn't know, such as a struct within itself, is kept as JSON.
    pub(super) fn pack<T: Serialize>(&mut self, value: &T) -> serde_json::Result<&[u8]> {
        // Once more where it had to learn; by then it knows all.
        if !self.try_to_pack(value) && !self.try_to_pack(value) {
            self.shapes = Shapes::default();
            self.out.clear();
            serde_json::to_writer(&mut self.out, value)?;
        }
        Ok(&self.out)
    }

    fn try_to_pack<T: Serialize>(&mut self, value: &T) -> bool {
        self.out.clear();
        self.out.push(FORM);
        value.serialize(&mut Writer::new(&mut self.out, &mut self.shapes)).is_ok()
            && !self.shapes.have_learned()
    }
}

/// The JSON of what was written; `None` when it is damaged.
pub(super) fn json(packed: &[u8]) -> Option<String> {
    match packed.split_first()? {
        (&FORM, values) => read::json(values, Named::ByNumber),
        (&SPELLED, values) => read::json(values, Named::InFull),
        _ => std::str::from_utf8(packed).ok().map(str::to_owned),
    }
}

/// The first byte says which form this is; no JSON begins with it. A form that was released is never changed: the next one
/// has another number.
const FORM: u8 = 2;
/// The first one, in which each name was spelled out.
const SPELLED: u8 = 1;

/// How a struct names its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    InFull,
    ByNumber,
}

/// What follows, by the byte before it.
mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    /// A number of at least 0, seven bits a byte, the lowest first; the upper bit says that there is more.
    pub(super) const COUNT: u8 = 3;
    /// A number below 0: all its bits turned, then as above.
    pub(super) const BELOW: u8 = 4;
    /// 0.0, which is what nobody knows yet.
    pub(super) const ZERO: u8 = 5;
    /// Eight bytes, the lowest first.
    pub(super) const DOUBLE: u8 = 6;
    /// Four bytes that say the same as eight would.
    pub(super) const NARROW: u8 = 7;
    /// Four bytes that never were more.
    pub(super) const SINGLE: u8 = 8;
    /// Its length as a count without a tag, then its bytes.
    pub(super) const TEXT: u8 = 9;
    /// How many, then each.
    pub(super) const LIST: u8 = 10;
    /// How many, then each name, a text, with its value.
    pub(super) const MAP: u8 = 11;
    /// A struct that is seen for the first time: how many fields, their names, then each value. A name
    /// is its number as a count, or 0 and a text without a tag; in the first form only that text.
    /// Such structs are counted.
    pub(super) const STRUCT: u8 = 12;
    /// A struct with the same fields as an earlier one: which, from 0, then each value.
    pub(super) const AGAIN: u8 = 13;
    /// A field that isn't shown.
    pub(super) const ABSENT: u8 = 14;
}

#[cfg(test)]
mod tests;
