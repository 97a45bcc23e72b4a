//! The command line of `chaos-proxy ctl`: its commands, their operands and flags, and its help text.

use std::ffi::OsString;
use std::str::FromStr;

use pico_args::Arguments;

use super::flag_table::{Group, Table, Value, flag};
use super::flags::{normalized, reject_flags, split_at_double_dash, value};
use super::{Command, Parsed, UsageError};
use crate::config::{parse_toxic_argument, parse_toxic_changes};
use crate::ctl::{ADDRESS_VARIABLE, Action, Address, Format, Invocation, TOKEN_VARIABLE, Token, Victims};
use crate::plan::RouteState;
use crate::spelling::nearest;
use crate::value::{CloseMode, RouteName, ToxicName};

pub(super) const FLAGS: Table = Table(&[Group {
    title: "Options",
    flags: &[
        flag("--admin", Value::Required("URL"), "the server, a URL or IP:PORT [http://127.0.0.1:8474]"),
        flag("--token", Value::Required("TOKEN"), "the server's --admin-token"),
        flag("--json", Value::None, "print the server's JSON, unchanged"),
        flag("--reset", Value::None, "kill: with a reset (RST) instead of a FIN"),
        flag("--route", Value::Required("NAME"), "kill: the connections of this route"),
        flag("--id", Value::Required("N"), "kill: the connection with this id"),
        flag("--help", Value::None, "print this help").or("-h"),
    ],
}]);

/// Every command, its operands, and what it does.
const COMMANDS: [(&str, &str, &str); 14] = [
    ("routes", "", "list the routes, with their traffic"),
    ("connections", "[ROUTE]", "list the live connections"),
    ("toxic add", "ROUTE TYPE[:KEY=VALUE,...]", "add a toxic, written as for --toxic"),
    ("toxic update", "ROUTE NAME KEY=VALUE,...", "change its attributes or toxicity"),
    ("toxic remove", "ROUTE NAME", "remove a toxic and release what it holds"),
    ("enable", "ROUTE", "open the port of a route"),
    ("disable", "ROUTE", "close it, as if the service were down"),
    ("kill", "ID|ROUTE [--reset]", "end a connection, or all of a route"),
    ("reset", "", "enable every route, remove every toxic"),
    ("reload", "", "read the config file again"),
    ("config", "", "print the present state as a config file"),
    ("events", "", "print log lines as JSON, as they happen"),
    ("health", "", "fail unless every enabled route accepts"),
    ("help", "", "print this help"),
];

/// The words that a command may begin with.
pub(super) fn first_words() -> Vec<&'static str> {
    let mut words: Vec<&str> = COMMANDS.iter().filter_map(|(command, ..)| command.split(' ').next()).collect();
    words.dedup();
    words
}

/// The words that may follow `first`.
pub(super) fn second_words(first: &str) -> Vec<&'static str> {
    let second = |command: &'static str| command.strip_prefix(first)?.strip_prefix(' ');
    COMMANDS.iter().filter_map(|(command, ..)| second(command)).collect()
}

/// Every command with its operands, and what it does.
pub(super) fn commands() -> impl Iterator<Item = (String, &'static str)> {
    COMMANDS.iter().map(|(name, operands, about)| (format!("{name} {operands}").trim_end().to_owned(), *about))
}

/// What `ctl --help` prints.
#[must_use]
pub fn ctl_help() -> String {
    let commands: Vec<String> = commands().map(|(command, about)| format!("  {command:<37} {about}\n")).collect();
    format!(
        "\
chaos-proxy ctl: changes and inspects a chaos-proxy that runs with --admin

Usage:
  chaos-proxy ctl [options] COMMAND

Examples:
  chaos-proxy ctl toxic add web latency:latency=100,jitter=20
  chaos-proxy ctl connections web
  chaos-proxy ctl kill --route web --reset

Commands:
{commands}
{options}
A number after kill is the name of a route, or if there is none, an id. Tables
have no header and tabs between their columns when stdout is no terminal.
{ADDRESS_VARIABLE} and {TOKEN_VARIABLE} stand for the first two options.
Exit codes: 0 success; 1 refused or unreachable; 2 usage error.
",
        commands = commands.concat(),
        options = FLAGS.help(19, 80),
    )
}

/// Parses the arguments after `ctl`.
pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed<Command> {
    let (flags, rest) = split_at_double_dash(args);
    let mut args = Arguments::from_vec(flags.into_iter().flat_map(|arg| normalized(arg, FLAGS)).collect());
    if args.contains(["-h", "--help"]) {
        return Ok(Command::CtlHelp);
    }
    let flags = Flags::take_from(&mut args)?;
    let operands = [reject_flags(args.finish(), FLAGS, &[])?, rest.unwrap_or_default()].concat();
    let words: Vec<&str> = operands.iter().map(|word| word.to_str()).collect::<Option<_>>().ok_or_else(not_utf8)?;
    if words == ["help"] {
        return Ok(Command::CtlHelp);
    }
    let action = flags.action(&words)?;
    let Flags { address, token, format, .. } = flags;
    Ok(Command::Ctl(Box::new(Invocation { address, token, format, action })))
}

