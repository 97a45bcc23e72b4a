//! The table of all flags: their names, values and descriptions. The help text, the suggestions for unknown flags, and
//! which flags take no value are derived from it. What a flag means is `cli`.

use std::iter;

use super::completions::Shell;
use crate::columns::wrapped;
use crate::harness::report::Format;
use crate::logging::{LogFormat, LogLevel};
use crate::plan::Profile;
use crate::redirect::Firewall;
use crate::value::{Kind, Written};

/// A flag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    /// Its name, with two dashes.
    pub(super) long: &'static str,
    /// Its short name.
    pub(super) short: Option<&'static str>,
    pub(super) value: Value,
    /// The only values, if they are words.
    pub(super) words: &'static [&'static str],
    /// What it does, and its default in brackets.
    pub(super) about: &'static str,
    /// Whether the short help has it.
    pub(super) need: Need,
}

/// How often a flag is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Often,
    Seldom,
}

/// The value that a flag takes, with its placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    None,
    Optional(&'static str),
    Required(&'static str),
}

/// Flags that the help lists together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// Empty for flags that need none.
    pub(super) title: &'static str,
    pub(super) flags: &'static [Flag],
}

/// The flags of one command line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table(pub(super) &'static [Group]);

/// All flags of a run.
pub(super) const RUN: Table = Table(&[
    Group {
        title: "Routes",
        flags: &[
            flag("--config", Value::Required("FILE"), CONFIG).or("-c"),
            flag("--bind", Value::Required("IP"), "listen address of routes that set none [127.0.0.1]").seldom(),
            flag("--listen", Value::Required("[IP:]PORT"), "without a file: local port of the only route, or auto"),
            flag("--upstream", Value::Required("IP:PORT"), "without a file: forward its connections here"),
            flag("--drop-rate", Value::Required("P"), "without a file: share to drop, 0.0 to 1.0 [0.0]"),
            flag("--latency-ms", Value::Required("N"), "without a file: delay before forwarding, in ms [0]").seldom(),
            flag("--profile", Value::Required("NAME"), "without a file: imitate a network, see below").one_of(PROFILES),
            flag(
                "--toxic",
                Value::Required("TYPE:KEY=VALUE,KEY=VALUE"),
                "without a file: fault in the stream, repeatable; KEY is an attribute, stream, toxicity, connections, ...",
            ),
            flag("--resolve", Value::None, "look up host names of upstreams, once for each route").seldom(),
        ],
    },
    Group {
        title: "Running",
        flags: &[
            flag("--check", Value::None, "validate the routes and exit, without opening a port"),
            flag("--against", Value::Required("FILE"), "with --check: print what changes from that config").seldom(),
            flag("--explain", Value::None, "print what each connection will meet, and exit"),
            flag("--connections", Value::Required("N"), "with --explain: the first N of each route [20]").seldom(),
            flag("--client", Value::Required("IP"), "with --explain: where clients connect from [127.0.0.1]").seldom(),
            flag("--destination", Value::Required("IP:PORT"), "with --explain: where connections to `original` go")
                .seldom(),
            flag("--json", Value::None, "with --explain: print JSON").seldom(),
            flag(
                "--print-redirect",
                Value::Required("TOOL"),
                "print a script of nft or iptables that redirects to the routes",
            )
            .seldom()
            .one_of(words(Firewall::KIND)),
            flag(
                "--proxy-user",
                Value::Required("USER"),
                "with --print-redirect: who runs the proxy [the present user]",
            )
            .seldom(),
            flag(
                "--health",
                Value::Required("URL"),
                "exit with 0 if the proxy with that admin server is healthy, or else 1",
            )
            .seldom(),
            flag("--schema", Value::None, "print a JSON Schema of config files, for editors").seldom(),
            flag("--completions", Value::Required("SHELL"), "print completions for bash, zsh or fish")
                .seldom()
                .one_of(SHELLS),
            flag("--man", Value::None, "print the manual page; see `make install`").seldom(),
            flag("--test-server", Value::None, "serve HTTP on every upstream: /, /bytes/N, /echo"),
            flag("--seed", Value::Required("N"), "repeat the faults of an earlier run [random]"),
            flag("--max-connections", Value::Required("N"), "serve at most N at once, others wait [system limits]")
                .seldom(),
            flag("--max-buffered", Value::Required("MIB"), "memory for data that toxics hold [1/4 of the free]")
                .seldom(),
            flag(
                "--drain-timeout",
                Value::Required("SECONDS"),
                "time to cut connections, after SIGINT/SIGTERM [never] or after COMMAND [10]",
            )
            .seldom(),
        ],
    },
    Group {
        title: "With a COMMAND, which sees CHAOS_PROXY_NAME_PORT, CHAOS_PROXY_SEED, ...",
        flags: &[
            flag("--repeat", Value::Required("N"), "run it N times, with consecutive seeds").seldom(),
            flag("--seeds", Value::Required("LIST"), "run it once for each seed, such as 1-100 or 1,5,9-12"),
            flag("--keep-going", Value::None, "after a run that has failed, go on with the next").seldom(),
        ],
    },
    Group {
        title: "Changes during the run; SIGHUP reads the config file again",
        flags: &[
            flag("--watch", Value::None, "read the config file again when it changes").seldom(),
            flag("--admin", Value::Optional("IP:PORT"), "serve Toxiproxy's API, /v1, /metrics [127.0.0.1:8474]"),
            flag("--admin-token", Value::Required("TOKEN"), "require this bearer token [CHAOS_PROXY_ADMIN_TOKEN]")
                .seldom(),
            flag("--admin-host", Value::Required("NAME"), "accept requests to that host name, repeatable").seldom(),
        ],
    },
    Group {
        title: "Judgement at the end of the run",
        flags: &[
            flag("--report", Value::Required("FILE"), "write what the run has done to FILE, or to stdout: -"),
            flag(
                "--report-format",
                Value::Required("FORMAT"),
                "json, junit, markdown or html [by FILE: .xml, .md, .html, else json]",
            )
            .seldom()
            .one_of(REPORT_FORMATS),
            flag(
                "--messages",
                Value::Required("FILE"),
                "write the messages of all connections to FILE, as triggers count them",
            )
            .seldom(),
        ],
    },
    Group {
        title: "Log, on stderr",
        flags: &[
            flag("--log-file", Value::Required("FILE"), "append the log to FILE instead"),
            flag("--log", Value::Required("LEVEL"), "error, faults, warn, info or debug [info]")
                .seldom()
                .one_of(LEVELS),
            flag("--verbose", Value::None, "log debug lines too, as --log debug").seldom().or("-v"),
            flag("--quiet", Value::None, "log errors only, as --log error").or("-q"),
            flag(
                "--log-format",
                Value::Required("FORMAT"),
                "auto, text, logfmt or json [auto: text on a terminal, else logfmt]",
            )
            .seldom()
            .one_of(FORMATS),
        ],
    },
    Group {
        title: "",
        flags: &[
            flag("--help", Value::None, "print this help; with --verbose, all options").or("-h"),
            flag("--version", Value::None, "print the version; with --verbose, how it was built").or("-V"),
        ],
    },
]);

