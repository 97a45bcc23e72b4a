//! The command line of `chaos-proxy explore`: its flags, and its help text.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use pico_args::Arguments;

use super::flag_table::{Group, Table, Value, flag};
use super::flags::{normalized, raw_value, reject_flags, split_at_double_dash, value};
use super::{Command, Parsed, UsageError, usage_error, wrap};
use crate::config::{Defaults, HostNames};
use crate::explore::{Directory, Fault, Format, Only, Settings};
use crate::harness::trial::Subject;
use crate::value::TimeSpan;

pub(super) const FLAGS: Table = Table(&[Group {
    title: "Options",
    flags: &[
        flag("--config", Value::Required("FILE"), "the routes, and faults that every run has").or("-c"),
        flag("--fault", Value::Required("LIST"), "what to try at each point: reset, close, stall=TIME [reset,close]"),
        flag("--only", Value::Required("LIST"), "explore ROUTE, ROUTE#CONNECTION or ROUTE:upstream, not all"),
        flag("--points", Value::Required("N"), "try N points, evenly spread, not all"),
        flag("--timeout", Value::Required("TIME"), "for each run, such as 30s [10 times the first run, at least 10s]"),
        flag("--write", Value::Required("DIR"), "keep a config and the output of each finding in a new DIR"),
        flag("--resume", Value::Required("DIR"), "go on where an exploration with --write has stopped"),
        flag("--json", Value::None, "print the results as JSON"),
        flag("--junit", Value::None, "print the results as JUnit XML"),
        flag("--seed", Value::Required("N"), "the seed of every run [that of the config, or random]"),
        flag("--resolve", Value::None, "look up host names of upstreams"),
        flag("--test-server", Value::None, "serve HTTP on every upstream"),
        flag("--help", Value::None, "print this help").or("-h"),
    ],
}]);

/// What to explore.
#[derive(Debug)]
pub struct Explore {
    /// The config file.
    pub config: PathBuf,
    /// What the command line decides for its routes.
    pub defaults: Defaults,
    /// Overrides the seed in the config file.
    pub seed: Option<u64>,
    /// What is run.
    pub subject: Subject,
    /// What is tried, and where the results go.
    pub settings: Settings,
}

/// What `explore --help` prints.
#[must_use]
pub fn explore_help() -> String {
    format!(
        "\
chaos-proxy explore: finds the fault that breaks a program

Usage:
  chaos-proxy explore [--config] FILE [options] -- COMMAND ARGUMENTS

Runs COMMAND twice without a fault, and then once for each point of its
connections, with one fault at this point: refused, silent, and before, inside
and after each message. Prints a table of the runs that have failed.

Example:
  chaos-proxy explore pg.json --fault reset,stall=5s --write found -- make test

{options}
Exit codes: 0 nothing found; 5 something found; 1 COMMAND fails without a fault
or is not the same each time; 2 usage error; 130 or 143 interrupted by a signal.
",
        options = FLAGS.help(19, 80),
    )
}

/// Parses the arguments after `explore`.
pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed<Command> {
    parsed(args).map_err(|error| match error {
        UsageError::Flag(what) => UsageError::Of("explore", what),
        other => other,
    })
}

fn parsed(args: impl IntoIterator<Item = OsString>) -> Parsed<Command> {
    let (flags, words) = split_at_double_dash(args);
    let mut args = Arguments::from_vec(flags.into_iter().flat_map(|arg| normalized(arg, FLAGS)).collect());
    if args.contains(["-h", "--help"]) {
        return Ok(Command::ExploreHelp);
    }
    let config = raw_value(&mut args, "--config")?;
    let faults = value(&mut args, "--fault", faults)?.unwrap_or_else(|| Fault::USUAL.to_vec());
    let only = value(&mut args, "--only", str::parse::<Only>)?.unwrap_or_default();
    let most_points = value(&mut args, "--points", str::parse::<NonZeroUsize>)?.map(NonZeroUsize::get);
    let timeout = value(&mut args, "--timeout", timeout)?;
    let directory = directory(&mut args)?;
    let seed = value(&mut args, "--seed", super::values::seed)?;
    let format = format(&mut args)?;
    let (defaults, flags) = passed_on(&mut args);
    let config = config_file(config, &reject_flags(args.finish(), FLAGS, &[])?)?;
    let Some(command) = wrap::command(words)? else {
        return usage_error("explore needs a command: add -- COMMAND");
    };
    let subject = Subject { command, flags, timeout };
    let settings = Settings { faults, only, most_points, directory, format };
    Ok(Command::Explore(Box::new(Explore { config, defaults, seed, subject, settings })))
}

