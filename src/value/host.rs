//! Host names. What they resolve to is decided elsewhere.

/// Whether a text has only characters of host names, among which many networks allow `_`.
#[must_use]
pub fn has_host_characters(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}
