//! A trigger: the point of a conversation from which a toxic acts. How a stream is searched for it is `toxic`.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;

use super::selector::digits;
use super::word::words;
use super::{Bounds, Direction, Kind, Rejected, Scalar, Unit, Written};

/// The point of a connection from which a toxic acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The stream that is watched.
    pub stream: Direction,
    /// The bytes of it that are waited for.
    pub mark: Mark,
    /// Whether these bytes pass before the toxic acts.
    pub then: Then,
}

/// Bytes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Bytes with this content.
    Pattern(Pattern, Nth),
    /// A byte of a message.
    Message(MessagePoint),
}

impl Trigger {
    /// Whether the trigger can let a toxic act more than once on a connection.
    #[must_use]
    pub fn repeats(&self) -> bool {
        matches!(self.mark, Mark::Pattern(_, Nth::Each))
    }
}

/// As part of a sentence: `after the 2nd "COMMIT" upstream`.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.then.as_str(), self.mark, self.stream.as_str())
    }
}

impl Mark {
    /// The order that is meant if none is written.
    #[must_use]
    pub fn usual_order(&self) -> Then {
        match self {
            Self::Pattern(..) => Then::After,
            Self::Message(_) => Then::Before,
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern, Nth::Each) => write!(f, "each {pattern}"),
            Self::Pattern(pattern, Nth::Only(NonZeroU64::MIN)) => write!(f, "{pattern}"),
            Self::Pattern(pattern, Nth::Only(number)) => write!(f, "match {number} of {pattern}"),
            Self::Message(MessagePoint { message, part: MessagePart::FIRST }) => write!(f, "message {message}"),
            Self::Message(MessagePoint { message, part: MessagePart::Byte(byte) }) => {
                write!(f, "byte {byte} of message {message}")
            }
            Self::Message(MessagePoint { message, part: MessagePart::Last }) => {
                write!(f, "the last byte of message {message}")
            }
        }
    }
}

/// The bytes to search for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    bytes: Arc<[u8]>,
    notation: Notation,
}

/// How a pattern is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// As text, in UTF-8.
    Text,
    /// As hexadecimal digits.
    Hex,
}

impl Pattern {
    /// The bytes of `text` in UTF-8.
    ///
    /// # Errors
    ///
    /// If it is empty.
    pub fn of_text(text: &str) -> Result<Self, Rejected> {
        Self::of(text.as_bytes(), Notation::Text, "write the text to wait for, such as \"COMMIT\"")
    }

    /// The bytes that these hexadecimal digits stand for, two for each byte. Spaces are ignored.
    ///
    /// # Errors
    ///
    /// If it has other characters, an odd number of digits, or no digits.
    pub fn of_hex(text: &str) -> Result<Self, Rejected> {
        const HINT: &str = "write two hexadecimal digits for each byte, such as \"0d0a\"";
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        let bytes = bytes.ok_or_else(|| Rejected::new(format!("`{text}` is not hexadecimal"), HINT))?;
        Self::of(&bytes, Notation::Hex, HINT)
    }

    fn of(bytes: &[u8], notation: Notation, hint: &'static str) -> Result<Self, Rejected> {
        if bytes.is_empty() {
            return Err(Rejected::new("a pattern without bytes".to_owned(), hint));
        }
        Ok(Self { bytes: bytes.into(), notation })
    }

    /// The bytes, at least one.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How it was written.
    #[must_use]
    pub fn notation(&self) -> Notation {
        self.notation
    }

    /// The form that is parsed.
    #[must_use]
    pub fn written(&self) -> String {
        match self.notation {
            Notation::Text => String::from_utf8_lossy(&self.bytes).into_owned(),
            Notation::Hex => {
                let digits = self.bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
            }
        }
    }
}

/// As part of a sentence.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.notation {
            Notation::Text => write!(f, "{:?}", self.written()),
            Notation::Hex => write!(f, "hex {}", self.written()),
        }
    }
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Which match of a pattern counts. Matches don't overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nth {
    /// The one with this number, from 1.
    Only(NonZeroU64),
    /// Each of them: the toxic acts anew.
    Each,
}

impl Default for Nth {
    fn default() -> Self {
        Self::Only(NonZeroU64::MIN)
    }
}

impl Written for Nth {
    const KIND: Kind = Kind::WholeOr(Bounds { least: 1, most: u64::MAX, unit: Unit::None }, EACH);

    fn read(scalar: Scalar) -> Result<Self, Rejected> {
        let number = match scalar {
            Scalar::Text(text) if text == EACH => return Ok(Self::Each),
            Scalar::Whole(number) => u64::try_from(number).ok().and_then(NonZeroU64::new),
            _ => None,
        };
        number.map(Self::Only).ok_or_else(|| {
            let hint = "number the matches from 1, or write \"*\" for each of them";
            Rejected::new("this is no number of a match".to_owned(), hint)
        })
    }

