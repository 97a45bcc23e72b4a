//! The command line of `chaos-proxy shrink`: its flags, and its help text.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use pico_args::Arguments;

use super::explore::{config_file, passed_on, timeout};
use super::flag_table::{Group, Table, Value, flag};
use super::flags::{normalized, raw_value, reject_flags, split_at_double_dash, value};
use super::{Command, Parsed, UsageError, usage_error, wrap};
use crate::config::Defaults;
use crate::harness::trial::Subject;

/// How many runs with a config must fail, if no other number is given.
const REPEAT: NonZeroU32 = NonZeroU32::new(2).expect("not 0");

pub(super) const FLAGS: Table = Table(&[Group {
    title: "Options",
    flags: &[
        flag("--config", Value::Required("FILE"), "the faults with which COMMAND fails").or("-c"),
        flag("--seed", Value::Required("N"), "the seed with which it fails [that of the config]"),
        flag("--repeat", Value::Required("N"), "how many runs with the same faults must fail [2]"),
        flag("--timeout", Value::Required("TIME"), "for each run, such as 30s [10 times the first run, at least 10s]"),
        flag("--write", Value::Required("FILE"), "write the config that is left to FILE, not to stdout"),
        flag("--resolve", Value::None, "look up host names of upstreams"),
        flag("--test-server", Value::None, "serve HTTP on every upstream"),
        flag("--help", Value::None, "print this help").or("-h"),
    ],
}]);

/// What to shrink.
#[derive(Debug)]
pub struct Shrink {
    /// The config file.
    pub config: PathBuf,
    /// What the command line decides for its routes.
    pub defaults: Defaults,
    /// Overrides the seed in the config file.
    pub seed: Option<u64>,
    /// What is run.
    pub subject: Subject,
    /// How many runs with a config must fail.
    pub repeat: u32,
    /// Where the config is written that is found.
    pub write: Option<PathBuf>,
}

/// What `shrink --help` prints.
#[must_use]
pub fn shrink_help() -> String {
    format!(
        "\
chaos-proxy shrink: finds the few faults of many that make a program fail

Usage:
  chaos-proxy shrink [--config] FILE --seed N [options] -- COMMAND ARGUMENTS

Runs COMMAND with fewer and fewer faults as long as it fails: leaves out
toxics, then connections, then single acts. Prints a config with what is left,
and without anything random if that fails as well.

Example:
  chaos-proxy shrink noisy.json --seed 7 --write small.json -- ./flaky-test

{options}
Exit codes: 0 shrunk; 1 the failure does not reproduce; 2 usage error; 130 or
143 interrupted by a signal, after the smallest config so far.
",
        options = FLAGS.help(19, 80),
    )
}

/// Parses the arguments after `shrink`.
pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed<Command> {
    parsed(args).map_err(|error| match error {
        UsageError::Flag(what) => UsageError::Of("shrink", what),
        other => other,
    })
}

fn parsed(args: impl IntoIterator<Item = OsString>) -> Parsed<Command> {
    let (flags, words) = split_at_double_dash(args);
    let mut args = Arguments::from_vec(flags.into_iter().flat_map(|arg| normalized(arg, FLAGS)).collect());
    if args.contains(["-h", "--help"]) {
        return Ok(Command::ShrinkHelp);
    }
    let config = raw_value(&mut args, "--config")?;
    let seed = value(&mut args, "--seed", super::values::seed)?;
    let repeat = value(&mut args, "--repeat", str::parse::<NonZeroU32>)?.unwrap_or(REPEAT).get();
    let timeout = value(&mut args, "--timeout", timeout)?;
    let write = raw_value(&mut args, "--write")?.map(PathBuf::from);
    let (defaults, flags) = passed_on(&mut args);
    let config = config_file(config, &reject_flags(args.finish(), FLAGS, &[])?)?;
    let Some(command) = wrap::command(words)? else {
        return usage_error("shrink needs a command: add -- COMMAND");
    };
    let subject = Subject { command, flags, timeout };
    Ok(Command::Shrink(Box::new(Shrink { config, defaults, seed, subject, repeat, write })))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::tests::{error, parsed};

    #[test]
    fn flags_say_what_is_shrunk() {
        let Ok(Command::Shrink(shrink)) = parsed("shrink a.json --seed 7 --timeout 5s --resolve -- make test") else {
            panic!("not parsed");
        };
        assert_eq!((shrink.seed, shrink.repeat, shrink.subject.timeout), (Some(7), 2, Some(Duration::from_secs(5))));
        assert_eq!((shrink.subject.flags, shrink.write), (vec!["--resolve".into()], None));
    }

    #[test]
    fn errors_suggest_a_fix() {
        for (line, expected) in [
            ("shrink a", "shrink needs a command: add -- COMMAND"),
            ("shrink -- a", "give a config FILE"),
            ("shrink a --seeds 1 -- b", "unknown flag --seeds; did you mean --seed?"),
        ] {
            assert_eq!(error(line), expected, "{line}");
        }
    }

    #[test]
    fn the_help_fits_the_width_of_a_terminal() {
        assert!(shrink_help().lines().all(|line| line.chars().count() <= 80), "{}", shrink_help());
    }
}
