//! The texts of `--help` and `--version`, also with `--verbose`.

use std::env::consts::{ARCH, OS};

use super::flag_table::{Need, RUN};
use crate::plan::Profile;
use crate::toxic::TYPES;

/// The most columns of a line.
const COLUMNS: usize = 80;

/// Where the descriptions of flags begin.
const INDENT: usize = 27;

/// A section of the help and of the manual page.
pub(super) const USAGE: &str = "
  chaos-proxy [--config] FILE [options]
  chaos-proxy --listen PORT --upstream IP:PORT | --admin [IP:PORT] [options]
  chaos-proxy ... -- COMMAND ARGUMENTS  proxy for COMMAND, exit with its status
  chaos-proxy explore|shrink FILE -- COMMAND  find the fault that breaks it
  chaos-proxy ctl COMMAND  control a proxy with --admin; see ctl --help
  chaos-proxy report FILE  show a report that is JSON as HTML with plots
";

/// The same.
pub(super) const EXIT_CODES: &str = "\
Exit codes: 0 success; 1 could not run, or connections were cut; 2 usage or
config error; 4 an expectation of the config failed; 5 explore has found a
fault; 130 or 143 cut short by a second signal; with a COMMAND its own, 126 or
127 if it can't be started.
";

/// What `--help` prints: what most runs need, on one screen.
#[must_use]
pub fn help() -> String {
    let flags = RUN.help_on(|flag| flag.need == Need::Often, INDENT, COLUMNS);
    format!("{}{flags}\n{}`chaos-proxy --help --verbose` and the manual page have all options.\n", beginning(), words())
}

/// What `--help --verbose` prints.
#[must_use]
pub fn full_help() -> String {
    let flags = RUN.help(INDENT, COLUMNS);
    format!(
        "{beginning}{flags}\n{words}
Long flags also work with one dash, and as --flag=value. Of Toxiproxy's flags,
-host and -port open the admin server, -proxy-metrics and -runtime-metrics have
no effect.
RUST_LOG sets the log level unless a flag does.
{EXIT_CODES}",
        beginning = beginning(),
        words = words()
    )
}

/// The types of toxics, and the profiles.
fn words() -> String {
    let types: Vec<&str> = TYPES.iter().map(|toxic_type| toxic_type.name).collect();
    let profiles: Vec<&str> = Profile::ALL.iter().map(|profile| profile.as_str()).collect();
    wrapped("Toxics: ", &types) + &wrapped("Profiles: ", &profiles)
}

/// The beginning of both.
fn beginning() -> String {
    format!(
        "\
chaos-proxy: forwards TCP connections by local port and injects faults into them

Usage:{USAGE}
Examples, then connect to port 8180 instead of 5432:
  chaos-proxy --listen 8180 --upstream 127.0.0.1:5432 --profile 3g
  chaos-proxy --listen 8180 --upstream 127.0.0.1:5432 \\
    --toxic latency:latency=100,jitter=20 --toxic reset_peer:toxicity=0.1

"
    )
}

/// A list of words in lines of at most [`COLUMNS`].
fn wrapped(title: &str, words: &[&str]) -> String {
    let (mut text, mut line) = (String::new(), title.trim_end().to_owned());
    for (index, word) in words.iter().enumerate() {
        let comma = if index + 1 < words.len() { "," } else { "" };
        if line.len() + 1 + word.len() + comma.len() > COLUMNS {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(title.len() - 1);
        }
        line = format!("{line} {word}{comma}");
    }
    text + &line + "\n"
}

/// What `--version` prints.
pub const VERSION: &str = concat!("chaos-proxy ", env!("CARGO_PKG_VERSION"), "\n");

/// What `--version --verbose` prints: also the cargo features and the target.
#[must_use]
pub fn build_details() -> String {
    let features = if cfg!(feature = "yaml") { "yaml" } else { "none" };
    let environment = if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "gnu") {
        "-gnu"
    } else {
        ""
    };
    let linked = if cfg!(target_feature = "crt-static") { ", static" } else { "" };
    format!("{VERSION}features: {features}\ntarget: {ARCH}-{OS}{environment}{linked}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flags::{TOXIPROXY, WITHOUT_EFFECT};

    #[test]
    fn the_short_help_fits_a_screen() {
        let help = help();
        assert!(help.lines().count() <= 52 && help.lines().all(|line| line.chars().count() <= COLUMNS), "{help}");
    }

    #[test]
    fn the_full_help_fits_the_width_of_a_terminal_and_names_every_flag_toxic_and_profile() {
        let help = full_help();
        assert!(help.lines().all(|line| line.chars().count() <= COLUMNS), "{help}");
        let words: Vec<&str> = help.split([' ', ',', '\n']).collect();
        let profiles = Profile::ALL.iter().map(|profile| profile.as_str());
        for flag in TOXIPROXY.into_iter().chain(WITHOUT_EFFECT) {
            assert!(words.contains(&&flag[1..]), "{flag}");
        }
        for word in RUN.names().into_iter().chain(TYPES.iter().map(|it| it.name)).chain(profiles) {
            assert!(words.contains(&word), "{word}");
        }
        assert_eq!(help.contains("YAML"), cfg!(feature = "yaml"));
    }
}
