//! The command line of `chaos-proxy report`: its flags, and its help text.

use std::ffi::OsString;

use pico_args::Arguments;

use super::flag_table::{Group, Table, Value, flag, words};
use super::flags::{normalized, reject_flags, value};
use super::{Command, Parsed, UsageError, usage_error};
use crate::harness::report::ShownFormat;
use crate::value::Written;

pub(super) const FLAGS: Table = Table(&[Group {
    title: "Options",
    flags: &[
        flag("--format", Value::Required("FORMAT"), "html or markdown [html]").one_of(words(ShownFormat::KIND)),
        flag("--help", Value::None, "print this help").or("-h"),
    ],
}]);

/// What `report --help` prints.
#[must_use]
pub fn report_help() -> String {
    format!(
        "\
chaos-proxy report: shows a report that was written as JSON

Usage:
  chaos-proxy report FILE [options]

FILE is what --report FILE.json or explore --json has written; - is stdin.
Prints one page of HTML with plots and tables, which loads nothing else.

Example:
  chaos-proxy report run.json > run.html

{options}
Exit codes: 0 printed; 1 FILE can't be read; 2 usage error, or FILE is no
report.
",
        options = FLAGS.help(19, 80),
    )
}

/// Parses the arguments after `report`.
pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed<Command> {
    parsed(args).map_err(|error| match error {
        UsageError::Flag(what) => UsageError::Of("report", what),
        other => other,
    })
}

fn parsed(args: impl IntoIterator<Item = OsString>) -> Parsed<Command> {
    let mut args = Arguments::from_vec(args.into_iter().flat_map(|arg| normalized(arg, FLAGS)).collect());
    if args.contains(["-h", "--help"]) {
        return Ok(Command::ReportHelp);
    }
    let format = value(&mut args, "--format", str::parse)?.unwrap_or_default();
    match &reject_flags(args.finish(), FLAGS, &[])?[..] {
        [path] => Ok(Command::Report(path.into(), format)),
        [] => usage_error("give the FILE that --report or explore --json has written"),
        [_, second, ..] => usage_error(format!("unexpected argument `{}`: give one file", second.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::{error, parsed};

    #[test]
    fn a_file_and_a_format_are_given() {
        let Ok(Command::Report(path, format)) = parsed("report run.json --format=markdown") else {
            panic!("not parsed");
        };
        assert_eq!((path.to_str(), format), (Some("run.json"), ShownFormat::Markdown));
    }

    #[test]
    fn errors_suggest_a_fix() {
        for (line, expected) in [
            ("report", "give the FILE that --report or explore --json has written"),
            ("report a b", "unexpected argument `b`: give one file"),
            ("report a --form json", "unknown flag --form; did you mean --format?"),
        ] {
            assert_eq!(error(line), expected, "{line}");
        }
        assert!(error("report a --format json").contains("use html or markdown"));
    }

    #[test]
    fn the_help_fits_the_width_of_a_terminal() {
        assert!(report_help().lines().all(|line| line.chars().count() <= 80), "{}", report_help());
    }
}
