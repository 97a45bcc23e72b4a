//! The words behind `cargo bench --bench soak --`.

use std::time::Duration;

use pico_args::Arguments;

const USAGE: &str = "usage: soak [--seconds N] [--seed N]";

/// What is asked for.
pub struct Options {
    /// How long the load is on, without the pauses in which it is measured.
    pub time: Duration,
    pub seed: u64,
}

/// Reads them.
///
/// # Errors
/// What is wrong with them, and how they are written.
pub fn parse() -> Result<Options, String> {
    let mut args = Arguments::from_env();
    // Cargo adds it for every benchmark, to tell the standard harness that it is none of the tests.
    args.contains("--bench");
    let number = |found: Result<Option<u64>, pico_args::Error>| found.map_err(|error| format!("{error}\n{USAGE}"));
    let seconds = number(args.opt_value_from_str("--seconds"))?.unwrap_or(60);
    let seed = number(args.opt_value_from_str("--seed"))?.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let left = args.finish();
    let known = left.is_empty() && seconds > 0;
    if known { Ok(Options { time: Duration::from_secs(seconds), seed }) } else { Err(format!("{left:?}?\n{USAGE}")) }
}