/// The same as `ctl --admin ADDRESS health`.
pub(super) fn health(address: Address) -> Command {
    let (address, action) = (Some(address), Action::Health);
    Command::Ctl(Box::new(Invocation { address, token: None, format: Format::Text, action }))
}

fn not_utf8() -> UsageError {
    UsageError::Of("ctl", "an argument is not UTF-8".to_owned())
}

fn usage_error<T>(what: impl Into<String>) -> Parsed<T> {
    Err(UsageError::Of("ctl", what.into()))
}

struct Flags {
    address: Option<Address>,
    token: Option<Token>,
    format: Format,
    route: Option<RouteName>,
    id: Option<u64>,
    reset: bool,
}

impl Flags {
    fn take_from(args: &mut Arguments) -> Parsed<Self> {
        Ok(Self {
            address: value(args, "--admin", Address::from_str)?,
            token: value(args, "--token", Token::from_str)?,
            route: value(args, "--route", RouteName::from_str)?,
            id: value(args, "--id", id)?,
            format: if args.contains("--json") { Format::Json } else { Format::Text },
            reset: args.contains("--reset"),
        })
    }

    /// The command and its operands.
    fn action(&self, words: &[&str]) -> Parsed<Action> {
        if let (Some(flag), false) = (self.flag_of_kill(), words.first() == Some(&"kill")) {
            return usage_error(format!("{flag} needs the command kill"));
        }
        match *words {
            ["routes"] => Ok(Action::Routes),
            ["connections"] => Ok(Action::Connections(None)),
            ["connections", route] => Ok(Action::Connections(Some(name(route)?))),
            ["toxic", "add", route, toxic] => add(route, toxic),
            ["toxic", "update", route, toxic, changes] => update(route, toxic, changes),
            ["toxic", "remove", route, toxic] => Ok(Action::RemoveToxic(name(route)?, name(toxic)?)),
            ["enable", route] => Ok(Action::Switch(name(route)?, RouteState::Enabled)),
            ["disable", route] => Ok(Action::Switch(name(route)?, RouteState::Disabled)),
            ["kill", ref operands @ ..] => Ok(Action::Kill(self.victims(operands)?, self.close_mode())),
            ["reset"] => Ok(Action::Reset),
            ["reload"] => Ok(Action::Reload),
            ["config"] => Ok(Action::Config),
            ["events"] => Ok(Action::Events),
            ["health"] => Ok(Action::Health),
            ref words => usage_error(misuse(words)),
        }
    }

    fn flag_of_kill(&self) -> Option<&'static str> {
        let given = [("--route", self.route.is_some()), ("--id", self.id.is_some()), ("--reset", self.reset)];
        given.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    fn close_mode(&self) -> CloseMode {
        if self.reset { CloseMode::Reset } else { CloseMode::Close }
    }

    fn victims(&self, operands: &[&str]) -> Parsed<Victims> {
        match (operands, self.id, &self.route) {
            ([], Some(id), None) => Ok(Victims::Connection(id)),
            ([], None, Some(route)) => Ok(Victims::Route(route.clone())),
            // A name such as `007` is not the number 7.
            ([word], None, None) => match word.parse::<u64>().ok().filter(|number| number.to_string() == *word) {
                Some(number) => Ok(Victims::RouteOrConnection(number)),
                None => Ok(Victims::Route(name(word)?)),
            },
            _ => usage_error("kill needs one of ID, ROUTE, --id N and --route NAME"),
        }
    }
}

fn id(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "use a whole number, as `ctl connections` prints it")
}

/// The name of a route or a toxic.
fn name<T: FromStr<Err: ToString>>(text: &str) -> Parsed<T> {
    text.parse().map_err(|error: T::Err| UsageError::Of("ctl", error.to_string()))
}

fn add(route: &str, toxic: &str) -> Parsed<Action> {
    let route: RouteName = name(route)?;
    let toxic = parse_toxic_argument(&format!("toxic add {route}"), toxic).map_err(UsageError::Toxics)?;
    Ok(Action::AddToxic(route, Box::new(toxic)))
}

fn update(route: &str, toxic: &str, changes: &str) -> Parsed<Action> {
    let (route, toxic): (RouteName, ToxicName) = (name(route)?, name(toxic)?);
    let command = format!("toxic update {route} {toxic}");
    let changes = parse_toxic_changes(&command, changes).map_err(UsageError::Toxics)?;
    Ok(Action::UpdateToxic(route, toxic, changes))
}

