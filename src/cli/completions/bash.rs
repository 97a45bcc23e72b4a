//! The completions for bash.

use super::{COMMANDS, Candidates, toxic_words, type_names};
use crate::cli::ctl;
use crate::cli::flag_table::{Flag, RUN, Table, Value};
use crate::toxic::TYPES;

pub(super) fn script() -> String {
    SCRIPT
        .replace("@COMMANDS@", &COMMANDS.map(search_case).concat())
        .replace("@RUN_VALUES@", &value_cases(RUN))
        .replace("@RUN_FLAGS@", &RUN.names().join(" "))
        .replace("@CTL_VALUES@", &value_cases(ctl::FLAGS))
        .replace("@CTL_FLAGS@", &ctl::FLAGS.names().join(" "))
        .replace("@CTL_COMMANDS@", &ctl::first_words().join(" "))
        .replace("@CTL_TOXIC@", &ctl::second_words("toxic").join(" "))
        .replace("@TOXIC_TYPES@", &type_names().join(" "))
        .replace("@TOXIC_KEYS@", &toxic_cases())
}

/// The flags of a command that takes a file.
fn search_case((name, _, table): (&str, &str, Table)) -> String {
    let (values, flags) = (value_cases(table), table.names().join(" "));
    format!("    {name})\n        case $prev in\n{values}        esac\n        flags='{flags}' ;;\n")
}

/// A line for each flag with a value: `--log) _chaos_proxy_reply '' "$cur" 'error warn'; return ;;`
fn value_cases(table: Table) -> String {
    table.flags().filter(|flag| matches!(flag.value, Value::Required(_))).map(value_case).collect()
}

fn value_case(flag: &Flag) -> String {
    let pattern = flag.short.map_or_else(|| flag.long.to_owned(), |short| format!("{} | {short}", flag.long));
    let reply = match Candidates::of(flag) {
        Candidates::Files => "_chaos_proxy_files \"$cur\"; ".to_owned(),
        Candidates::Words(words) => format!("_chaos_proxy_reply '' \"$cur\" '{}'; ", words.join(" ")),
        Candidates::Toxic => "_chaos_proxy_toxic \"$cur\"; ".to_owned(),
        Candidates::Unknown => String::new(),
    };
    format!("        {pattern}) {reply}return ;;\n")
}

fn toxic_cases() -> String {
    let case = |name: &str, words: Vec<String>| format!("        {name}:*) words='{}' ;;\n", words.join(" "));
    TYPES.iter().map(|toxic_type| case(toxic_type.name, toxic_words(toxic_type))).collect()
}

/// No text that was typed is expanded: `compgen -W` gets the words of this script only.
const SCRIPT: &str = r#"# Completions of chaos-proxy for bash, written by `chaos-proxy --completions bash`.

# Replies with the words that begin with TAIL, each after HEAD: _chaos_proxy_reply HEAD TAIL WORDS
_chaos_proxy_reply() {
    local word kept=$1$2 breaks=${COMP_WORDBREAKS//[^:=]/}
    # bash has cut the word at these characters, and replaces what follows the last one.
    if [[ -n $breaks ]]; then kept=${kept%"${kept##*[$breaks]}"}; else kept=; fi
    while IFS= read -r word; do
        word=$1$word
        COMPREPLY+=("${word#"$kept"}")
    done < <(compgen -W "$3" -- "$2")
    # A word that goes on is not followed by a space.
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=] ]]; then compopt -o nospace 2>/dev/null; fi
}

# Completes a command after `--`: its name, and files as its arguments.
_chaos_proxy_command() {
    case $2 in
        --) compopt -o filenames 2>/dev/null
            while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -c -- "$1") ;;
        *) _chaos_proxy_files "$1" ;;
    esac
}

_chaos_proxy_files() {
    local file
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$1")
}

# TYPE:KEY=VALUE,KEY=VALUE
_chaos_proxy_toxic() {
    local words tail=${1##*[:,]}
    case $1 in
@TOXIC_KEYS@        *:*) return ;;
        *) compopt -o nospace 2>/dev/null; _chaos_proxy_reply '' "$1" '@TOXIC_TYPES@'; return ;;
    esac
    _chaos_proxy_reply "${1%"$tail"}" "$tail" "$words"
}

_chaos_proxy_ctl() {
    local cur=$1 prev=$2
    case $prev in
@CTL_VALUES@    esac
    case ${words[*]:2} in
        *toxic\ add\ *) _chaos_proxy_toxic "$cur" ;;
        *toxic) _chaos_proxy_reply '' "$cur" '@CTL_TOXIC@' ;;
        '') _chaos_proxy_reply '' "$cur" '@CTL_COMMANDS@ @CTL_FLAGS@' ;;
        *) _chaos_proxy_reply '' "$cur" '@CTL_FLAGS@' ;;
    esac
}

_chaos_proxy() {
    local line=${COMP_LINE:0:COMP_POINT} words cur prev
    COMPREPLY=()
    read -ra words <<<"$line"
    cur=${line##*[[:space:]]}
    if [[ -n $cur ]]; then unset "words[${#words[@]}-1]"; fi
    prev=${words[${#words[@]}-1]}
    if [[ $cur == --*=* ]]; then
        prev=${cur%%=*}
        cur=${cur#*=}
    fi
    if [[ ${words[1]} == ctl ]]; then
        _chaos_proxy_ctl "$cur" "$prev"
        return
    fi
    if [[ " ${words[*]} " == *' -- '* ]]; then
        _chaos_proxy_command "$cur" "$prev"
        return
    fi
    local flags
    case ${words[1]} in
@COMMANDS@    *)
        case $prev in
@RUN_VALUES@        esac
        flags='@RUN_FLAGS@' ;;
    esac
    case $cur in
        -*) _chaos_proxy_reply '' "$cur" "$flags" ;;
        *) _chaos_proxy_files "$cur"
            if ((${#words[@]} == 1)); then _chaos_proxy_reply '' "$cur" 'ctl explore shrink report'; fi ;;
    esac
}

complete -F _chaos_proxy chaos-proxy
"#;
