//! Splits arguments into flags and raw values: the three spellings of a flag, and errors for unknown arguments. `cli`
//! itself parses the values.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;

use pico_args::Arguments;

use super::{Parsed, UsageError, usage_error};

/// Every flag, for suggestions.
pub(super) const FLAGS: [&str; 20] = [
    "--config",
    "--listen",
    "--upstream",
    "--drop-rate",
    "--latency-ms",
    "--bind",
    "--check",
    "--schema",
    "--test-server",
    "--seed",
    "--max-connections",
    "--max-buffered",
    "--drain-timeout",
    "--verbose",
    "--quiet",
    "--log-format",
    "--help",
    "--version",
    "-h",
    "-V",
];

/// The flags without a value.
pub(super) const SWITCHES: [&str; 7] =
    ["--check", "--schema", "--test-server", "--verbose", "--quiet", "--help", "--version"];

/// Splits at `--`, which pico-args does not support. Arguments after it are never flags.
pub(super) fn split_at_double_dash(args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut flags: Vec<OsString> = args.into_iter().collect();
    let operands = flags.iter().position(|arg| arg == "--").map(|at| flags.split_off(at).split_off(1));
    (flags, operands.unwrap_or_default())
}

/// Rewrites `-config=x` and `--config=x` as `--config x`.
pub(super) fn normalized(arg: OsString) -> Vec<OsString> {
    let arg = with_two_dashes(arg);
    let bytes = arg.as_bytes();
    let equals = bytes.iter().position(|&byte| byte == b'=').filter(|_| bytes.starts_with(b"--"));
    match equals.map(|at| (OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(&bytes[at + 1..]))) {
        Some((flag, value)) if SWITCHES.iter().all(|switch| flag != *switch) => vec![flag.to_owned(), value.to_owned()],
        _ => vec![arg],
    }
}

/// Rewrites `-config`, the spelling of Go's flag package, as `--config`. Leaves `-h`, `-5` and `-` alone.
fn with_two_dashes(arg: OsString) -> OsString {
    match arg.as_bytes() {
        [b'-', first, second, ..] if first.is_ascii_alphabetic() && *second != b'=' => {
            let mut long = OsString::from("-");
            long.push(arg);
            long
        }
        _ => arg,
    }
}

pub(super) fn value<T, E: Display>(
    args: &mut Arguments,
    flag: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Parsed<Option<T>> {
    let Some(raw) = raw_value(args, flag)? else { return Ok(None) };
    let Some(text) = raw.to_str() else { return usage_error(format!("the value of {flag} is not UTF-8")) };
    parse(text).map(Some).map_err(|error| UsageError(format!("{flag} {text}: {error}")))
}

/// The argument after `flag`. Rejects one that starts with `--`, which pico-args would take as the value.
pub(super) fn raw_value(args: &mut Arguments, flag: &'static str) -> Parsed<Option<OsString>> {
    let raw = args.opt_value_from_os_str(flag, |raw| Ok::<_, Infallible>(raw.to_owned()));
    match raw {
        Ok(Some(next)) if next.as_bytes().starts_with(b"--") => {
            usage_error(format!("{flag} needs a value, but {} follows it", next.display()))
        }
        Ok(Some(empty)) if empty.is_empty() => usage_error(format!("{flag} needs a value")),
        Ok(raw) => Ok(raw),
        Err(_) => usage_error(format!("{flag} needs a value")),
    }
}

/// Reports the first argument that pico-args did not consume.
pub(super) fn reject_leftovers<'a>(left: impl Iterator<Item = &'a OsString>) -> Parsed<()> {
    let Some(first) = left.map(|arg| arg.to_string_lossy()).next() else { return Ok(()) };
    let flag = first.split_once('=').map_or(&*first, |(flag, _)| flag);
    if !first.starts_with('-') {
        return usage_error(format!("unexpected argument `{first}`; pass a config file with --config"));
    }
    if !FLAGS.contains(&flag) {
        return usage_error(format!("unknown flag {flag}{}", suggestion(flag)));
    }
    if SWITCHES.contains(&flag) && first.contains('=') {
        return usage_error(format!("{flag} takes no value"));
    }
    usage_error(format!("{flag} is given twice"))
}

fn suggestion(flag: &str) -> String {
    let nearest = FLAGS.into_iter().map(|known| (strsim::damerau_levenshtein(known, flag), known)).min();
    // At most three edits, and fewer than half of the letters: `-x` is not close to any flag.
    let near = nearest.filter(|&(edits, _)| edits <= 3 && edits * 2 < flag.len());
    near.map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
}
