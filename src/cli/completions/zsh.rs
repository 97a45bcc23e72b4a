//! The completions for zsh.

use super::{COMMANDS, Candidates, toxic_words, type_names};
use crate::cli::ctl;
use crate::cli::flag_table::{Flag, RUN, Table, Value};
use crate::harness::shell::single_quoted;
use crate::toxic::TYPES;

pub(super) fn script() -> String {
    SCRIPT
        .replace("@COMMANDS@", &COMMANDS.map(|(name, _, table)| search_case(name, table)).concat())
        .replace("@RUN@", &specs(RUN))
        .replace("@CTL@", &specs(ctl::FLAGS))
        .replace("@CTL_COMMANDS@", &ctl::first_words().join(" "))
        .replace("@CTL_TOXIC@", &ctl::second_words("toxic").join(" "))
        .replace("@TOXIC_TYPES@", &type_names().join(" "))
        .replace("@TOXIC_KEYS@", &toxic_cases())
}

/// The flags of a command that takes a file.
fn search_case(name: &str, table: Table) -> String {
    format!("    {name}) flags=(\n{}    ) ;;\n", specs(table))
}

fn specs(table: Table) -> String {
    table
        .flags()
        .flat_map(|flag| [Some(flag.long), flag.short].into_iter().flatten().map(|name| spec(flag, name)))
        .collect()
}

/// `'(-c --config)--config=[about]:FILE:_files'`, where `=` permits `--config=FILE` beside `--config FILE`. A repeatable
/// flag has `*` instead of the list of those that exclude it.
fn spec(flag: &Flag, name: &str) -> String {
    let excluded = match flag.short {
        _ if flag.about.contains("repeatable") => "*".to_owned(),
        Some(short) => format!("({} {short})", flag.long),
        None => String::new(),
    };
    let equals = if name == flag.long && flag.value != Value::None { "=" } else { "" };
    let value = match flag.value {
        Value::None => String::new(),
        Value::Optional(placeholder) => format!("::{}:", escaped(placeholder)),
        Value::Required(placeholder) => format!(":{}:{}", escaped(placeholder), action(flag)),
    };
    format!("    {}\n", single_quoted(&format!("{excluded}{name}{equals}[{}]{value}", escaped(flag.about))))
}

fn action(flag: &Flag) -> String {
    match Candidates::of(flag) {
        Candidates::Files => "_files".to_owned(),
        Candidates::Words(words) => format!("({})", words.join(" ")),
        Candidates::Toxic => "_chaos_proxy_toxic".to_owned(),
        Candidates::Unknown => String::new(),
    }
}

/// For `_arguments`, these characters end a part of a spec.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|letter| ['[', ']', ':', '\\'].contains(&letter).then_some('\\').into_iter().chain([letter]))
        .collect()
}

fn toxic_cases() -> String {
    let case = |name: &str, words: Vec<String>| format!("    {name}:*) keys=({}) ;;\n", words.join(" "));
    TYPES.iter().map(|toxic_type| case(toxic_type.name, toxic_words(toxic_type))).collect()
}

const SCRIPT: &str = r#"#compdef chaos-proxy
# Completions of chaos-proxy for zsh, written by `chaos-proxy --completions zsh`.

# TYPE:KEY=VALUE,KEY=VALUE
_chaos_proxy_toxic() {
  local -a keys
  case $PREFIX in
@TOXIC_KEYS@    *:*) return 1 ;;
    *) compadd -S : -- @TOXIC_TYPES@; return ;;
  esac
  compset -P '*[:,]'
  compadd -S '' -- $keys
}

_chaos_proxy_operand() {
  local -a commands=()
  # It has to be the first word.
  if (( CURRENT == 2 )); then commands=('commands:command:(ctl explore shrink report)'); fi
  _alternative $commands 'files:config file:_files'
}

_chaos_proxy_ctl() {
  local curcontext=$curcontext state line
  local -a flags=(
@CTL@  )
  _arguments -C $flags '1:command:(@CTL_COMMANDS@)' '2: :->second' '3: :' '4: :->fourth' '*: :'
  case "$state $words[2] $words[3]" in
    second\ toxic\ *) compadd -- @CTL_TOXIC@ ;;
    fourth\ toxic\ add) _chaos_proxy_toxic ;;
  esac
}

_chaos-proxy() {
  local -a flags=(
@RUN@  )
  # What follows `--` is a command line of its own.
  local dashes=${words[(ie)--]}
  if (( dashes < CURRENT )); then
    shift $dashes words
    (( CURRENT -= dashes ))
    _normal
  elif [[ $words[2] == ctl ]] && (( CURRENT > 2 )); then
    shift words
    (( CURRENT-- ))
    _chaos_proxy_ctl
  elif [[ $words[2] == (explore|shrink|report) ]] && (( CURRENT > 2 )); then
    case $words[2] in
@COMMANDS@    esac
    shift words
    (( CURRENT-- ))
    _arguments -S $flags '1:config file:_files'
  else
    _arguments -S $flags '1: :_chaos_proxy_operand'
  fi
}

if [[ $funcstack[1] == _chaos-proxy ]]; then
  _chaos-proxy "$@"
else
  compdef _chaos-proxy chaos-proxy
fi
"#;
