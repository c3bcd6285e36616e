//! Writing: a serializer that knows which structs it has met.

use super::{names, tag};
use serde::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, Serializer,
};
use std::fmt;

/// Writes a value.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    shapes: &'a mut Shapes,
}

/// Structs that were met in this value or in earlier ones.
#[derive(Default)]
pub(super) struct Shapes {
    known: Vec<Shape>,
    /// Counts values.
    value: u64,
    /// How many structs of this value were named.
    named: u64,
    /// Whether this value had a struct that wasn't known: it has to be written once more.
    have_learned: bool,
}

impl Shapes {
    /// Whether the last value has to be written once more.
    pub(super) fn have_learned(&self) -> bool {
        self.have_learned
    }

    /// The place of this struct, which may be new here.
    fn find(&mut self, name: &'static str, announced: usize) -> usize {
        let is_it = |shape: &Shape| shape.announced == announced && is_same(shape.name, name);
        self.known.iter().position(is_it).unwrap_or_else(|| {
            self.known.push(Shape {
                name,
                announced,
                fields: Vec::new(),
                head: Vec::new(),
                value: 0,
                number: 0,
            });
            self.known.len() - 1
        })
    }
}

/// A struct by its name and its fields, those included that aren't shown.
struct Shape {
    name: &'static str,
    /// As many as its serializer had announced: enums with values of their own have one name and several forms.
    announced: usize,
    /// Empty while one is being written, and until one was.
    fields: Vec<&'static str>,
    /// What is written for the first one of a value.
    head: Vec<u8>,
    /// The last value that had one, and as which of its structs.
    value: u64,
    number: u64,
}

/// Names mostly come from the same place in the program.
fn is_same(a: &'static str, b: &'static str) -> bool {
    std::ptr::eq(a, b) || a == b
}

/// What this form has no way to say.
#[derive(Debug)]
pub(super) struct Unknown;

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no packed form")
    }
}

impl std::error::Error for Unknown {}

impl serde::ser::Error for Unknown {
    fn custom<T: fmt::Display>(_: T) -> Unknown {
        Unknown
    }
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, shapes: &'a mut Shapes) -> Writer<'a> {
        shapes.value += 1;
        shapes.named = 0;
        shapes.have_learned = false;
        Writer { out, shapes }
    }

    fn tag(&mut self, tag: u8) -> Result<(), Unknown> {
        self.out.push(tag);
        Ok(())
    }

    /// A number of at least 0, without a tag.
    fn count(&mut self, mut value: u64) {
        while value > 0x7f {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    /// A text without a tag.
    fn text(&mut self, text: &str) {
        self.count(text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    fn name(&mut self, name: &str) {
        match names::number(name) {
            Some(number) => self.count(number),
            None => {
                self.count(0);
                self.text(name);
            }
        }
    }

    fn open_list(&mut self, len: Option<usize>) -> Result<&mut Writer<'a>, Unknown> {
        self.out.push(tag::LIST);
        self.count(len.ok_or(Unknown)? as u64);
        Ok(self)
    }

    /// A map of one pair, which is how JSON shows a variant with a value.
    fn open_variant(&mut self, variant: &str) {
        self.out.extend_from_slice(&[tag::MAP, 1]);
        self.text(variant);
    }

    fn open_struct(&mut self, name: &'static str, announced: usize) -> Fields<'_, 'a> {
        let at = self.shapes.find(name, announced);
        let shape = &mut self.shapes.known[at];
        let fields = std::mem::take(&mut shape.fields);
        let is_new = shape.head.is_empty();
        if shape.value == self.shapes.value {
            let number = shape.number;
            self.out.push(tag::AGAIN);
            self.count(number);
        } else if !is_new {
            self.out.extend_from_slice(&shape.head);
            (shape.value, shape.number) = (self.shapes.value, self.shapes.named);
            self.shapes.named += 1;
        }
        Fields { writer: self, shape: at, fields, at: 0, is_new }
    }
}

/// A struct that is being written.
pub(super) struct Fields<'b, 'a> {
    writer: &'b mut Writer<'a>,
    shape: usize,
    fields: Vec<&'static str>,
    /// How many of them were written.
    at: usize,
    /// Whether they aren't known yet.
    is_new: bool,
}

impl Fields<'_, '_> {
    fn begin(&mut self, key: &'static str) -> Result<(), Unknown> {
        match self.fields.get(self.at) {
            Some(known) if is_same(known, key) => {}
            None if self.is_new => self.fields.push(key),
            _ => return Err(Unknown),
        }
        self.at += 1;
        Ok(())
    }

    fn close(self) -> Result<(), Unknown> {
        if self.at != self.fields.len() {
            return Err(Unknown);
        }
        let shape = &mut self.writer.shapes.known[self.shape];
        shape.fields = self.fields;
        if self.is_new {
            shape.head = head(&shape.fields);
            self.writer.shapes.have_learned = true;
        }
        Ok(())
    }
}

/// What says which fields the values are of that come next.
fn head(fields: &[&'static str]) -> Vec<u8> {
    let (mut out, mut shapes) = (vec![tag::STRUCT], Shapes::default());
    let mut writer = Writer::new(&mut out, &mut shapes);
    writer.count(fields.len() as u64);
    fields.iter().for_each(|field| writer.name(field));
    out
}

impl SerializeStruct for Fields<'_, '_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Unknown> {
        self.begin(key)?;
        value.serialize(&mut *self.writer)
    }

    fn skip_field(&mut self, key: &'static str) -> Result<(), Unknown> {
        self.begin(key)?;
        self.writer.tag(tag::ABSENT)
    }

    fn end(self) -> Result<(), Unknown> {
        self.close()
    }
}

impl SerializeStructVariant for Fields<'_, '_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Unknown> {
        SerializeStruct::serialize_field(self, key, value)
    }

    fn skip_field(&mut self, key: &'static str) -> Result<(), Unknown> {
        SerializeStruct::skip_field(self, key)
    }

    fn end(self) -> Result<(), Unknown> {
        self.close()
    }
}

impl SerializeSeq for &mut Writer<'_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unknown> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unknown> {
        Ok(())
    }
}

