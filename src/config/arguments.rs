//! Toxics of the command line. They are read as those of a file, by the same declarations and with the same problems,
//! from a text that repeats the flags: one on each line.

use serde_json::{Map, Value};

use super::document::{Node, argument};
use super::problem::{Problem, SourceSpan};
use super::{Report, check, invisible, toxic_changes};
use crate::toxic::Toxic;

/// Parses the values of `--profile` and of each `--toxic`.
///
/// # Errors
/// Every problem of them. Reports show the flags, one on each line.
pub fn parse_arguments(profile: Option<&str>, toxics: &[String]) -> Result<Vec<Toxic>, Report> {
    let mut text = String::new();
    let profile = profile.map(|profile| line(&mut text, "--profile", profile));
    let toxics: Vec<SourceSpan> = toxics.iter().map(|toxic| line(&mut text, "--toxic", toxic)).collect();
    let read = || -> Result<Vec<Toxic>, Vec<Problem>> {
        let nodes: Vec<Result<Node, Problem>> = toxics.iter().map(|span| argument::read(&text, *span)).collect();
        let nodes = all(nodes)?;
        check::toxics(&text, profile.map(|span| argument::text_node(&text, span)).as_ref(), &nodes)
    };
    read().map_err(|problems| {
        let problems = problems.into_iter().map(|problem| invisible::explained(&text, problem));
        Report::new("command line", &text, problems.collect())
    })
}

/// Parses the toxic that is an argument of `command`.
///
/// # Errors
/// Every problem of it.
pub fn parse_toxic_argument(command: &str, toxic: &str) -> Result<Toxic, Report> {
    of_command(command, toxic, |text, span| {
        let node = argument::read(text, span).map_err(|problem| vec![problem])?;
        check::toxic(text, &node, None)
    })
}

/// Parses the argument of `command` that changes a toxic, `KEY=VALUE,KEY=VALUE`, into the JSON of the change.
///
/// # Errors
/// Unknown keys, keys that can't be changed, and keys without a value. Only the server knows the type of the toxic, so
/// it checks the values.
pub fn parse_toxic_changes(command: &str, changes: &str) -> Result<Map<String, Value>, Report> {
    of_command(command, changes, toxic_changes::read)
}

fn of_command<T>(
    command: &str,
    argument: &str,
    read: impl FnOnce(&str, SourceSpan) -> Result<T, Vec<Problem>>,
) -> Result<T, Report> {
    let mut text = String::new();
    let span = line(&mut text, command, argument);
    read(&text, span).map_err(|problems| {
        let problems = problems.into_iter().map(|problem| invisible::explained(&text, problem));
        Report::new("command line", &text, problems.collect())
    })
}

/// Adds a line; returns where the value is in it.
fn line(text: &mut String, flag: &str, value: &str) -> SourceSpan {
    let start = text.len() + flag.len() + 1;
    text.extend([flag, " ", value, "\n"]);
    SourceSpan { start, end: start + value.len() }
}

fn all(nodes: Vec<Result<Node, Problem>>) -> Result<Vec<Node>, Vec<Problem>> {
    let (read, failed): (Vec<_>, Vec<_>) = nodes.into_iter().partition(Result::is_ok);
    if failed.is_empty() {
        Ok(read.into_iter().flatten().collect())
    } else {
        Err(failed.into_iter().filter_map(Result::err).collect())
    }
}
