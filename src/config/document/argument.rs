//! Parses a toxic as an argument of the command line has it, `TYPE:KEY=VALUE,KEY=VALUE`, into the tree that a file
//! would have for it: keys of toxics stay outside, all others are attributes.

use super::{Node, Number, Place, Problem, SourceSpan, Value};
use crate::toxic::keys::{ATTRIBUTES, CLIENTS, CONNECTIONS, DESTINATIONS, OFFSETS, TOXIC, TYPE};
use crate::value::Kind;

const EXAMPLE: &str = "write TYPE:KEY=VALUE,KEY=VALUE, such as latency:latency=100,jitter=20";

/// The toxic at `span` of `text`.
pub(in crate::config) fn read(text: &str, span: SourceSpan) -> Result<Node, Problem> {
    let argument = &text[span.start..span.end];
    let type_name = argument.split_once(':').map_or(argument, |(type_name, _)| type_name);
    let type_span = SourceSpan { start: span.start, end: span.start + type_name.len() };
    if type_name.is_empty() || type_name.contains('=') {
        return Err(Problem::at(type_span, "the type of the toxic is missing", EXAMPLE));
    }
    let given = values(text, SourceSpan { start: (type_span.end + 1).min(span.end), ..span })?;
    let (mut toxic, attributes): (Vec<_>, Vec<_>) = given.into_iter().partition(|(key, _)| is_key_of_toxics(key));
    toxic.insert(0, (named(TYPE.name, type_span), text_node(text, type_span)));
    toxic.push((named(ATTRIBUTES.name, type_span), node(span, Value::Map(attributes))));
    Ok(node(span, Value::Map(toxic)))
}

/// Whether it is a key of every toxic, not an attribute of some type.
pub(in crate::config) fn is_key_of_toxics(key: &Node) -> bool {
    matches!(&key.value, Value::Text(name) if TOXIC.iter().any(|known| known.name == name))
}

/// The keys and values of `KEY=VALUE,KEY=VALUE` at `span` of `text`.
pub(in crate::config) fn values(text: &str, span: SourceSpan) -> Result<Vec<(Node, Node)>, Problem> {
    let parsed = |entry: Entry| {
        let key = &text[entry.key.start..entry.key.end];
        let value = match TOXIC.iter().find(|known| known.name == key) {
            Some(known) => value(text, entry.value, known.kind),
            None => scalar(text, entry.value),
        };
        (named(key, entry.key), value)
    };
    Ok(split(text, span)?.into_iter().map(parsed).collect())
}

struct Entry {
    key: SourceSpan,
    value: SourceSpan,
}

/// A comma ends a value, except in lists of connections, clients, destinations and offsets: there it does if a key follows.
fn split(text: &str, span: SourceSpan) -> Result<Vec<Entry>, Problem> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut start = span.start;
    for piece in text[span.start..span.end].split(',').filter(|_| span.start < span.end) {
        let end = start + piece.len();
        match (piece.find('='), entries.last_mut()) {
            (Some(equals), _) => entries.push(Entry {
                key: SourceSpan { start, end: start + equals },
                value: SourceSpan { start: start + equals + 1, end },
            }),
            (None, Some(last))
                if [CONNECTIONS.name, CLIENTS.name, DESTINATIONS.name, OFFSETS.name]
                    .contains(&&text[last.key.start..last.key.end]) =>
            {
                last.value.end = end;
            }
            (None, _) => {
                return Err(Problem::at(SourceSpan { start, end }, format!("`{piece}` has no value"), EXAMPLE));
            }
        }
        start = end + 1;
    }
    Ok(entries)
}

fn value(text: &str, span: SourceSpan, kind: Kind) -> Node {
    match kind {
        Kind::Texts if text[span.start..span.end].contains(',') => node(span, Value::List(list(text, span))),
        Kind::Text | Kind::Texts | Kind::Word(_) => text_node(text, span),
        _ => scalar(text, span),
    }
}

fn list(text: &str, span: SourceSpan) -> Vec<Node> {
    let mut start = span.start;
    let element = |element: &str| {
        let span = SourceSpan { start, end: start + element.len() };
        start = span.end + 1;
        text_node(text, span)
    };
    text[span.start..span.end].split(',').map(element).collect()
}

/// A number, true or false if it looks like one.
fn scalar(text: &str, span: SourceSpan) -> Node {
    let written = &text[span.start..span.end];
    let number = || written.parse().map(Number::Whole).or_else(|_| written.parse().map(Number::Real));
    match (written.parse(), number()) {
        (Ok(flag), _) => node(span, Value::Bool(flag)),
        (_, Ok(number)) => node(span, Value::Number(number)),
        _ => text_node(text, span),
    }
}

/// The text at `span`, whatever it looks like.
pub(in crate::config) fn text_node(text: &str, span: SourceSpan) -> Node {
    node(span, Value::Text(text[span.start..span.end].to_owned()))
}

fn named(key: &str, span: SourceSpan) -> Node {
    node(span, Value::Text(key.to_owned()))
}

fn node(span: SourceSpan, value: Value) -> Node {
    Node { place: Place { written: span, used: span }, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::TYPES;

    /// Otherwise it could not be given as an argument.
    #[test]
    fn no_attribute_is_called_as_a_key_of_toxics() {
        for attribute in TYPES.iter().flat_map(|toxic_type| toxic_type.attributes) {
            assert!(TOXIC.iter().all(|key| key.name != attribute.name), "{}", attribute.name);
        }
    }
}
