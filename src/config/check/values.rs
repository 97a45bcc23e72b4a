//! One value of the tree becomes one value of the plan. Which texts and numbers a type takes is the type's to say; what
//! is said here is which kind of value it is written as.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::Check;
use super::keys::nearest;
use crate::config::document::{Node, Number, Value};
use crate::config::problem::{Problem, char_start};
use crate::value::Rejected;

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

    /// A number of bytes.
    pub(super) fn bytes<T: Count>(&mut self, node: &Node) -> Option<T> {
        self.whole::<Bytes<T>>(node).map(|bytes| bytes.0)
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

    /// One of `words`, with what stands beside it there; `what` is what they are, in the plural.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        words: &[(&'static str, T)],
    ) -> Option<(&'static str, T)> {
        let known: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        let all = format!("the {what} are {}", known.join(", "));
        let Value::Text(text) = &node.value else { return self.expected("text", node, &all) };
        let found = words.iter().find(|(word, _)| word == text);
        if found.is_none() {
            let hint = nearest(text, &known).map_or(all.clone(), |meant| format!("did you mean `{meant}`? {all}"));
            let problem = format!("`{}` is none of the {what}", short(text));
            self.problems.push(Problem::at(node.place.written, problem, hint));
        }
        found.copied()
    }

    /// True or false, told by what they mean.
    pub(super) fn either<T>(&mut self, node: &Node, if_false: T, if_true: T) -> Option<T> {
        match &node.value {
            Value::Bool(true) => Some(if_true),
            Value::Bool(false) => Some(if_false),
            Value::Text(text) if ["true", "false"].contains(&&**text) => {
                self.expected("true or false", node, &format!("write {text} without the quotes"))
            }
            _ => self.expected("true or false", node, "write true or false"),
        }
    }

    /// A list of short texts, or one that stands alone.
    pub(super) fn words<T: FromStr<Err = Rejected>>(&mut self, node: &Node) -> Option<Vec<T>> {
        match &node.value {
            Value::List(nodes) if nodes.is_empty() => {
                let hint = "name at least one, or leave the key out for all";
                self.problems.push(Problem::at(node.place.written, "this list is empty", hint));
                None
            }
            Value::List(nodes) => {
                // All are read before one that is none ends it.
                let words: Vec<Option<T>> = nodes.iter().map(|node| self.word(node)).collect();
                words.into_iter().collect()
            }
            _ => self.word(node).map(|word| vec![word]),
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

/// No value of a route needs a longer text: an IPv6 address with scope and port has about 60 characters. Connections
/// that take more to number can be aimed at by two toxics.
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

/// What counts bytes, and which numbers of them it takes.
pub(super) trait Count: Sized {
    const RANGE: &'static str;

    fn of(number: i128) -> Option<Self>;
}

impl Count for u32 {
    const RANGE: &'static str = "0 to 4294967295";

    fn of(number: i128) -> Option<Self> {
        number.try_into().ok()
    }
}

impl Count for NonZeroU32 {
    const RANGE: &'static str = "1 to 4294967295";

    fn of(number: i128) -> Option<Self> {
        u32::of(number).and_then(Self::new)
    }
}

impl Count for u64 {
    const RANGE: &'static str = "0 to 18446744073709551615";

    fn of(number: i128) -> Option<Self> {
        number.try_into().ok()
    }
}

struct Bytes<T>(T);

impl<T: Count> TryFrom<i128> for Bytes<T> {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        T::of(number).map(Self).ok_or_else(|| Rejected {
            what: format!("{number} bytes {}", if number < 0 { "is negative" } else { "is out of range" }),
            hint: format!("use a whole number of bytes, {}", T::RANGE),
        })
    }
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
