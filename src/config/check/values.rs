//! One value of the tree becomes one value of the plan. Which texts and numbers a type takes is decided by the type;
//! what is reported here is a value of another kind.

use super::Check;
use crate::config::document::{Node, Value};
use crate::config::problem::{Problem, char_start};
use crate::plan::Upstream;
use crate::spelling::nearest;
use crate::value::{Kind, Rejected, Scalar, Written, reject_variable};

impl<'t> Check<'t> {
    /// The value of a scalar.
    pub(super) fn value<T: Written>(&mut self, node: &Node) -> Option<T> {
        let Some(scalar) = node.scalar() else { return self.mismatch::<T>(node) };
        if let Some(rejected) = variable_instead_of::<T>(&scalar) {
            return self.accept(node, Err(rejected));
        }
        match (T::KIND, &scalar) {
            (Kind::Whole(_) | Kind::WholeOr(..), Scalar::Real(number)) => self.not_whole::<T>(node, *number),
            (Kind::WholeOr(_, word), Scalar::Text(text)) if text != word => self.mismatch::<T>(node),
            (kind, _) if !kind.matches(&scalar) => self.mismatch::<T>(node),
            (_, Scalar::Text(text)) if text.chars().nth(LONGEST_WORD).is_some() => self.too_long(node, text),
            _ => self.accept(node, T::read(scalar)),
        }
    }

    /// Reports a value of another kind than the type's.
    fn mismatch<T: Written>(&mut self, node: &Node) -> Option<T> {
        let (written, hint) = (self.written(node), hint_of::<T>());
        let hint = match (T::KIND, &node.value) {
            (Kind::Word(_) | Kind::Text, Value::Number(_) | Value::Bool(_))
                if T::read(Scalar::Text(written.to_owned())).is_ok() =>
            {
                format!("put it in quotes: \"{written}\"")
            }
            (_, Value::Text(text)) => unquoted::<T>(text).or_else(|| without_unit::<T>(text)).unwrap_or(hint),
            _ => hint,
        };
        self.expected(T::KIND.noun(), node, &hint)
    }

    /// An address, or a host name that is allowed.
    pub(super) fn upstream(&mut self, node: &Node) -> Option<Upstream> {
        let host = match &node.value {
            Value::Text(text) => self.resolver.host(text),
            _ => None,
        };
        let Some((host, port)) = host else { return self.value(node) };
        let resolved = self.resolver.upstream(host, port);
        self.accept(node, resolved)
    }