impl SerializeTuple for &mut Writer<'_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unknown> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unknown> {
        Ok(())
    }
}

impl SerializeTupleStruct for &mut Writer<'_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unknown> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unknown> {
        Ok(())
    }
}

impl SerializeMap for &mut Writer<'_> {
    type Ok = ();
    type Error = Unknown;

    /// Only texts: what JSON makes of other keys is its own affair.
    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Unknown> {
        let at = self.out.len();
        key.serialize(&mut **self)?;
        if self.out[at] == tag::TEXT {
            self.out.remove(at);
            return Ok(());
        }
        Err(Unknown)
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unknown> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unknown> {
        Ok(())
    }
}

impl<'b, 'a> Serializer for &'b mut Writer<'a> {
    type Ok = ();
    type Error = Unknown;
    type SerializeSeq = &'b mut Writer<'a>;
    type SerializeTuple = &'b mut Writer<'a>;
    type SerializeTupleStruct = &'b mut Writer<'a>;
    type SerializeTupleVariant = Impossible<(), Unknown>;
    type SerializeMap = &'b mut Writer<'a>;
    type SerializeStruct = Fields<'b, 'a>;
    type SerializeStructVariant = Fields<'b, 'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Unknown> {
        self.tag(if value { tag::TRUE } else { tag::FALSE })
    }

    fn serialize_i8(self, value: i8) -> Result<(), Unknown> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Unknown> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Unknown> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Unknown> {
        if value >= 0 {
            return self.serialize_u64(value.cast_unsigned());
        }
        self.out.push(tag::BELOW);
        self.count((!value).cast_unsigned());
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Unknown> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Unknown> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Unknown> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Unknown> {
        self.out.push(tag::COUNT);
        self.count(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Unknown> {
        self.out.push(tag::SINGLE);
        self.out.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unknown> {
        let narrow = value as f32;
        if value.to_bits() == 0 {
            self.out.push(tag::ZERO);
        } else if f64::from(narrow).to_bits() == value.to_bits() {
            self.out.push(tag::NARROW);
            self.out.extend_from_slice(&narrow.to_le_bytes());
        } else {
            self.out.push(tag::DOUBLE);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Unknown> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Unknown> {
        self.out.push(tag::TEXT);
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unknown> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Unknown> {
        self.tag(tag::NULL)
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Unknown> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unknown> {
        self.tag(tag::NULL)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Unknown> {
        self.tag(tag::NULL)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _at: u32,
        variant: &'static str,
    ) -> Result<(), Unknown> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Unknown> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        _at: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unknown> {
        self.open_variant(variant);
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, Unknown> {
        self.open_list(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, Unknown> {
        self.open_list(Some(len))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, Unknown> {
        self.open_list(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _at: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, Unknown> {
        Err(Unknown)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, Unknown> {
        self.out.push(tag::MAP);
        self.count(len.ok_or(Unknown)? as u64);
        Ok(self)
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, Unknown> {
        Ok(self.open_struct(name, len))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _at: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, Unknown> {
        self.open_variant(variant);
        Ok(self.open_struct(variant, len))
    }
}
