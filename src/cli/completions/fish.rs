//! The completions for fish.

use super::{COMMANDS, Candidates, toxic_words, type_names};
use crate::cli::ctl;
use crate::cli::flag_table::{Flag, RUN, Table, Value};
use crate::toxic::TYPES;

const IN_RUN: &str = "not __fish_seen_subcommand_from ctl explore shrink report; and not __chaos_proxy_in_command";
const IN_CTL: &str = "__fish_seen_subcommand_from ctl";

pub(super) fn script() -> String {
    let commands = ctl::first_words().join(" ");
    let without_command = format!("{IN_CTL}; and not __fish_seen_subcommand_from {commands}");
    SCRIPT
        .replace("@COMMANDS@", &COMMANDS.map(search).concat())
        .replace("@RUN@", &flags(RUN, IN_RUN))
        .replace("@CTL@", &flags(ctl::FLAGS, IN_CTL))
        .replace("@CTL_COMMANDS@", &words(&without_command, &commands))
        .replace("@CTL_TOXIC@", &words("__chaos_proxy_after_toxic", &ctl::second_words("toxic").join(" ")))
        .replace("@TOXIC_TYPES@", &type_names().join(" "))
        .replace("@TOXIC_KEYS@", &toxic_cases())
}

/// The lines about a command that takes a file.
fn search((name, about, table): (&str, &str, Table)) -> String {
    let first = "test (count (commandline -opc)) -eq 1";
    let condition = format!("__fish_seen_subcommand_from {name}; and not __chaos_proxy_in_command");
    format!("complete -c chaos-proxy -n {} -a {name} -d {}\n{}", quoted(first), quoted(about), flags(table, &condition))
}

fn words(condition: &str, words: &str) -> String {
    format!("complete -c chaos-proxy -n {} -f -a {}\n", quoted(condition), quoted(words))
}

fn flags(table: Table, condition: &str) -> String {
    table.flags().map(|flag| flag_line(flag, condition)).collect()
}

fn flag_line(flag: &Flag, condition: &str) -> String {
    let long = flag.long.trim_start_matches('-');
    let short = flag.short.map(|short| format!(" -s {}", short.trim_start_matches('-'))).unwrap_or_default();
    let value = match (flag.value, Candidates::of(flag)) {
        (Value::None | Value::Optional(_), _) => String::new(),
        (_, Candidates::Files) => " -r -F".to_owned(),
        (_, Candidates::Words(words)) => format!(" -x -a {}", quoted(&words.join(" "))),
        (_, Candidates::Toxic) => " -x -a '(__chaos_proxy_toxic)'".to_owned(),
        (_, Candidates::Unknown) => " -x".to_owned(),
    };
    format!("complete -c chaos-proxy -n {} -l {long}{short}{value} -d {}\n", quoted(condition), quoted(flag.about))
}

/// In single quotes, fish expands nothing but `\\` and `\'`.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn toxic_cases() -> String {
    let case = |name: &str, words: Vec<String>| {
        format!("        case '{name}:*'\n            printf '%s\\n' $head{{{}}}\n", words.join(","))
    };
    TYPES.iter().map(|toxic_type| case(toxic_type.name, toxic_words(toxic_type))).collect()
}

const SCRIPT: &str = r#"# Completions of chaos-proxy for fish, written by `chaos-proxy --completions fish`.

# TYPE:KEY=VALUE,KEY=VALUE
function __chaos_proxy_toxic
    set -l toxic (string replace -r '^--toxic=' '' -- (commandline -ct))
    set -l head (string replace -r '[^:,]*$' '' -- $toxic)
    switch $toxic
@TOXIC_KEYS@        case '*'
            printf '%s:\n' @TOXIC_TYPES@
    end
end

# What follows `--` is a command line of its own.
function __chaos_proxy_in_command
    contains -- -- (commandline -opc)
end

function __chaos_proxy_command
    complete -C (commandline -cp | string replace -r '^.*?\s--\s+' '' | string collect --allow-empty)
end

function __chaos_proxy_after_toxic
    set -l words (commandline -opc)
    test "$words[-1]" = toxic
end

function __chaos_proxy_toxic_add
    set -l words (commandline -opc)
    test (count $words) -ge 3; and test "$words[-3..-2]" = "toxic add"
end

@RUN@complete -c chaos-proxy -n '__chaos_proxy_in_command' -f -a '(__chaos_proxy_command)'
complete -c chaos-proxy -n 'test (count (commandline -opc)) -eq 1' -a ctl -d 'control a proxy with --admin'
@COMMANDS@@CTL@complete -c chaos-proxy -n '__fish_seen_subcommand_from ctl' -f
@CTL_COMMANDS@@CTL_TOXIC@complete -c chaos-proxy -n '__chaos_proxy_toxic_add' -f -a '(__chaos_proxy_toxic)'
"#;