/// What is wrong with words that are no command: the command itself, or its operands.
fn misuse(words: &[&str]) -> String {
    let begins = |command: &str| words.starts_with(&command.split(' ').collect::<Vec<_>>());
    if let Some((command, operands, _)) = COMMANDS.into_iter().find(|(command, ..)| begins(command)) {
        return format!("usage: chaos-proxy ctl {command} {operands}").trim_end().to_owned();
    }
    match words {
        [] => "there is no command; write one such as `chaos-proxy ctl routes`".to_owned(),
        ["toxic", ..] => "write toxic add, toxic update or toxic remove".to_owned(),
        [word, ..] => {
            let known = nearest(word, &COMMANDS.map(|(command, ..)| command));
            let hint = known.map_or_else(String::new, |known| format!("; did you mean {known}?"));
            format!("unknown command {word}{hint}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Parsed<Command> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn invocation(line: &str) -> Invocation {
        match parsed(line) {
            Ok(Command::Ctl(invocation)) => *invocation,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn error(line: &str) -> String {
        match parsed(line) {
            Err(UsageError::Of(_, what) | UsageError::Flag(what)) => what,
            Err(UsageError::Toxics(report)) => report.to_string(),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn route(text: &str) -> RouteName {
        text.parse().expect("a name")
    }

    #[test]
    fn the_help_fits_a_screen_and_names_every_command_and_flag() {
        let help = ctl_help();
        assert!(help.lines().count() <= 40 && help.lines().all(|line| line.len() <= 80), "{help}");
        for word in FLAGS.names().into_iter().chain(COMMANDS.map(|(command, ..)| command)) {
            assert!(help.contains(&format!("  {word}")) || help.contains(&format!(", {word}")), "{word}");
        }
        for line in ["--help", "-h", "help", "routes -h"] {
            assert!(matches!(parsed(line), Ok(Command::CtlHelp)), "{line}");
        }
    }

    #[test]
    fn each_command_has_an_action() {
        for (line, expected) in [
            ("routes", Action::Routes),
            ("connections", Action::Connections(None)),
            ("connections web", Action::Connections(Some(route("web")))),
            ("toxic remove web lag", Action::RemoveToxic(route("web"), "lag".parse().expect("a name"))),
            ("enable web", Action::Switch(route("web"), RouteState::Enabled)),
            ("disable -- -odd", Action::Switch(route("-odd"), RouteState::Disabled)),
            ("kill 7", Action::Kill(Victims::RouteOrConnection(7), CloseMode::Close)),
            ("kill 007", Action::Kill(Victims::Route(route("007")), CloseMode::Close)),
            ("kill web --reset", Action::Kill(Victims::Route(route("web")), CloseMode::Reset)),
            ("kill --id 7", Action::Kill(Victims::Connection(7), CloseMode::Close)),
            ("--reset kill -route=8180", Action::Kill(Victims::Route(route("8180")), CloseMode::Reset)),
            ("reset", Action::Reset),
            ("reload", Action::Reload),
            ("config", Action::Config),
            ("events", Action::Events),
            ("health", Action::Health),
        ] {
            assert_eq!(invocation(line).action, expected, "{line}");
        }
    }

    #[test]
    fn toxics_are_written_as_for_the_proxy() {
        let Action::AddToxic(_, toxic) = invocation("toxic add web latency:latency=5,stream=both").action else {
            panic!("no toxic")
        };
        assert_eq!(toxic.name.as_str(), "latency_both");
        let Action::UpdateToxic(_, _, change) = invocation("toxic update web lag latency=5").action else {
            panic!("no change")
        };
        assert_eq!(change["attributes"]["latency"], 5);
    }

    #[test]
    fn flags_name_the_server_and_the_format() {
        let invocation = invocation("--json routes --admin [::1]:1 --token=a=b");
        assert_eq!(invocation.address.map(|it| it.to_string()).as_deref(), Some("http://[::1]:1"));
        assert_eq!((invocation.format, invocation.token), (Format::Json, "a=b".parse().ok()));
    }

    #[test]
    fn errors_name_the_argument_and_suggest_a_fix() {
        for (line, expected) in [
            ("", "there is no command; write one such as `chaos-proxy ctl routes`"),
            ("rotues", "unknown command rotues; did you mean routes?"),
            ("xyzzy", "unknown command xyzzy"),
            ("routes web", "usage: chaos-proxy ctl routes"),
            ("toxic", "write toxic add, toxic update or toxic remove"),
            ("toxic add web", "usage: chaos-proxy ctl toxic add ROUTE TYPE[:KEY=VALUE,...]"),
            ("enable", "usage: chaos-proxy ctl enable ROUTE"),
            ("kill", "kill needs one of ID, ROUTE, --id N and --route NAME"),
            ("kill web --id 7", "kill needs one of ID, ROUTE, --id N and --route NAME"),
            ("kill --id web", "--id web: use a whole number, as `ctl connections` prints it"),
            ("reset --reset", "--reset needs the command kill"),
            ("routes --jsn", "unknown flag --jsn; did you mean --json?"),
            ("routes --admin", "--admin needs a value"),
            ("routes --json --json", "--json is given twice"),
            (
                "routes --admin https://a:1",
                "--admin https://a:1: the admin server speaks HTTP without TLS; write http://a:1",
            ),
            ("routes --admin 8474", "--admin 8474: write 127.0.0.1:8474"),
        ] {
            assert_eq!(error(line), expected, "{line}");
        }
        for (line, expected) in [
            ("toxic add web latncy:latency=5", "did you mean `latency`?"),
            ("toxic add web latency:latency=5s", "write 5000"),
            ("toxic update web lag stream=both", "toxic update web lag stream=both"),
        ] {
            assert!(error(line).contains(expected), "{}", error(line));
        }
    }
}
