//! Names of variables in texts where a value belongs. Nothing replaces them here; a shell or a template tool should
//! have.

use super::Rejected;

/// Why `text` is not accepted, if it has the name of a variable in it: `${HOST}` or `$HOST`.
#[must_use]
pub fn reject_variable(text: &str) -> Option<Rejected> {
    let variable = variable(text)?;
    let hint =
        "write the value: variables are not replaced here, but `envsubst < FILE | chaos-proxy --config -` does it";
    Some(Rejected::new(format!("`{variable}` is the name of a variable"), hint))
}

fn variable(text: &str) -> Option<&str> {
    let start = text.find('$')?;
    let rest = &text[start + 1..];
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let length = match rest.strip_prefix('{') {
        Some(rest) => rest.find('}').filter(|&length| length > 0)? + 2,
        None => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
    };
    (length > 0).then(|| &text[start..=start + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_name_of_a_variable() {
        for (text, found) in [
            ("$HOST:5432", Some("$HOST")),
            ("${HOST}:5432", Some("${HOST}")),
            ("127.0.0.1:${PORT:-80}", Some("${PORT:-80}")),
            ("$1", Some("$1")),
            ("$", None),
            ("${", None),
            ("${}", None),
            ("5 $ off", None),
            ("127.0.0.1:80", None),
        ] {
            assert_eq!(variable(text), found, "{text}");
        }
    }
}