    fn write(&self) -> Scalar {
        match self {
            Self::Only(number) => Scalar::Whole(number.get().into()),
            Self::Each => Scalar::Text(EACH.to_owned()),
        }
    }
}

/// What is written for [`Nth::Each`].
const EACH: &str = "*";

/// A byte of the n-th message of a stream. A message ends where the conversation turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessagePoint {
    /// The number of the message in its stream, from 1.
    pub message: NonZeroU64,
    /// The byte.
    pub part: MessagePart,
}

/// A byte of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessagePart {
    /// The one with this number, from 1.
    Byte(NonZeroU64),
    /// The last one.
    Last,
}

impl MessagePart {
    /// The first byte.
    pub const FIRST: Self = Self::Byte(NonZeroU64::MIN);
}

/// The notation that is parsed.
impl fmt::Display for MessagePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            MessagePart::FIRST => self.message.fmt(f),
            MessagePart::Byte(byte) => write!(f, "{}:{byte}", self.message),
            MessagePart::Last => write!(f, "{}:last", self.message),
        }
    }
}

impl FromStr for MessagePoint {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let parsed = || {
            let (message, part) = match text.split_once(':') {
                None => (text, MessagePart::FIRST),
                Some((message, "last")) => (message, MessagePart::Last),
                Some((message, byte)) => (message, MessagePart::Byte(number(byte.trim())?)),
            };
            Some(Self { message: number(message.trim())?, part })
        };
        parsed().ok_or_else(|| {
            let hint = "number messages and bytes from 1: 3, \"3:10\" for its tenth byte, \"3:last\" for its last";
            Rejected::new(format!("`{text}` names no message"), hint)
        })
    }
}

fn number(text: &str) -> Option<NonZeroU64> {
    digits(text)?.parse().ok()
}

words! {
    /// When a toxic acts: before the bytes of the mark, or after them.
    pub enum Then("is no order", "use before (the toxic acts from the first of these bytes on) or after") {
        /// From the first byte of the mark on. It is held back until the mark is complete.
        Before = "before",
        /// From the byte after the mark on.
        After = "after",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_of_a_message_is_its_number_and_a_byte() {
        let byte = |number| MessagePart::Byte(NonZeroU64::new(number).expect("not 0"));
        for (text, message, part) in
            [("3", 3, byte(1)), ("3:1", 3, byte(1)), ("3:10", 3, byte(10)), ("1:last", 1, MessagePart::Last)]
        {
            let point: MessagePoint = text.parse().expect(text);
            assert_eq!((point.message.get(), point.part), (message, part), "{text}");
            assert_eq!(point.to_string().parse(), Ok(point));
        }
        for text in ["", "0", "3:", "3:0", "3:first", ":last", "-1", "+1", "last", "1:2:3"] {
            assert!(text.parse::<MessagePoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_is_text_or_hexadecimal() {
        assert_eq!(Pattern::of_text("é").map(|it| it.bytes().to_vec()), Ok(vec![0xc3, 0xa9]));
        let hex = Pattern::of_hex("0D 0a00").expect("hexadecimal");
        assert_eq!((hex.bytes(), hex.written().as_str()), (&[13, 10, 0][..], "0d0a00"));
        for rejected in [
            Pattern::of_text(""),
            Pattern::of_hex(""),
            Pattern::of_hex("0"),
            Pattern::of_hex("0x0d"),
            Pattern::of_hex("é"),
        ] {
            assert!(rejected.is_err(), "{rejected:?}");
        }
    }

    #[test]
    fn a_trigger_is_part_of_a_sentence() {
        let pattern = || Pattern::of_text("COMMIT").expect("a pattern");
        let second = Nth::Only(NonZeroU64::new(2).expect("not 0"));
        for (mark, written) in [
            (Mark::Pattern(pattern(), Nth::default()), "after \"COMMIT\" upstream"),
            (Mark::Pattern(pattern(), second), "after match 2 of \"COMMIT\" upstream"),
            (Mark::Pattern(Pattern::of_hex("0d0a").expect("a pattern"), Nth::Each), "after each hex 0d0a upstream"),
            (Mark::Message("3".parse().expect("a point")), "before message 3 upstream"),
            (Mark::Message("3:9".parse().expect("a point")), "before byte 9 of message 3 upstream"),
            (Mark::Message("1:last".parse().expect("a point")), "before the last byte of message 1 upstream"),
        ] {
            let trigger = Trigger { stream: Direction::Upstream, then: mark.usual_order(), mark };
            assert_eq!(trigger.to_string(), written);
        }
    }
}
