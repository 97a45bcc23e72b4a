//! Header lines by name. `head` interprets them.

use std::borrow::Cow;

/// The value of a header. It has no line ends, because it comes from a parsed request or from the source code.
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