/// What the flags that every run gets decide for the config, and these flags.
pub(super) fn passed_on(args: &mut Arguments) -> (Defaults, Vec<OsString>) {
    let given = ["--resolve", "--test-server"].into_iter().filter(|flag| args.contains(*flag));
    let flags: Vec<OsString> = given.map(OsString::from).collect();
    let resolves = flags.iter().any(|flag| flag == "--resolve");
    let host_names = if resolves { HostNames::Resolved } else { HostNames::Rejected };
    (Defaults { host_names, ..Defaults::default() }, flags)
}

/// The config file, as a flag or as the only operand.
pub(super) fn config_file(flag: Option<OsString>, operands: &[OsString]) -> Parsed<PathBuf> {
    match (flag, operands) {
        (Some(path), []) => file(path),
        (None, [path]) => file(path.clone()),
        (None, []) => usage_error("give a config FILE"),
        (_, [.., last]) => usage_error(format!("unexpected argument `{}`: give one config file", last.display())),
    }
}

fn file(path: OsString) -> Parsed<PathBuf> {
    if path == super::STDIN {
        return usage_error("give a config FILE: stdin can't be read by each run");
    }
    Ok(path.into())
}

fn faults(text: &str) -> Result<Vec<Fault>, String> {
    text.split(',').map(str::parse).collect()
}

/// The most time for a run.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let time: TimeSpan = text.parse().map_err(|error: crate::value::Rejected| error.hint)?;
    if time.is_zero() { Err("use at least 1ms".to_owned()) } else { Ok(time.duration()) }
}

fn directory(args: &mut Arguments) -> Parsed<Option<Directory>> {
    match (raw_value(args, "--write")?, raw_value(args, "--resume")?) {
        (Some(_), Some(_)) => usage_error("--write and --resume exclude each other: --resume writes there too"),
        (Some(new), None) => Ok(Some(Directory::New(new.into()))),
        (None, resumed) => Ok(resumed.map(|directory| Directory::Resumed(directory.into()))),
    }
}

fn format(args: &mut Arguments) -> Parsed<Format> {
    match (args.contains("--json"), args.contains("--junit")) {
        (true, true) => usage_error("--json and --junit exclude each other"),
        (true, false) => Ok(Format::Json),
        (false, true) => Ok(Format::JUnit),
        (false, false) => Ok(Format::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::{error, parsed};

    fn explored(line: &str) -> Explore {
        match parsed(line) {
            Ok(Command::Explore(explore)) => *explore,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn flags_say_what_is_explored() {
        let usual = explored("explore a.json -- make test");
        assert_eq!(
            (usual.settings.faults, usual.settings.format, usual.settings.directory),
            (Fault::USUAL.to_vec(), Format::Text, None)
        );
        assert_eq!(usual.subject.command.to_string(), "make test");
        let line =
            "explore -c=a.json --fault reset,stall=5s --points 9 --timeout=2m --resume d --json --test-server -- x";
        let explore = explored(line);
        assert_eq!(explore.settings.faults[1].to_string(), "stall=5s");
        assert_eq!((explore.settings.most_points, explore.subject.timeout), (Some(9), Some(Duration::from_secs(120))));
        assert_eq!(explore.settings.directory, Some(Directory::Resumed("d".into())));
        assert_eq!((explore.subject.flags, explore.settings.format), (vec!["--test-server".into()], Format::Json));
    }

    #[test]
    fn errors_suggest_a_fix() {
        for (line, expected) in [
            ("explore a", "explore needs a command: add -- COMMAND"),
            ("explore -- a", "give a config FILE"),
            ("explore - -- a", "give a config FILE: stdin can't be read by each run"),
            ("explore a b -- c", "unexpected argument `b`: give one config file"),
            ("explore a --fault stall -- b", "--fault stall: a stall needs its time: write stall=5s"),
            (
                "explore a --fault drop -- b",
                "--fault drop: the faults are reset, close and stall=TIME, such as stall=5s",
            ),
            ("explore a --timeout 5 -- b", "--timeout 5: add a unit: \"5s\" or \"5ms\""),
            (
                "explore a --write x --resume y -- b",
                "--write and --resume exclude each other: --resume writes there too",
            ),
            ("explore a --json --junit -- b", "--json and --junit exclude each other"),
            ("explore a --fualt reset -- b", "unknown flag --fualt; did you mean --fault?"),
        ] {
            assert_eq!(error(line), expected, "{line}");
        }
    }

    #[test]
    fn the_help_fits_the_width_of_a_terminal() {
        assert!(explore_help().lines().all(|line| line.chars().count() <= 80), "{}", explore_help());
    }
}