const PROFILES: &[&str] = words(Profile::KIND);
const REPORT_FORMATS: &[&str] = words(Format::KIND);
const SHELLS: &[&str] = &names(&Shell::NAMED);
const LEVELS: &[&str] = &names(&LogLevel::NAMED);
const FORMATS: &[&str] = &names(&LogFormat::NAMED);

pub(super) const fn words(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Word(words) => words,
        _ => &[],
    }
}

const fn names<T, const N: usize>(named: &[(&'static str, T); N]) -> [&'static str; N] {
    let (mut all, mut at) = ([""; N], 0);
    while at < N {
        all[at] = named[at].0;
        at += 1;
    }
    all
}

const CONFIG: &str = if cfg!(feature = "yaml") {
    "read routes from FILE (JSON, YAML), or from stdin: -"
} else {
    "read routes from FILE (JSON), or from stdin: -"
};

pub(super) const fn flag(long: &'static str, value: Value, about: &'static str) -> Flag {
    Flag { long, short: None, value, words: &[], about, need: Need::Often }
}

impl Flag {
    pub(super) const fn or(self, short: &'static str) -> Self {
        Self { short: Some(short), ..self }
    }

    const fn seldom(self) -> Self {
        Self { need: Need::Seldom, ..self }
    }

    pub(super) const fn one_of(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    /// `-c, --config FILE`
    pub(super) fn usage(&self) -> String {
        let short = self.short.map(|short| format!("{short}, ")).unwrap_or_default();
        match self.value {
            Value::None => format!("{short}{}", self.long),
            Value::Optional(value) => format!("{short}{} [{value}]", self.long),
            Value::Required(value) => format!("{short}{} {value}", self.long),
        }
    }

    /// The lines about it. The description begins at column `indent`, below a usage that is too long.
    fn lines(&self, indent: usize, columns: usize) -> Vec<String> {
        let usage = format!("  {}", self.usage());
        let (above, beside) = if usage.len() < indent { (None, usage) } else { (Some(usage), String::new()) };
        let left = iter::once(beside).chain(iter::repeat(String::new()));
        let described = left.zip(wrapped(self.about, columns - indent));
        above.into_iter().chain(described.map(|(left, line)| format!("{left:<indent$}{line}"))).collect()
    }
}

impl Table {
    pub(super) fn flags(self) -> impl Iterator<Item = &'static Flag> {
        self.0.iter().flat_map(|group| group.flags)
    }

    /// All names, long and short.
    pub(super) fn names(self) -> Vec<&'static str> {
        self.flags().flat_map(|flag| [Some(flag.long), flag.short]).flatten().collect()
    }

    /// Whether `name` is a flag without a value.
    pub(super) fn is_switch(self, name: &str) -> bool {
        self.flags().any(|flag| flag.value == Value::None && (flag.long == name || flag.short == Some(name)))
    }

    /// The flag of that short name.
    pub(super) fn of_short(self, short: &[u8]) -> Option<&'static Flag> {
        self.flags().find(|flag| flag.short.is_some_and(|name| name.as_bytes() == short))
    }

    /// The lines about all flags, with descriptions from column `indent` on and lines of at most `columns`.
    pub(super) fn help(self, indent: usize, columns: usize) -> String {
        self.help_on(|_| true, indent, columns)
    }

    /// The lines about the flags that are `shown`.
    pub(super) fn help_on(self, shown: impl Fn(&Flag) -> bool, indent: usize, columns: usize) -> String {
        let texts = self.0.iter().filter(|group| group.flags.iter().any(&shown)).map(|Group { title, flags }| {
            let title = if title.is_empty() { String::new() } else { format!("{title}:\n") };
            let lines = flags.iter().filter(|flag| shown(flag)).flat_map(|flag| flag.lines(indent, columns));
            lines.fold(title, |text, line| text + &line + "\n")
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_wrapped_beside_the_flag_or_below_it() {
        let flags = [
            flag("--one", Value::None, "short").or("-o"),
            flag("--two", Value::Required("A-LONG-VALUE"), "words that take more than one line"),
            flag("--three", Value::Optional("X"), "a"),
        ];
        let expected = "  -o, --one    short\n  --two A-LONG-VALUE\n               words that take\n               more than one\n\
                        \u{20}              line\n  --three [X]  a\n";
        let lines: Vec<String> = flags.iter().flat_map(|flag| flag.lines(15, 30)).collect();
        assert_eq!(lines.join("\n") + "\n", expected);
    }
}
