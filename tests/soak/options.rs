//! The arguments after `cargo bench --bench soak --`.

use std::time::Duration;

use pico_args::Arguments;

const USAGE: &str = "usage: soak [--seconds N] [--seed N]";

/// The parsed arguments.
pub struct Options {
    /// The time under load, without the pauses for leak checks.
    pub time: Duration,
    pub seed: u64,
}

/// Parses the arguments of the process.
///
/// # Errors
/// What is wrong with them, and the usage.
pub fn parse() -> Result<Options, String> {
    let mut args = Arguments::from_env();
    // Cargo passes `--bench` to every benchmark.
    args.contains("--bench");
    let number = |found: Result<Option<u64>, pico_args::Error>| found.map_err(|error| format!("{error}\n{USAGE}"));
    let seconds = number(args.opt_value_from_str("--seconds"))?.unwrap_or(60);
    let seed = number(args.opt_value_from_str("--seed"))?.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let left = args.finish();
    let known = left.is_empty() && seconds > 0;
    if known { Ok(Options { time: Duration::from_secs(seconds), seed }) } else { Err(format!("{left:?}?\n{USAGE}")) }
}
