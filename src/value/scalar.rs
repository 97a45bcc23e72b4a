//! How a checked value is written in a config: its kind of scalar, its range and its unit. The config check, the
//! documentation and the schema read these declarations.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Rejected;

/// A type whose values are written as one scalar.
pub trait Written: Sized {
    /// The kind of its values.
    const KIND: Kind;

    /// Parses a value.
    ///
    /// # Errors
    /// The scalar has another kind or is not a valid value.
    fn read(scalar: Scalar) -> Result<Self, Rejected>;

    /// Writes the value as a scalar that `read` accepts.
    fn write(&self) -> Scalar;
}

/// A value as written in a config.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A number without a point or an exponent.
    Whole(i128),
    /// Any other number.
    Real(f64),
    /// Text.
    Text(String),
    /// True or false.
    Flag(bool),
}

/// The kind of a type's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Whole(Bounds),
    /// A whole number or this word.
    WholeOr(Bounds, &'static str),
    /// A number from 0.0 to 1.0.
    Share,
    /// One of these words.
    Word(&'static [&'static str]),
    /// True or false.
    Flag,
    /// Text in a format that the type parses.
    Text,
    /// Text as above, or a list of texts.
    Texts,
    /// A list or an object with its own declarations, and its noun for messages.
    Nested(&'static str),
}

/// The range of a whole number, both ends included, and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The minimum.
    pub least: u64,
    /// The maximum.
    pub most: u64,
    /// The unit.
    pub unit: Unit,
}

/// The unit of a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Bytes.
    Bytes,
    /// 1,000 bytes per second.
    KilobytesPerSecond,
    /// No unit.
    None,
}

impl Kind {
    /// Whether a scalar has this kind, in range or not.
    #[must_use]
    pub fn matches(self, scalar: &Scalar) -> bool {
        match self {
            Self::Whole(_) => matches!(scalar, Scalar::Whole(_)),
            Self::WholeOr(..) => matches!(scalar, Scalar::Whole(_) | Scalar::Text(_)),
            Self::Share => matches!(scalar, Scalar::Whole(_) | Scalar::Real(_)),
            Self::Word(_) | Self::Text => matches!(scalar, Scalar::Text(_)),
            Self::Flag => matches!(scalar, Scalar::Flag(_)),
            Self::Texts | Self::Nested(_) => false,
        }
    }

    /// The noun for messages, as in "expected a number".
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Whole(_) | Self::WholeOr(..) => "a whole number",
            Self::Share => "a number",
            Self::Word(_) | Self::Text => "text",
            Self::Flag => "true or false",
            Self::Texts => "text or a list",
            Self::Nested(noun) => noun,
        }
    }

    /// The unit of its numbers.
    #[must_use]
    pub fn unit(self) -> Unit {
        if let Self::Whole(range) = self { range.unit } else { Unit::None }
    }

    pub(crate) fn mismatch(self) -> Rejected {
        let noun = self.noun();
        Rejected::new(format!("this is not {noun}"), format!("write {noun}"))
    }
}

impl Bounds {
    /// Converts a number in this range.
    pub(crate) fn admit<N: TryFrom<u64>>(self, number: i128) -> Result<N, Rejected> {
        let in_range = u64::try_from(number).ok().filter(|number| (self.least..=self.most).contains(number));
        in_range.and_then(|number| N::try_from(number).ok()).ok_or_else(|| {
            let what = if number < 0 { "is negative" } else { "is out of range" };
            Rejected::new(format!("{number} {} {what}", self.unit.symbol()), self.hint())
        })
    }

    fn hint(self) -> String {
        let Self { least, most, unit } = self;
        match unit {
            Unit::Millis => format!("use whole milliseconds, {least} to {most}"),
            Unit::Micros => format!("use whole microseconds, {least} to {most}"),
            Unit::Bytes => format!("use a whole number of bytes, {least} to {most}"),
            Unit::KilobytesPerSecond => format!("use whole {}, {least} (nothing passes) to {most}", unit.explained()),
            Unit::None => format!("use a whole number, {least} to {most}"),
        }
    }
}

impl Unit {
    /// The symbol.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Millis => "ms",
            Self::Micros => "µs",
            Self::Bytes => "bytes",
            Self::KilobytesPerSecond => "KB/s",
            Self::None => "",
        }
    }

    /// The symbol, with an explanation if it is ambiguous.
    #[must_use]
    pub fn explained(self) -> &'static str {
        if self == Self::KilobytesPerSecond { "KB/s (1 KB = 1000 bytes)" } else { self.symbol() }
    }
}

/// The JSON notation.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            // Debug prints an exponent where Display would print 300 digits.
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(number) => number.serialize(serializer),
            Self::Real(number) => number.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Flag(flag) => flag.serialize(serializer),
        }
    }
}
