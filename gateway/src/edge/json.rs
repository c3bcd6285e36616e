//! JSON from clients, read strictly: no duplicate keys, bounded depth, and errors that tell the place but no content.

use crate::error::Fault;
use serde::de::{DeserializeSeed, Deserializer as _, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::fmt;

/// How many arrays and objects may stand within each other inside one field of the body.
pub(crate) const MAX_DEPTH: usize = 64;

/// Reads `bytes` as one JSON object.
///
/// # Errors
/// Not JSON, not UTF-8, not an object, a key twice in one object, or deeper than [`MAX_DEPTH`] inside a field. `what`
/// names the text in the message ("the body"); line and column are told, never the text itself.
pub(crate) fn object(bytes: &[u8], what: &str) -> Result<Map<String, Value>, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(format!("{what} is empty; send a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { levels_left: MAX_DEPTH + 1 }.deserialize(&mut reader);
    match value.and_then(|value| reader.end().map(|()| value)) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(format!("{what} is {}; send a JSON object", kind(&other))),
        Err(error) => Err(format!("{what} is not valid JSON: {error}")),
    }
}

/// The same, but the field `raw` is left as it stands in `bytes`, checked for its syntax alone. `None` where [`object`]
/// would refuse, and where there is no such field: that one knows why.
pub(crate) fn object_with<'a>(bytes: &'a [u8], raw: &str) -> Option<(Map<String, Value>, &'a RawValue)> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = reader.deserialize_map(Around { raw }).ok()?;
    reader.end().ok()?;
    let (rest, raw) = read;
    Some((rest, raw?))
}

/// Reads an object but for one field.
struct Around<'n> {
    raw: &'n str,
}

impl<'de> Visitor<'de> for Around<'_> {
    type Value = (Map<String, Value>, Option<&'de RawValue>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut rest, mut raw) = (Map::new(), None);
        while let Some(key) = entries.next_key::<Cow<'_, str>>()? {
            if key == self.raw && raw.is_none() {
                raw = Some(entries.next_value()?);
            } else if key == self.raw || rest.contains_key(&*key) {
                return Err(A::Error::custom("the same key twice in one object"));
            } else {
                let value = entries.next_value_seed(Strict { levels_left: MAX_DEPTH })?;
                rest.insert(key.into_owned(), value);
            }
        }
        Ok((rest, raw))
    }
}

/// What a value is, for people; never the value itself.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A field of the wrong type.
pub(crate) fn mistyped(param: &str, found: &Value, wanted: &str) -> Fault {
    Fault::invalid(param, format!("{param} is {}; it must be {wanted}", kind(found)))
}

/// Builds a [`Value`] as serde_json would, but refuses what could be read in two ways.
struct Strict {
    levels_left: usize,
}

impl Strict {
    fn inner<E: Error>(&self) -> Result<Strict, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Strict { levels_left }),
            None => Err(E::custom(format!("nested deeper than {MAX_DEPTH} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom("the same key twice in one object"));
            }
            let value = entries.next_value_seed(self.inner()?)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        object(bytes, "the body").expect_err("must be refused")
    }

    #[test]
    fn values_are_kept_with_the_order_of_their_keys() {
        let text = r#"{"z":1,"a":[true,null,-2,1.5,18446744073709551615],"m":{"b":"x","a":"\ud83d\ude00"}}"#;
        let map = object(text.as_bytes(), "the body").expect("valid");
        let again = serde_json::to_string(&map).expect("json");
        assert_eq!(again, text.replace(r"\ud83d\ude00", "\u{1f600}"));
    }

    #[test]
    fn errors_tell_the_place_and_nothing_of_the_text() {
        let cases: &[(&[u8], &str)] = &[
            (b"", "the body is empty; send a JSON object"),
            (b" \n ", "the body is empty; send a JSON object"),
            (b"[1]", "the body is an array; send a JSON object"),
            (b"\"secret\"", "the body is a string; send a JSON object"),
            (b"{\n\"a\": NaN}", "line 2 column"),
            (b"{\"a\": 1e999}", "number out of range at line 1 column"),
            (b"{\"a\": 1} secret", "trailing characters at line 1 column 10"),
            (
                b"{\"a\": 1, \"secret\": 2, \"secret\": 3}",
                "the same key twice in one object at line 1 column",
            ),
            (b"{\"a\": \"secret\\ud800\"}", "line 1 column"),
            (b"{\"a\": \"secret\xff\"}", "line 1 column"),
            (b"{\"a\": \"secret\n\"}", "control character"),
            (b"{\"a\": \"secret", "EOF while parsing a string at line 1 column"),
        ];
        for (bytes, expected) in cases {
            let error = refused(bytes);
            assert!(error.contains(expected), "{error:?} lacks {expected:?}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn sixty_four_levels_inside_a_field_are_read_and_one_more_is_not() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(object(nested(MAX_DEPTH).as_bytes(), "the body").is_ok());
        assert!(
            refused(nested(MAX_DEPTH + 1).as_bytes())
                .contains("nested deeper than 64 levels at line 1 column")
        );
        assert!(refused(nested(10_000).as_bytes()).contains("nested deeper"));
        assert!(refused("[".repeat(10_000).as_bytes()).contains("nested deeper"));
    }
}
