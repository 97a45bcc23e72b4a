//! The target of a request: path and query, percent-decoded (RFC 3986, 2.1). Dots and empty segments have no special
//! meaning, because no path names a file.

use super::refusal::Refusal;

/// The path and the query of a request, without scheme and host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    path: Vec<String>,
    query: Vec<(String, String)>,
}

impl Target {
    /// The segments of the path. Each is decoded separately, so a segment may contain `/`. There is at least one; the
    /// only segment of `/` and the last one of `/a/` are empty.
    #[must_use]
    pub fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The first value of a query parameter. Empty if the parameter has no `=`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Parses a path or a whole URL, which a server must accept as well (RFC 9112, 3.2.2). CONNECT and `OPTIONS *` have
    /// neither.
    pub(super) fn parse(target: &str) -> Result<Self, Refusal> {
        let local = match target.split_once("://") {
            _ if target.starts_with('/') => target,
            Some((_, rest)) => rest.trim_start_matches(|letter| !['/', '?'].contains(&letter)),
            None => return Err(Refusal::bad("the target must begin with /")),
        };
        let (path, query) = local.split_once('?').unwrap_or((local, ""));
        // A URL without a path means `/` (RFC 9110, 4.2.3).
        let segments = path.strip_prefix('/').unwrap_or_default();
        let path: Option<_> = segments.split('/').map(decode).collect();
        let query: Option<_> = query.split('&').filter(|pair| !pair.is_empty()).map(parameter).collect();
        let decoded = path.zip(query).map(|(path, query)| Self { path, query });
        decoded.ok_or_else(|| Refusal::bad("the path or the query is not percent-encoded UTF-8"))
    }
}

/// `+` is a space, as in HTML forms.
fn parameter(text: &str) -> Option<(String, String)> {
    let text = text.replace('+', " ");
    let (key, value) = text.split_once('=').unwrap_or((&text, ""));
    Some((decode(key)?, decode(value)?))
}

/// Checks the digits: `from_str_radix` would accept `%+1`.
fn decode(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        decoded.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        decoded.extend(rest.bytes());
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(target: &str) -> Option<Vec<String>> {
        Target::parse(target).ok().map(|target| target.path)
    }

    #[test]
    fn paths_are_split_and_decoded() {
        for (target, expected) in [
            ("/", &[""][..]),
            ("/?a/b", &[""]),
            ("/a/b", &["a", "b"]),
            ("/a//b/", &["a", "", "b", ""]),
            ("/a%2Fb/%c3%A9%20%25", &["a/b", "\u{e9} %"]),
            ("/a+b", &["a+b"]),
            ("/a://b/c", &["a:", "", "b", "c"]),
            ("http://host:80/bytes/7?x", &["bytes", "7"]),
            ("http://host", &[""]),
            ("http://host?a=b/c", &[""]),
        ] {
            assert_eq!(path(target), Some(expected.iter().map(ToString::to_string).collect()), "{target}");
        }
    }

    #[test]
    fn rejects_targets_without_a_path_or_with_bad_escapes() {
        for target in ["", "*", "a", "?a", "host:443", "/%", "/%4", "/%g0", "/%+1", "/%\u{e9}", "/%ff", "/?%", "/?a=%0"]
        {
            assert_eq!(path(target), None, "{target}");
        }
    }

    #[test]
    fn parameters_are_found_by_their_decoded_name() {
        let target = Target::parse("/?route=a%26b+c&%72eset=true&flag&route=d&e=f=g").expect("a target");
        for (name, value) in
            [("route", Some("a&b c")), ("reset", Some("true")), ("flag", Some("")), ("e", Some("f=g")), ("x", None)]
        {
            assert_eq!(target.parameter(name), value, "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_survives_encoding(text in any::<String>()) {
            let encoded = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
            let target = Target::parse(&format!("/a/{encoded}?{encoded}={encoded}")).expect("it is well-formed");
            prop_assert_eq!(target.path(), ["a", text.as_str()]);
            prop_assert_eq!(target.parameter(&text), Some(text.as_str()));
        }

        #[test]
        fn any_target_is_parsed_or_refused(target in any::<String>()) {
            let _ = Target::parse(&target);
        }
    }
}
