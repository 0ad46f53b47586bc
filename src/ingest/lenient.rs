//! JSON values as exporters really write them: numbers as strings, strings as numbers, NaN as a
//! bare word, times as numbers or text.

use super::cell;
use crate::model::Micros;
use crate::time::Zone;
use serde::de::{DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use std::fmt;

/// What one JSON value says when it is no list and no map.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string, a number, true, false or null")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(v))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(v).map_or(Scalar::Float(v as f64), Scalar::Int))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(v))
            }
            fn visit_str<E>(self, v: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(v.to_owned()))
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }
            // A list or a map where a plain value should stand says nothing.
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Null)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Null)
            }
        }
        d.deserialize_any(V)
    }
}

impl Scalar {
    /// The value as a number; `None` for null, words for nothing, and what is not finite.
    pub fn number(&self) -> Option<f64> {
        match self {
            Scalar::Int(v) => Some(*v as f64),
            Scalar::Float(v) => Some(*v).filter(|v| v.is_finite()),
            Scalar::Text(t) => cell::number(t),
            Scalar::Null | Scalar::Bool(_) => None,
        }
    }

    /// The value as a whole number, without a detour over floats.
    pub fn whole(&self) -> Option<i64> {
        match self {
            Scalar::Int(v) => Some(*v),
            Scalar::Float(v) if v.fract() == 0.0 && v.abs() < 9e15 => Some(*v as i64),
            Scalar::Text(t) => t.trim().parse().ok(),
            _ => None,
        }
    }

    /// The value as text; empty for null.
    pub fn text(&self) -> String {
        match self {
            Scalar::Null => String::new(),
            Scalar::Bool(v) => v.to_string(),
            Scalar::Int(v) => v.to_string(),
            Scalar::Float(v) => v.to_string(),
            Scalar::Text(t) => t.clone(),
        }
    }

    /// The value as a time: a number by its magnitude, or text.
    #[allow(dead_code)]
    pub fn moment(&self, zone: &Zone) -> Option<Micros> {
        cell::moment(&self.text(), zone)
    }
}

/// Reads one value; the bare words NaN, Infinity and -Infinity count as null.
///
/// # Errors
///
/// Those of `serde_json`, for the text as it stands.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let first = match serde_json::from_slice(text) {
        Ok(value) => return Ok(value),
        Err(e) => e,
    };
    match without_words(text) {
        Some(mended) => serde_json::from_slice(&mended).map_err(|_| de::Error::custom(first)),
        None => Err(serde_json::Error::custom(first)),
    }
}

/// Words that stand bare in what Python and JavaScript tools write.
const WORDS: [&str; 4] = ["NaN", "Infinity", "-Infinity", "-NaN"];

/// The text with bare words for no number replaced by null; `None` without any.
fn without_words(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut inside, mut found) = (0, false, false);
    while at < text.len() {
        let rest = &text[at..];
        let word = WORDS.iter().find(|w| !inside && rest.starts_with(w.as_bytes()));
        let len = match (word, text[at]) {
            (Some(word), _) => {
                found = true;
                out.extend_from_slice(b"null");
                at += word.len();
                continue;
            }
            (None, b'\\') if inside => 2.min(rest.len()),
            (None, b) => {
                inside ^= b == b'"';
                1
            }
        };
        out.extend_from_slice(&rest[..len]);
        at += len;
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn bare_words_for_no_number_are_null() {
        let text = br#"{"a":[NaN,1,-Infinity,Infinity],"b":"NaN \" Infinity"}"#;
        let value: Value = from_slice(text).expect("mended");
        assert_eq!(value["a"], serde_json::json!([null, 1, null, null]));
        assert_eq!(value["b"], "NaN \" Infinity");
        assert!(from_slice::<Value>(b"{\"a\":Nan}").is_err());
    }

    #[test]
    fn plain_values_are_read_whatever_their_type() {
        let of = |text: &str| serde_json::from_str::<Scalar>(text).expect("any value");
        assert_eq!(of("\"1,234.5\"").number(), Some(1234.5));
        assert_eq!(of("440101247839410938").whole(), Some(440_101_247_839_410_938));
        assert_eq!(of("\"440101247839410938\"").whole(), Some(440_101_247_839_410_938));
        assert_eq!(of("1.568835610432E9").moment(&Zone::default()), Some(1_568_835_610_432_000));
        assert_eq!(of("[1,{\"a\":2}]"), Scalar::Null);
        assert_eq!(of("null").text(), "");
        assert_eq!(of("true").text(), "true");
    }
}
