//! Parses JSON into the tree. `serde_json` reads it level by level into `RawValue`s. Each is a slice of the text, so
//! its offset in the text is the value's position.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json_syntax::explain;
use super::{MAX_DEPTH, MAX_VALUES, Node, Number, Place, Problem, SourceSpan, Value, too_deep, too_many};

pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader { text, values_left: MAX_VALUES };
    let root = reader.parse(text)?;
    reader.node(root, 0)
}

struct Reader<'t> {
    text: &'t str,
    values_left: usize,
}

impl<'t> Reader<'t> {
    fn node(&mut self, raw: &'t RawValue, depth: usize) -> Result<Node, Problem> {
        let written = raw.get();
        let span = self.span(written);
        self.values_left = self.values_left.checked_sub(1).ok_or_else(|| too_many(span))?;
        let value = match written.as_bytes().first() {
            Some(b'[' | b'{') if depth == MAX_DEPTH => return Err(too_deep(span)),
            Some(b'[') => Value::List(self.list(written, depth)?),
            Some(b'{') => Value::Map(self.map(written, depth)?),
            Some(b'"') => Value::Text(self.parse(written)?),
            Some(b't' | b'f') => Value::Bool(self.parse(written)?),
            Some(b'n') => Value::Null,
            _ => Value::Number(self.number(written)?),
        };
        Ok(Node { place: Place { written: span, used: span }, value })
    }

    fn list(&mut self, written: &'t str, depth: usize) -> Result<Vec<Node>, Problem> {
        let elements: Vec<&RawValue> = self.parse(written)?;
        elements.into_iter().map(|element| self.node(element, depth + 1)).collect()
    }

    fn map(&mut self, written: &'t str, depth: usize) -> Result<Vec<(Node, Node)>, Problem> {
        let Entries(entries) = self.parse(written)?;
        entries.into_iter().map(|(key, value)| Ok((self.node(key, depth + 1)?, self.node(value, depth + 1)?))).collect()
    }

    fn number(&self, written: &'t str) -> Result<Number, Problem> {
        let whole = written.parse().map(u64::into).or_else(|_| written.parse().map(i64::into));
        match whole {
            Ok(whole) => Ok(Number::Whole(whole)),
            // Rust's parser accepts every JSON number. One that is too large becomes infinite, which is out of every
            // range.
            Err(_) => written.parse().map(Number::Real).or_else(|_| self.parse(written).map(Number::Real)),
        }
    }

    /// Parses a slice of the text. Errors carry the position in the whole text.
    fn parse<T: Deserialize<'t>>(&self, slice: &'t str) -> Result<T, Problem> {
        serde_json::from_str(slice).map_err(|error| explain(self.text, self.offset(slice), slice, &error))
    }

    /// The span of a value. A list or an object is represented by its opening bracket.
    fn span(&self, written: &str) -> SourceSpan {
        let start = self.offset(written);
        let length = if written.starts_with(['[', '{']) { 1 } else { written.len() };
        SourceSpan { start, end: start + length }
    }

    /// The offset of `slice` in the text that it was borrowed from.
    fn offset(&self, slice: &str) -> usize {
        slice.as_ptr().addr() - self.text.as_ptr().addr()
    }
}

/// The entries of an object in text order, duplicates included.
struct Entries<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
