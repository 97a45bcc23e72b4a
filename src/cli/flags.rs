//! Splits arguments into flags and raw values: the three spellings of a flag, and errors for unknown arguments. `cli`
//! itself parses the values.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;

use pico_args::Arguments;

use crate::plan::ListenAddress;
use crate::spelling::nearest;

use super::flag_table::Table;
use super::values::has_port;
use super::{Parsed, UsageError, usage_error};

/// Toxiproxy's flags for its API, which turn the admin server on. They are not suggested.
pub(super) const TOXIPROXY: [&str; 2] = ["--host", "--port"];

/// Toxiproxy's flags for its metrics, which the admin server always has. They are accepted, and have no effect.
pub(super) const WITHOUT_EFFECT: [&str; 2] = ["--proxy-metrics", "--runtime-metrics"];

/// Splits at `--`, which pico-args does not support. Arguments after it are never flags.
pub(super) fn split_at_double_dash(args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Option<Vec<OsString>>) {
    let mut flags: Vec<OsString> = args.into_iter().collect();
    let others = flags.iter().position(|arg| arg == "--").map(|at| flags.split_off(at).split_off(1));
    (flags, others)
}

/// Rewrites `--admin` without a value as `--admin=8474`, and one with a value as `--admin=VALUE`.
pub(super) fn with_admin_port(args: Vec<OsString>) -> impl Iterator<Item = OsString> {
    let mut args = args.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut arg = args.next()?;
        if arg == "--admin" || arg == "-admin" {
            let address = args.next_if(|next| next.to_str().is_some_and(has_port));
            arg.push("=");
            arg.push(address.unwrap_or_else(|| ListenAddress::ADMIN_PORT.to_string().into()));
        }
        Some(arg)
    })
}

/// Whether a flag has an effect.
pub(super) fn has_effect(arg: &OsString) -> bool {
    let arg = with_two_dashes(arg.clone());
    let flag = arg.as_bytes().split(|&byte| byte == b'=').next();
    WITHOUT_EFFECT.iter().all(|known| flag != Some(known.as_bytes()))
}

/// Rewrites `-config=x`, `--config=x` and `-c=x` as `--config x`, unless the flag takes no value.
pub(super) fn normalized(arg: OsString, table: Table) -> Vec<OsString> {
    let arg = with_two_dashes(arg);
    let bytes = arg.as_bytes();
    let is_flag = |at: &usize| bytes.starts_with(b"--") || is_abbreviation(&bytes[..*at], table);
    let equals = bytes.iter().position(|&byte| byte == b'=').filter(is_flag);
    match equals.map(|at| (long(&bytes[..at], table), OsStr::from_bytes(&bytes[at + 1..]))) {
        Some((flag, value)) if !flag.to_str().is_some_and(|flag| table.is_switch(flag)) => {
            vec![flag, value.to_owned()]
        }
        Some(_) => vec![arg],
        None => vec![long(bytes, table)],
    }
}

/// Whether a flag with one letter stands for a long one here. pico-args knows those of help and version.
fn is_abbreviation(flag: &[u8], table: Table) -> bool {
    table.of_short(flag).is_some_and(|flag| !matches!(flag.long, "--help" | "--version"))
}

fn long(flag: &[u8], table: Table) -> OsString {
    let long = table.of_short(flag).filter(|_| is_abbreviation(flag, table)).map(|flag| flag.long);
    long.map_or_else(|| OsStr::from_bytes(flag).to_owned(), OsString::from)
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
    parse(text).map(Some).map_err(|error| UsageError::Flag(format!("{flag} {text}: {error}")))
}

/// The values of a flag that may be given several times.
pub(super) fn parsed_values<T, E: Display>(
    args: &mut Arguments,
    flag: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Parsed<Vec<T>> {
    let mut values = Vec::new();
    while let Some(next) = value(args, flag, &parse)? {
        values.push(next);
    }
    Ok(values)
}

/// The same, as they are written.
pub(super) fn values(args: &mut Arguments, flag: &'static str) -> Parsed<Vec<String>> {
    parsed_values(args, flag, str::parse)
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

/// Splits what pico-args did not consume: reports a flag among it, and returns the operands. Beside the flags of
/// `table`, those of `unlisted` are known.
pub(super) fn reject_flags(left: Vec<OsString>, table: Table, unlisted: &[&str]) -> Parsed<Vec<OsString>> {
    let is_flag = |arg: &&OsString| arg.as_bytes().starts_with(b"-") && arg.len() > 1;
    let Some(first) = left.iter().find(is_flag).map(|arg| arg.to_string_lossy()) else { return Ok(left) };
    let flag = first.split_once('=').map_or(&*first, |(flag, _)| flag);
    let names = table.names();
    if !names.contains(&flag) && !unlisted.contains(&flag) {
        let suggestion = nearest(flag, &names).map_or_else(String::new, |known| format!("; did you mean {known}?"));
        return usage_error(format!("unknown flag {flag}{suggestion}"));
    }
    if table.is_switch(flag) && first.contains('=') {
        return usage_error(format!("{flag} takes no value"));
    }
    usage_error(format!("{flag} is given twice"))
}
