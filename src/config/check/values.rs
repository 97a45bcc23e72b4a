//! One value of the tree becomes one value of the plan. Which texts and numbers a type takes is the type's to say; what
//! is said here is which kind of value it is written as.

use std::fmt;
use std::str::FromStr;

use super::Check;
use crate::config::document::{Node, Number, Value};
use crate::config::problem::{Problem, char_start};
use crate::plan::Rejected;

impl<'t> Check<'t> {
    /// A number written as an integer.
    pub(super) fn whole<T: TryFrom<i128, Error = Rejected>>(&mut self, node: &Node) -> Option<T> {
        match &node.value {
            Value::Number(Number::Whole(number)) => self.accept(node, T::try_from(*number)),
            Value::Number(Number::Real(number)) => self.not_whole::<T>(node, *number),
            _ => {
                let hint = unquoted::<i128, T>(node).unwrap_or_else(|| hint_of(T::try_from(i128::MIN)));
                self.expected("a whole number", node, &hint)
            }
        }
    }

    /// Any finite number.
    pub(super) fn real<T: TryFrom<f64, Error = Rejected>>(&mut self, node: &Node) -> Option<T> {
        match &node.value {
            #[expect(clippy::cast_precision_loss, reason = "no range of reals has a border where f64 skips integers")]
            Value::Number(Number::Whole(number)) => self.accept(node, T::try_from(*number as f64)),
            Value::Number(Number::Real(number)) => self.accept(node, T::try_from(*number)),
            _ => {
                let hint = unquoted::<f64, T>(node).unwrap_or_else(|| hint_of(T::try_from(f64::NAN)));
                self.expected("a number", node, &hint)
            }
        }
    }

    /// A short text.
    pub(super) fn word<T: FromStr<Err = Rejected>>(&mut self, node: &Node) -> Option<T> {
        match &node.value {
            Value::Text(text) if text.chars().nth(LONGEST_WORD).is_some() => self.too_long(node, text),
            Value::Text(text) => self.accept(node, text.parse()),
            Value::Number(_) | Value::Bool(_) if self.written(node).parse::<T>().is_ok() => {
                let hint = format!("put it in quotes: \"{}\"", self.written(node));
                self.expected("text", node, &hint)
            }
            _ => self.expected("text", node, &hint_of("".parse::<T>())),
        }
    }

    /// Reports that `node` is another kind of value than `what`.
    pub(super) fn expected<T>(&mut self, what: &str, node: &Node, hint: &str) -> Option<T> {
        let what = format!("expected {what}, found {}", node.kind());
        self.problems.push(Problem::at(node.place.written, what, hint));
        None
    }

    /// A value as the file has it, or the beginning of a long one.
    pub(super) fn written(&self, node: &Node) -> &'t str {
        short(&self.text[node.place.written.start..node.place.written.end])
    }

    fn accept<T>(&mut self, node: &Node, value: Result<T, Rejected>) -> Option<T> {
        value.map_err(|reason| self.problems.push(Problem::rejected(node.place.written, reason))).ok()
    }

    fn not_whole<T: TryFrom<i128, Error = Rejected>>(&mut self, node: &Node, number: f64) -> Option<T> {
        let digits = format!("{number:.0}");
        // From 2^53 on f64 skips integers, so that the one that was meant can't be told.
        let near = digits.parse().ok().filter(|_| number.fract() == 0.0 && number.abs() < 2_f64.powi(53));
        let hint = match near.map(T::try_from) {
            Some(Ok(_)) => format!("write {digits}"),
            Some(Err(reason)) => reason.hint,
            None => hint_of(T::try_from(i128::MIN)),
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

/// No value of a route needs a longer text: an IPv6 address with scope and port has about 60 characters.
const LONGEST_WORD: usize = 100;

/// The beginning of a text that is too long for a message.
pub(super) fn short(text: &str) -> &str {
    &text[..char_start(text, LONGEST_WORD)]
}

/// What to write for a text that is a number which `T` takes.
fn unquoted<N: FromStr + Copy + fmt::Debug, T: TryFrom<N>>(node: &Node) -> Option<String> {
    let Value::Text(text) = &node.value else { return None };
    let number = text.parse().ok().filter(|&number| T::try_from(number).is_ok())?;
    Some(format!("write {number:?} without the quotes"))
}

/// What a type says to do about a value that it can't take.
fn hint_of<T>(value: Result<T, Rejected>) -> String {
    value.err().map(|reason| reason.hint).unwrap_or_default()
}

/// The seed of a file: every u64.
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<i128> for Seed {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        u64::try_from(number).map(Self).map_err(|_| Rejected {
            what: format!("the seed {number} is out of range"),
            hint: format!("use a whole number from 0 to {}", u64::MAX),
        })
    }
}
