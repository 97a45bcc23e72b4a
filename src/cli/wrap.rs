//! The command after `--`, and the flags that repeat it.

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::Path;

use pico_args::Arguments;

use super::flags::{raw_value, value};
use super::values::runs;
use super::{Command, Options, Parsed, RouteSource, STDIN, usage_error};
use crate::harness::argv::Argv;
use crate::harness::repeat::{AfterFailure, Seeds};
use crate::harness::report::Output;

/// A command that is run several times, each time with another seed.
#[derive(Debug)]
pub struct Repeat {
    /// The routes of each run.
    pub routes: RouteSource,
    /// The first seed, which overrides that of the config.
    pub seed: Option<u64>,
    /// Where the reports go, if there shall be any.
    pub report: Option<Output>,
    /// The wrapped command.
    pub command: Argv,
    /// The flags of each run, without the seed and the report.
    pub flags: Vec<OsString>,
    /// The runs.
    pub runs: Runs,
    /// What happens after a failure.
    pub after_failure: AfterFailure,
}

/// How often the command is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runs {
    /// This number of times, with consecutive seeds.
    Count(NonZeroU64),
    /// Once with each of these seeds.
    Seeds(Seeds),
}

/// The flags as given.
#[derive(Debug)]
pub(super) struct WrapFlags {
    runs: Option<Runs>,
    after_failure: AfterFailure,
    /// All other flags and operands except the seed and the report.
    others: Vec<OsString>,
}

impl WrapFlags {
    pub(super) fn take_from(args: &mut Arguments) -> Parsed<Self> {
        let runs = match (value(args, "--repeat", runs)?, value(args, "--seeds", str::parse)?) {
            (Some(_), Some(_)) => {
                return usage_error("--repeat and --seeds exclude each other: --seeds has the number");
            }
            (Some(count), None) => Some(Runs::Count(count)),
            (None, seeds) => seeds.map(Runs::Seeds),
        };
        let after_failure = if args.contains("--keep-going") { AfterFailure::GoOn } else { AfterFailure::Stop };
        let mut others = args.clone();
        let seed = value(&mut others, "--seed", str::parse::<String>)?;
        raw_value(&mut others, "--report")?;
        match (&runs, seed) {
            (Some(Runs::Seeds(_)), Some(_)) => {
                usage_error("--seeds and --seed exclude each other: give all seeds with --seeds")
            }
            (None, _) if after_failure == AfterFailure::GoOn => usage_error("--keep-going needs --repeat or --seeds"),
            (runs, _) => Ok(Self { runs: runs.clone(), after_failure, others: others.finish() }),
        }
    }

    /// The series that these flags ask for, or the only run.
    pub(super) fn into_command(self, options: Options) -> Parsed<Command> {
        let Some(runs) = self.runs else { return Ok(Command::Run(Box::new(options))) };
        let Options { routes, command, settings, .. } = options;
        let Some(command) = command else {
            return usage_error("--repeat and --seeds need a command: add -- COMMAND");
        };
        if matches!(&routes, RouteSource::File { path, .. } if path == Path::new(STDIN)) {
            return usage_error("--repeat and --seeds need a config FILE: stdin can't be read again");
        }
        let (seed, report) = (settings.seed, settings.report);
        let (flags, after_failure) = (self.others, self.after_failure);
        Ok(Command::Repeat(Box::new(Repeat { routes, seed, report, command, flags, runs, after_failure })))
    }
}

/// The words after `--`, if it is there.
pub(super) fn command(words: Option<Vec<OsString>>) -> Parsed<Option<Argv>> {
    let Some(words) = words else { return Ok(None) };
    match Argv::of(words) {
        Some(command) => Ok(Some(command)),
        None => usage_error("-- needs a command after it; a config file whose name begins with - is ./-NAME"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::{error, options, parsed};

    #[test]
    fn a_command_follows_two_dashes() {
        let command = options("a.json -q -- make -q --config b -- c").command.expect("a command");
        assert_eq!(command.to_string(), "make -q --config b -- c");
        assert!(options("a.json").command.is_none());
    }

    #[test]
    fn each_run_of_a_series_has_the_other_flags_and_its_own_seed() {
        let repeat = |line| match parsed(line) {
            Ok(Command::Repeat(repeat)) => repeat,
            other => panic!("{line}: {other:?}"),
        };
        let series = repeat("-c=a.json --repeat 3 --report=r -admin -seed=5 --keep-going -q -- make test");
        assert_eq!(series.flags, ["--config", "a.json", "--admin", "8474", "--quiet"]);
        assert_eq!((series.seed, series.command.to_string()), (Some(5), "make test".to_owned()));
        assert_eq!(series.runs, Runs::Count(NonZeroU64::new(3).expect("not 0")));
        assert_eq!(series.after_failure, AfterFailure::GoOn);
        let series = repeat("a.json --seeds 1,3-4 -- make");
        assert_eq!(series.runs, Runs::Seeds("1,3-4".parse().expect("seeds")));
        assert_eq!((&series.flags[..], series.after_failure), (&["a.json".into()][..], AfterFailure::Stop));
    }

    #[test]
    fn errors_suggest_a_fix() {
        for (line, expected) in [
            ("a --", "-- needs a command after it; a config file whose name begins with - is ./-NAME"),
            ("-- a", "no routes: give a config FILE, --listen PORT --upstream IP:PORT, or --admin"),
            ("a --check -- b", "--check runs no command: leave out what follows --"),
            ("a --repeat 0 -- b", "--repeat 0: use a whole number, 1 or more"),
            ("a --seeds 5-1 -- b", "--seeds 5-1: write 1-5"),
            ("a --seeds x -- b", "--seeds x: use seeds such as 7, 1-100 or 1,5,9-12"),
            ("a --repeat 2 --seeds 1-2 -- b", "--repeat and --seeds exclude each other: --seeds has the number"),
            ("a --seed 2 --seeds 1-2 -- b", "--seeds and --seed exclude each other: give all seeds with --seeds"),
            ("a --repeat 2", "--repeat and --seeds need a command: add -- COMMAND"),
            ("- --repeat 2 -- b", "--repeat and --seeds need a config FILE: stdin can't be read again"),
            ("a --keep-going -- b", "--keep-going needs --repeat or --seeds"),
            ("--exec-command 1", "--exec-command is for chaos-proxy itself"),
        ] {
            assert_eq!(error(line), expected, "{line}");
        }
    }
}
