//! Header lines by name. `head` interprets them.

use std::borrow::Cow;

/// The value of a header. It has no line ends: it comes from a parsed request or from the source code, or was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderValue(Cow<'static, [u8]>);

impl HeaderValue {
    /// The bytes as sent, which may not be UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&'static str> for HeaderValue {
    fn from(value: &'static str) -> Self {
        Self(Cow::Borrowed(value.as_bytes()))
    }
}

impl From<u64> for HeaderValue {
    fn from(value: u64) -> Self {
        Self(Cow::Owned(value.to_string().into_bytes()))
    }
}

/// Accepts what RFC 9110, 5.5 allows. A line end would begin a header of its own.
impl TryFrom<String> for HeaderValue {
    type Error = ControlCharacter;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        let is_allowed = |byte: u8| byte == b'\t' || !byte.is_ascii_control();
        if value.bytes().all(is_allowed) { Ok(Self(Cow::Owned(value.into_bytes()))) } else { Err(ControlCharacter) }
    }
}

/// The text has a control character, so it can't be a header's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlCharacter;

/// The header lines of a request, in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, HeaderValue)>);

impl Headers {
    /// The first value of `name`, ignoring case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        self.values(name).next()
    }

    /// All values of `name`, ignoring case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The elements of a list, on one line or on several (RFC 9110, 5.3).
    pub(super) fn items(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.values(name).flat_map(|value| value.0.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
    }

    pub(super) fn has(&self, name: &str, item: &str) -> bool {
        self.items(name).any(|found| found.eq_ignore_ascii_case(item.as_bytes()))
    }
}

impl From<&[httparse::Header<'_>]> for Headers {
    fn from(parsed: &[httparse::Header<'_>]) -> Self {
        let value = |bytes: &[u8]| HeaderValue(Cow::Owned(bytes.to_vec()));
        Self(parsed.iter().map(|header| (header.name.to_owned(), value(header.value))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_computed_value_has_no_control_characters() {
        for text in ["", "a b\tc", "\u{e9}"] {
            let value = HeaderValue::try_from(text.to_owned());
            assert_eq!(value.as_ref().map(HeaderValue::as_bytes), Ok(text.as_bytes()));
        }
        for text in ["a\r\nSet-Cookie: b", "\n", "\r", "\0", "\x7f"] {
            assert_eq!(HeaderValue::try_from(text.to_owned()), Err(ControlCharacter), "{text:?}");
        }
        assert_eq!(HeaderValue::from(u64::MAX).as_bytes(), b"18446744073709551615");
    }
}
