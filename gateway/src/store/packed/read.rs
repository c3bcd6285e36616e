//! Reading: JSON text, without a look at what the values mean.

use super::{Named, names, tag};
use serde::Serialize;

/// The JSON of these bytes; `None` when they don't hold one whole value and nothing else.
pub(super) fn json(bytes: &[u8], named: Named) -> Option<String> {
    // JSON is some six times as long.
    let mut reader =
        Reader { rest: bytes, shapes: Vec::new(), out: Vec::with_capacity(bytes.len() * 6), named };
    reader.value(DEEPEST)?;
    if reader.rest.is_empty() { String::from_utf8(reader.out).ok() } else { None }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// The fields of each struct that was named, as JSON with the colon.
    shapes: Vec<Vec<Vec<u8>>>,
    out: Vec<u8>,
    named: Named,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: u8) -> Option<()> {
        let tag = self.byte()?;
        self.value_of(tag, depth.checked_sub(1)?)
    }

    fn value_of(&mut self, tag: u8, depth: u8) -> Option<()> {
        match tag {
            tag::NULL => self.put("null"),
            tag::FALSE => self.put("false"),
            tag::TRUE => self.put("true"),
            tag::COUNT => self.count().and_then(|value| self.show(&value)),
            tag::BELOW => self.count().and_then(|value| self.show(&!value.cast_signed())),
            tag::ZERO => self.put("0.0"),
            tag::DOUBLE => self.array().and_then(|bytes| self.show(&f64::from_le_bytes(bytes))),
            tag::NARROW => self.array().and_then(|bytes| self.show(&f64::from(f32::from_le_bytes(bytes)))),
            tag::SINGLE => self.array().and_then(|bytes| self.show(&f32::from_le_bytes(bytes))),
            tag::TEXT => self.text().and_then(|text| self.show(text)),
            tag::LIST => self.list(depth),
            tag::MAP => self.map(depth),
            tag::STRUCT => self.first(depth),
            tag::AGAIN => usize::try_from(self.count()?).ok().and_then(|at| self.values(at, depth)),
            _ => None,
        }
    }

    fn list(&mut self, depth: u8) -> Option<()> {
        let many = self.count()?;
        self.out.push(b'[');
        for at in 0..many {
            self.comma(at == 0);
            self.value(depth)?;
        }
        self.put("]")
    }

    fn map(&mut self, depth: u8) -> Option<()> {
        let many = self.count()?;
        self.out.push(b'{');
        for at in 0..many {
            self.comma(at == 0);
            let name = self.text()?;
            self.show(name)?;
            self.out.push(b':');
            self.value(depth)?;
        }
        self.put("}")
    }

    /// A struct whose fields are named here.
    fn first(&mut self, depth: u8) -> Option<()> {
        let mut shape = Vec::new();
        for _ in 0..self.count()? {
            let mut shown = serde_json::to_vec(self.name()?).ok()?;
            shown.push(b':');
            shape.push(shown);
        }
        self.shapes.push(shape);
        self.values(self.shapes.len() - 1, depth)
    }

    /// A struct's values. Its shape is taken out for the while: no struct is within itself.
    fn values(&mut self, at: usize, depth: u8) -> Option<()> {
        let shape = std::mem::take(self.shapes.get_mut(at)?);
        self.out.push(b'{');
        let begun = self.out.len();
        for shown in &shape {
            self.field(shown, begun, depth)?;
        }
        self.shapes[at] = shape;
        self.put("}")
    }

    /// A field, unless it isn't shown.
    fn field(&mut self, shown: &[u8], begun: usize, depth: u8) -> Option<()> {
        let tag = self.byte()?;
        if tag == tag::ABSENT {
            return Some(());
        }
        self.comma(self.out.len() == begun);
        self.out.extend_from_slice(shown);
        self.value_of(tag, depth.checked_sub(1)?)
    }

    fn comma(&mut self, is_first: bool) {
        if !is_first {
            self.out.push(b',');
        }
    }

    fn put(&mut self, text: &str) -> Option<()> {
        self.out.extend_from_slice(text.as_bytes());
        Some(())
    }

    fn show<T: Serialize + ?Sized>(&mut self, value: &T) -> Option<()> {
        serde_json::to_writer(&mut self.out, value).ok()
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    fn count(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn name(&mut self) -> Option<&'a str> {
        if self.named == Named::InFull {
            return self.text();
        }
        match self.count()? {
            0 => self.text(),
            number => names::name(number),
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.count()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        std::str::from_utf8(bytes).ok()
    }
}

/// Values within values: receipts have some five. Damage must not use the stack up.
const DEEPEST: u8 = 100;
