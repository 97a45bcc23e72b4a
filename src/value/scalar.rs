//! How a checked value is written in a config: as which kind of scalar, in which range, in which unit. What a type has
//! declared here is what the config check, the documents and the schema know of it.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Rejected;

/// A type whose values are written as one scalar.
pub trait Written: Sized {
    /// What its values look like.
    const KIND: Kind;

    /// Reads a value.
    ///
    /// # Errors
    /// The scalar is of another kind, or not one of the type's values.
    fn read(scalar: Scalar) -> Result<Self, Rejected>;

    /// The scalar that is read as this value.
    fn write(&self) -> Scalar;
}

/// A value as a config has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A number without point or exponent.
    Whole(i128),
    /// Any other number.
    Real(f64),
    /// Text.
    Text(String),
    /// True or false.
    Flag(bool),
}

/// What the values of a type look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Whole(Bounds),
    /// A number from 0.0 to 1.0.
    Share,
    /// One of these words.
    Word(&'static [&'static str]),
    /// True or false.
    Flag,
    /// Text of a form that the type knows.
    Text,
    /// Such a text, or a list of them.
    Texts,
    /// A list or an object that has declarations of its own; what it is called.
    Nested(&'static str),
}

/// The whole numbers that a type takes, both ends included, and what they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub least: u64,
    /// The greatest.
    pub most: u64,
    /// What is counted.
    pub unit: Unit,
}

/// What a whole number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Bytes.
    Bytes,
    /// 1,000 bytes a second.
    KilobytesPerSecond,
    /// Nothing that has a unit.
    None,
}

impl Kind {
    /// Whether a scalar is of this kind, in range or not.
    #[must_use]
    pub fn matches(self, scalar: &Scalar) -> bool {
        match self {
            Self::Whole(_) => matches!(scalar, Scalar::Whole(_)),
            Self::Share => matches!(scalar, Scalar::Whole(_) | Scalar::Real(_)),
            Self::Word(_) | Self::Text => matches!(scalar, Scalar::Text(_)),
            Self::Flag => matches!(scalar, Scalar::Flag(_)),
            Self::Texts | Self::Nested(_) => false,
        }
    }

    /// What is expected, as in "expected a number".
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Whole(_) => "a whole number",
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
    /// The number as a type within this range.
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
    /// Its symbol.
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

    /// Its symbol, and its size where that is not agreed on.
    #[must_use]
    pub fn explained(self) -> &'static str {
        if self == Self::KilobytesPerSecond { "KB/s (1 KB = 1000 bytes)" } else { self.symbol() }
    }
}

/// As JSON has it.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            // Debug turns to an exponent where Display writes out 300 digits.
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