    /// One of `words`, with the value that belongs to it; `what` names them in the plural.
    pub(super) fn one_of<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&'static str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        let all = format!("the {what} are {}", known.join(", "));
        let Value::Text(text) = &node.value else { return self.expected("text", node, &all) };
        let found = words.iter().find(|(word, _)| word == text);
        if let Some(rejected) = reject_variable(text) {
            self.problems.push(Problem::rejected(node.place.written, rejected));
        } else if found.is_none() {
            let hint = nearest(text, &known).map_or(all.clone(), |meant| format!("did you mean `{meant}`? {all}"));
            let problem = format!("`{}` is none of the {what}", short(text));
            self.problems.push(Problem::at(node.place.written, problem, hint));
        }
        found.map(|(_, value)| *value)
    }

    /// A list of short texts, or one that stands alone.
    pub(super) fn words<T: Written>(&mut self, node: &Node) -> Option<Vec<T>> {
        match &node.value {
            Value::List(nodes) if nodes.is_empty() => {
                let hint = "name at least one, or leave the key out for all";
                self.problems.push(Problem::at(node.place.written, "this list is empty", hint));
                None
            }
            Value::List(nodes) => {
                // All are read, so that each problem is reported.
                let words: Vec<Option<T>> = nodes.iter().map(|node| self.value(node)).collect();
                words.into_iter().collect()
            }
            _ => self.value(node).map(|word| vec![word]),
        }
    }

    /// Reports that `node` is not the expected kind of value.
    pub(super) fn expected<T>(&mut self, what: &str, node: &Node, hint: &str) -> Option<T> {
        let what = format!("expected {what}, found {}", node.kind());
        self.problems.push(Problem::at(node.place.written, what, hint));
        None
    }

    /// A value as it is written in the file, or the beginning of a long one.
    pub(super) fn written(&self, node: &Node) -> &'t str {
        short(&self.text[node.place.written.start..node.place.written.end])
    }

    pub(super) fn accept<T>(&mut self, node: &Node, value: Result<T, Rejected>) -> Option<T> {
        value.map_err(|reason| self.problems.push(Problem::rejected(node.place.written, reason))).ok()
    }

    fn not_whole<T: Written>(&mut self, node: &Node, number: f64) -> Option<T> {
        let digits = format!("{number:.0}");
        // From 2^53 on f64 skips integers: the one that was meant is unknown.
        let near =
            digits.parse().ok().map(Scalar::Whole).filter(|_| number.fract() == 0.0 && number.abs() < 2_f64.powi(53));
        let hint = match near.map(T::read) {
            Some(Ok(_)) => format!("write {digits}"),
            Some(Err(reason)) => reason.hint,
            None => hint_of::<T>(),
        };
        let integer_of_64_bits = (-2_f64.powi(63)..2_f64.powi(64)).contains(&number);
        let what = if integer_of_64_bits { "is not written as a whole number" } else { "is out of range" };
        let what = format!("{} {what}", self.written(node));
        self.problems.push(Problem::at(node.place.written, what, hint));
        None
    }

    fn too_long<T>(&mut self, node: &Node, text: &str) -> Option<T> {
        let what = format!("this text is {} characters long", text.chars().count());
        self.problems.push(Problem::at(node.place.written, what, format!("write at most {LONGEST_WORD}")));
        None
    }
}

/// No value of a route needs a longer text: an IPv6 address with scope and port has about 60 characters. Longer lists
/// of connections can be divided between two toxics.
const LONGEST_WORD: usize = 100;

/// The beginning of a text that is too long for a message.
pub(super) fn short(text: &str) -> &str {
    &text[..char_start(text, LONGEST_WORD)]
}

/// Why a text with a variable in it is not accepted. A name may have one.
fn variable_instead_of<T: Written>(scalar: &Scalar) -> Option<Rejected> {
    let Scalar::Text(text) = scalar else { return None };
    reject_variable(text).filter(|_| T::read(scalar.clone()).is_err())
}

/// The hint for a quoted value that `T` accepts without quotes.
fn unquoted<T: Written>(text: &str) -> Option<String> {
    let scalar = match T::KIND {
        Kind::Whole(_) | Kind::WholeOr(..) => Scalar::Whole(text.parse().ok()?),
        Kind::Share => Scalar::Real(text.parse().ok()?),
        Kind::Flag => Scalar::Flag(text.parse().ok()?),
        Kind::Word(_) | Kind::Text | Kind::Texts | Kind::Nested(_) => return None,
    };
    T::read(scalar.clone()).is_ok().then(|| format!("write {scalar} without the quotes"))
}

/// The hint for a number with a unit, if `T` accepts the number.
fn without_unit<T: Written>(text: &str) -> Option<String> {
    let amount = T::KIND.amount(text)?;
    T::read(amount).is_ok().then(|| T::KIND.amount_hint(text))?
}

/// The hint of a type for a value of another kind.
fn hint_of<T: Written>() -> String {
    let rejected = match T::KIND {
        Kind::Whole(_) | Kind::WholeOr(..) => T::read(Scalar::Whole(i128::MIN)),
        Kind::Share => T::read(Scalar::Real(f64::NAN)),
        Kind::Word(_) | Kind::Text => T::read(Scalar::Text(String::new())),
        Kind::Flag | Kind::Texts | Kind::Nested(_) => return format!("write {}", T::KIND.noun()),
    };
    rejected.err().map(|reason| reason.hint).unwrap_or_default()
}
