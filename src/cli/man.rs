//! The manual page, as roff (man(7)), written from the tables of flags and commands and from the declarations of
//! toxics.

use super::flag_table::{Flag, Group, RUN, Table};
use super::help::{EXIT_CODES, USAGE};
use super::{ctl, explore, report, shrink};
use crate::ctl::{ADDRESS_VARIABLE, TOKEN_VARIABLE};
use crate::plan::Profile;
use crate::toxic::TYPES;

/// What `--man` prints.
#[must_use]
pub fn man() -> String {
    let profiles: Vec<&str> = Profile::ALL.iter().map(|profile| profile.as_str()).collect();
    let types = TYPES.iter().map(|toxic_type| entry(toxic_type.name, &plain(toxic_type.about())));
    let commands = ctl::commands().map(|(command, about)| entry(&command, about));
    [
        format!(".TH CHAOS\\-PROXY 1 \"\" \"chaos\\-proxy {}\" \"User Commands\"\n", env!("CARGO_PKG_VERSION")),
        section("NAME", "chaos\\-proxy \\- forwards TCP connections by local port and injects faults into them\n"),
        section("SYNOPSIS", &lines(USAGE)),
        section("DESCRIPTION", &(escaped(DESCRIPTION) + "\n")),
        section("OPTIONS", &options(RUN)),
        section("TOXICS", &types.collect::<String>()),
        section("PROFILES", &(escaped(&profiles.join(", ")) + "\n")),
        section("CONTROL A RUNNING PROXY", &commands.chain([options(ctl::FLAGS)]).collect::<String>()),
        section("EXPLORE", &(escaped(EXPLORE) + "\n" + &options(explore::FLAGS))),
        section("SHRINK", &(escaped(SHRINK) + "\n" + &options(shrink::FLAGS))),
        section("REPORT", &(escaped(REPORT) + "\n" + &options(report::FLAGS))),
        section("ENVIRONMENT", &environment()),
        section("EXIT STATUS", &escaped(EXIT_CODES)),
        section("EXAMPLES", &lines(EXAMPLES)),
    ]
    .concat()
}

const DESCRIPTION: &str = "Put it between a program and the service it depends on, and see what the program does when the \
                           network is slow, lossy or gone. A config file or the flags define routes: each forwards the \
                           connections to a local port, and injects faults. Every fault is in the log, which goes to \
                           stderr. Once every port accepts, stdout has the line that begins with \"ready\".";

const EXPLORE: &str = "chaos-proxy explore FILE -- COMMAND runs COMMAND once for each point of its connections, with one \
                       fault there, and prints the faults with which it fails.";

const SHRINK: &str = "chaos-proxy shrink FILE --seed N -- COMMAND leaves out faults as long as COMMAND fails, and prints a \
                      config with those that are left.";

const REPORT: &str = "chaos-proxy report FILE shows what --report FILE.json or explore --json has written, as HTML with \
                      plots.";

const EXAMPLES: &str = "
chaos-proxy --listen 8180 --upstream 127.0.0.1:5432 --profile 3g
chaos-proxy --config faults.yaml --seed 42
chaos-proxy --config faults.yaml --report report.json -- make test
chaos-proxy --explain --config faults.yaml --seed 42
chaos-proxy explore faults.yaml --fault reset,stall=5s --write found -- make test
";

fn section(title: &str, body: &str) -> String {
    format!(".SH \"{title}\"\n{body}")
}

/// Lines that are not joined.
fn lines(text: &str) -> String {
    let lines: String = text.trim_start().lines().map(|line| escaped(line.trim_start()) + "\n").collect();
    format!(".nf\n{lines}.fi\n")
}

fn options(table: Table) -> String {
    table.0.iter().map(group).collect()
}

fn group(group: &Group) -> String {
    let title = if group.title.is_empty() { "Information" } else { group.title };
    let flags: String = group.flags.iter().map(|flag: &Flag| entry(&flag.usage(), flag.about)).collect();
    format!(".SS \"{}\"\n{flags}", escaped(title))
}

/// A term, and the paragraph about it.
fn entry(term: &str, about: &str) -> String {
    format!(".TP\n.B {}\n{}\n", escaped(term), escaped(about))
}

fn environment() -> String {
    let of_ctl = "for chaos-proxy ctl: the server, a URL or IP:PORT";
    let seed = "for COMMAND: the seed of the run";
    let port = "for COMMAND: the port of the route NAME; CHAOS_PROXY_NAME_ADDR is its address";
    let token = "the token that requests to the admin server need, for both sides";
    entry("RUST_LOG", "the log level, unless a flag sets it")
        + &entry("NO_COLOR", "no colours on a terminal, if it is not empty")
        + &entry("CHAOS_PROXY_SEED", seed)
        + &entry("CHAOS_PROXY_NAME_PORT", port)
        + &entry(ADDRESS_VARIABLE, of_ctl)
        + &entry(TOKEN_VARIABLE, token)
}

/// Text without the marks of Markdown.
fn plain(markdown: &str) -> String {
    markdown.replace('`', "")
}

/// Text in which no character is a request or an escape. A hyphen is typed by the reader, so it stays one when copied.
fn escaped(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq");
    let lines =
        escaped.lines().map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n") + if text.ends_with('\n') { "\n" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_flag_command_and_toxic() {
        let page = man();
        let commands = ctl::commands().map(|(command, _)| command);
        let names = RUN.names().into_iter().chain(TYPES.iter().map(|it| it.name)).map(str::to_owned);
        for name in names.chain(commands) {
            assert!(page.contains(&escaped(&name)), "{name}");
        }
    }

    #[test]
    fn no_line_of_a_text_is_a_request() {
        assert_eq!(escaped(".a\n'b\n-c\\d\n"), "\\&.a\n\\&'b\n\\-c\\ed\n");
    }
}
