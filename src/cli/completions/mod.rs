//! The completions of `--completions`, written from the tables of flags and commands and from the declarations of
//! toxics. The syntax of each shell is in its own file.

mod bash;
mod fish;
mod zsh;

use std::str::FromStr;

use super::flag_table::{Flag, Table, Value};
use super::{explore, report, shrink};
use crate::toxic::keys::TOXIC;
use crate::toxic::{TYPES, ToxicType};
use crate::value::{Key, Kind};

/// A shell with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    pub(super) const NAMED: [(&'static str, Self); 3] =
        [("bash", Self::Bash), ("zsh", Self::Zsh), ("fish", Self::Fish)];
}

impl FromStr for Shell {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMED.iter().find(|(name, _)| *name == text);
        found.map(|(_, shell)| *shell).ok_or("use bash, zsh or fish")
    }
}

/// The script for a shell.
#[must_use]
pub fn completions(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash::script(),
        Shell::Zsh => zsh::script(),
        Shell::Fish => fish::script(),
    }
}

/// The commands that take a file, what each does, and its flags.
const COMMANDS: [(&str, &str, Table); 3] = [
    ("explore", "find the fault that breaks a command", explore::FLAGS),
    ("shrink", "find the few faults of many that break it", shrink::FLAGS),
    ("report", "show a report that was written as JSON", report::FLAGS),
];

/// What the value of a flag is completed to.
enum Candidates {
    Files,
    Words(&'static [&'static str]),
    /// A toxic, written as for `--toxic`.
    Toxic,
    /// Nothing that a shell could know.
    Unknown,
}

impl Candidates {
    fn of(flag: &Flag) -> Self {
        match flag.value {
            _ if !flag.words.is_empty() => Self::Words(flag.words),
            Value::Required("FILE" | "DIR") => Self::Files,
            Value::Required(value) if value.starts_with("TYPE:") => Self::Toxic,
            _ => Self::Unknown,
        }
    }
}

/// What may follow `TYPE:` or a comma after it: `latency=`, or `stream=both` for a key whose values are words.
fn toxic_words(toxic_type: &ToxicType) -> Vec<String> {
    let common = TOXIC.iter().filter(|key| key.name != "type" && !matches!(key.kind, Kind::Nested(_)));
    toxic_type.attributes.iter().chain(common).flat_map(key_words).collect()
}

fn key_words(key: &Key) -> Vec<String> {
    let words: &[&str] = match key.kind {
        Kind::Word(words) => words,
        Kind::Flag => &["true", "false"],
        _ => &[""],
    };
    words.iter().map(|word| format!("{}={word}", key.name)).collect()
}

fn type_names() -> Vec<&'static str> {
    TYPES.iter().map(|toxic_type| toxic_type.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flag_table::RUN;

    #[test]
    fn each_word_of_a_flag_is_mentioned_in_its_description_or_is_a_profile() {
        for flag in RUN.flags().filter(|flag| flag.long != "--profile") {
            assert!(flag.words.iter().all(|word| flag.about.contains(word)), "{}", flag.long);
        }
    }

    #[test]
    fn keys_with_few_values_are_completed_with_them() {
        let latency = TYPES.iter().find(|toxic_type| toxic_type.name == "latency").expect("a type");
        let words = toxic_words(latency);
        for word in ["latency=", "jitter=", "distribution=pareto", "stream=both", "connections=", "for="] {
            assert!(words.iter().any(|other| other == word), "{word}: {words:?}");
        }
        assert!(!words.iter().any(|word| word.starts_with("attributes") || word.starts_with("type")));
    }
}
