//! The command line: its flags, the help text, and the [`Command`] they parse into. No I/O, except for the lookup of
//! `--upstream HOST:PORT` with `--resolve`: `run` executes the command.

mod admin;
mod completions;
mod ctl;
mod explain;
mod explore;
mod flag_table;
mod flags;
mod help;
mod lone_route;
mod man;
mod options;
mod parsed_flags;
mod report;
mod shrink;
mod values;
mod wrap;

use std::ffi::OsString;
use std::str::FromStr;

use pico_args::Arguments;

use crate::config::Report;
use crate::ctl::{Address, TOKEN_VARIABLE};
use crate::harness::exec::{self, Exec};
pub use admin::{AdminFlags, AdminOptions};
pub use completions::{Shell, completions};
pub use ctl::ctl_help;
pub use explain::{Explain, ExplainFormat};
pub use explore::{Explore, explore_help};
use flag_table::RUN;
use flags::{TOXIPROXY, has_effect, normalized, reject_flags, split_at_double_dash, value, with_admin_port};
pub use help::{VERSION, build_details, full_help, help};
pub use man::man;
pub use options::{Command, Options, RouteSource, RunSettings, Upstreams, Watch};
use parsed_flags::ParsedFlags;
pub use report::report_help;
pub use shrink::{Shrink, shrink_help};
pub use wrap::{Repeat, Runs};

/// An invalid command line: what is wrong, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageError {
    /// The first flag or operand that is wrong.
    Flag(String),
    /// The same after a command that has flags of its own, such as `ctl`.
    Of(&'static str, String),
    /// Every problem of `--profile` and `--toxic`.
    Toxics(Report),
}

type Parsed<T> = Result<T, UsageError>;

/// Parses the arguments, without the program's name. `variable` looks up an environment variable.
///
/// # Errors
/// The first error found.
pub fn parse(args: impl IntoIterator<Item = OsString>, variable: impl Fn(&str) -> Option<OsString>) -> Parsed<Command> {
    let mut args = args.into_iter().peekable();
    if args.next_if(|first| first == "ctl").is_some() {
        return ctl::parse(args);
    }
    if args.next_if(|first| first == "explore").is_some() {
        return explore::parse(args);
    }
    if args.next_if(|first| first == "shrink").is_some() {
        return shrink::parse(args);
    }
    if args.next_if(|first| first == "report").is_some() {
        return report::parse(args);
    }
    if args.next_if(|first| first == exec::MODE).is_some() {
        let exec = Exec::of(args).map(|exec| Command::Exec(Box::new(exec)));
        return exec.ok_or_else(|| UsageError::Flag(format!("{} is for chaos-proxy itself", exec::MODE)));
    }
    let (flags, command) = split_at_double_dash(args);
    let flags = with_admin_port(flags).filter(has_effect).flat_map(|arg| normalized(arg, RUN));
    let mut args = Arguments::from_vec(flags.collect());
    if let Some(printed) = printed(&mut args)? {
        return Ok(printed);
    }
    let flags = ParsedFlags::take_from(&mut args, variable(TOKEN_VARIABLE))?;
    match &reject_flags(args.finish(), RUN, &TOXIPROXY)?[..] {
        [word] if word == "help" => Ok(Command::Help),
        operands => flags.with_operands(operands)?.into_command(wrap::command(command)?),
    }
}

/// The command of a flag that only prints something or asks for something, whatever the other flags are.
fn printed(args: &mut Arguments) -> Parsed<Option<Command>> {
    if args.contains(["-h", "--help"]) {
        let is_verbose = args.contains(["-v", "--verbose"]);
        return Ok(Some(if is_verbose { Command::FullHelp } else { Command::Help }));
    }
    if args.contains(["-V", "--version"]) {
        let is_verbose = args.contains(["-v", "--verbose"]);
        return Ok(Some(if is_verbose { Command::BuildDetails } else { Command::Version }));
    }
    if args.contains("--schema") {
        return Ok(Some(Command::Schema));
    }
    if args.contains("--man") {
        return Ok(Some(Command::Man));
    }
    if let Some(address) = value(args, "--health", Address::from_str)? {
        return Ok(Some(ctl::health(address)));
    }
    Ok(value(args, "--completions", Shell::from_str)?.map(Command::Completions))
}

/// The path that stands for stdin.
pub(crate) const STDIN: &str = "-";

fn usage_error<T>(what: impl Into<String>) -> Parsed<T> {
    Err(UsageError::Flag(what.into()))
}

#[cfg(test)]
mod tests;
