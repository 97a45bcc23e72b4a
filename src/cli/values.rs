//! Parses the values of flags into types that can't be invalid; errors say what to write instead. What the values mean
//! is in `value` and `plan`, and which flags there are in `cli`.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use crate::value::{Millis, Port, Probability};

pub(super) fn seed(text: &str) -> Result<u64, &'static str> {
    number(text, "use a whole number, 0 to 18446744073709551615")
}

pub(super) fn connections(text: &str) -> Result<NonZeroUsize, &'static str> {
    number(text, "use a whole number, 1 or more")
}

pub(super) fn port(text: &str) -> Result<Port, String> {
    let number: i128 = number(text, "use a port number, 1 to 65535; --bind takes the address")?;
    Port::try_from(number).map_err(|rejected| rejected.to_string())
}

pub(super) fn probability(text: &str) -> Result<Probability, String> {
    let number: f64 = number(text, "use 0.0 (never) to 1.0 (always)")?;
    Probability::try_from(number).map_err(|rejected| rejected.to_string())
}

pub(super) fn millis(text: &str) -> Result<Millis, String> {
    let number: i128 = number(text, "use whole milliseconds")?;
    Millis::try_from(number).map_err(|rejected| rejected.to_string())
}

/// In bytes.
pub(super) fn mebibytes(text: &str) -> Result<NonZeroUsize, &'static str> {
    const MEBIBYTE: NonZeroUsize = NonZeroUsize::new(1 << 20).expect("not 0");
    let hint = "use whole MiB, 1 or more";
    let mebibytes: NonZeroUsize = number(text, hint)?;
    mebibytes.checked_mul(MEBIBYTE).ok_or("more than any machine has; use whole MiB, such as 256")
}

pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    // A hundred years, which no clock overflows by adding.
    const MAX_SECONDS: f64 = 3.2e9;
    let seconds = number(text, "use seconds, such as 30 or 2.5")?;
    if (0.0..MAX_SECONDS).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("use seconds, 0 or more")
    }
}

fn number<T: FromStr>(text: &str, hint: &'static str) -> Result<T, &'static str> {
    text.parse().map_err(|_| hint)
}
