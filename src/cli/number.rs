//! The numbers that flags take, each with what to write instead of a text that is none.

use std::str::FromStr;
use std::time::Duration;

use crate::value::{Millis, Port, Probability};

pub(super) fn number<T: FromStr>(text: &str, hint: &'static str) -> Result<T, &'static str> {
    text.parse().map_err(|_| hint)
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
