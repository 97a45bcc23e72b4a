//! Parses YAML into the tree, expands anchors, aliases and merge keys within a budget, and explains syntax errors.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{
    DuplicateKeyPolicy, Error, Location, MessageFormatter, NonFiniteFloatPolicy, Options, Spanned, UserMessageFormatter,
};

use super::{MAX_DEPTH, MAX_VALUES, Node, Number, Place, Problem, SourceSpan, Value, too_deep, too_many};
use crate::config::invisible;
use crate::value::reject_variable;

pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let mut root = serde_saphyr::from_str_with_options(text, options()).map_err(|error| explain(text, &error))?;
    read_underscores_as_text(text, &mut root);
    Ok(root)
}

/// The parser reads `18_180` as a number, as YAML 1.1 does. In YAML 1.2 it is text (core schema, section 10.3.2).
fn read_underscores_as_text(text: &str, node: &mut Node) {
    match &mut node.value {
        Value::Number(_) => {
            let written = &text[node.place.written.start..node.place.written.end];
            if written.contains('_') {
                node.value = Value::Text(written.to_owned());
            }
        }
        Value::List(nodes) => nodes.iter_mut().for_each(|node| read_underscores_as_text(text, node)),
        Value::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            read_underscores_as_text(text, key);
            read_underscores_as_text(text, value);
        }),
        Value::Null | Value::Bool(_) | Value::Text(_) => {}
    }
}

/// The budget for expanding aliases, in parser events. It is enough for ten thousand routes that each merge ten keys.
const MAX_ALIAS_EVENTS: usize = 250_000;

/// Passes duplicate keys and NaN through, because `check` reports them with a better message. `no` and `off` are text.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_VALUES,
            // A list or a map takes two events, a scalar takes one, and the document takes four.
            max_events: 2 * MAX_VALUES + 4,
            max_recorded_anchor_events: MAX_ALIAS_EVENTS,
            // One anchor for every route is a valid config.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_ALIAS_EVENTS },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::deserialize(deserializer)?;
        Ok(Self { place: Place { written: span(defined), used: span(referenced) }, value })
    }
}

fn span(location: Location) -> SourceSpan {
    let bytes = |count: Option<u64>| count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let start = bytes(location.span().byte_offset());
    SourceSpan { start, end: start + bytes(location.span().byte_len()) }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(Number::Whole(number.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(Number::Whole(number.into())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(Number::Real(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Value::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}

fn explain(text: &str, error: &Error) -> Problem {
    // An error within the expansion of an alias is wrapped.
    let error = if let Error::AliasError { error, .. } = error { error } else { error };
    let at = error_span(text, error);
    match error {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(at),
        Error::Budget { breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. }, .. } => too_many(at),
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } => {
            Problem::at(at, "aliases expand to too many values", "use fewer aliases, or split the file up")
        }
        Error::MultipleDocuments { .. } => {
            Problem::at(at, "a second YAML document begins here", "remove the `---` and put every route into one list")
        }
        Error::UnknownAnchor { .. } => {
            Problem::at(at, "this alias has no anchor", "define &NAME further up; text that begins with * needs quotes")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            Problem::at(at, "this alias refers to a value that contains it", "write the value itself here")
        }
        Error::UnsupportedTag { tag, .. } => Problem::at(at, format!("the tag `{tag}` is not supported"), "remove it"),
        other => syntax_error(text, at, &UserMessageFormatter.format_message(other)),
    }
}

/// The cause of a syntax error is often a character that the parser took for text, on this line or on the one before.
fn syntax_error(text: &str, at: SourceSpan, message: &str) -> Problem {
    let not_yaml = |what: &str| format!("this is not YAML: {what}");
    let line = line_of(text, at);
    let line_before = line_of(text, SourceSpan { start: line.start.saturating_sub(1), ..at });
    if let Some(problem) = invisible::within(text, line).or_else(|| invisible::within(text, line_before)) {
        return problem;
    }
    if let Some(tab) = indented_by_tab(text, at) {
        return Problem::at(tab, not_yaml("a tab indents this line"), "indent with spaces");
    }
    let line = &text[line.start..line.end];
    match reject_variable(line) {
        Some(rejected) => Problem::at(at, not_yaml(&rejected.what), rejected.hint),
        None => Problem::at(at, not_yaml(message), hint(line, message)),
    }
}

/// The span of an error. The parser reports byte offsets only for values, so this converts its character offset.
fn error_span(text: &str, error: &Error) -> SourceSpan {
    let Some(location) = error.location() else { return SourceSpan::default() };
    let characters = usize::try_from(location.span().offset()).unwrap_or(usize::MAX);
    let start = text.char_indices().nth(characters).map_or(text.len(), |(start, _)| start);
    SourceSpan::word(text, start)
}

/// The tab in the indentation of the line at `span` or of the next line: the parser may report either.
fn indented_by_tab(text: &str, span: SourceSpan) -> Option<SourceSpan> {
    let mut start = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    for line in text[start..].split_inclusive('\n').take(2) {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indentation].find('\t') {
            return Some(SourceSpan { start: start + tab, end: start + tab + 1 });
        }
        start += line.len();
    }
    None
}

fn line_of(text: &str, span: SourceSpan) -> SourceSpan {
    let start = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    SourceSpan { start, end: start + text[start..].lines().next().map_or(0, str::len) }
}

fn hint(line: &str, message: &str) -> &'static str {
    if line.contains(": [") && line.contains("]:") {
        return "put an address with brackets in quotes: \"[::1]:9090\"";
    }
    match message {
        _ if message.starts_with("unclosed bracket") => "close it with the matching bracket",
        _ if message.starts_with("unclosed quote") => "close it with the same quote",
        _ if message.starts_with("unexpected character") => "put text that begins with this character in quotes",
        _ if message.contains("quoted scalar") => "put the whole text in quotes, and write '' for a ' in single quotes",
        _ if message.contains("mapping values") => {
            "indent it like the key above, and end that key with a colon; put text that contains `: ` in quotes"
        }
        _ if message.contains("block") => "indent it like the line it belongs with; begin each route with `- `",
        _ if message.contains("escape") => "write \\\\ for a backslash, or use single quotes",
        _ => "check the indentation, the quotes and the brackets near this line",
    }
}
