//! Parses a config into a [`Plan`], or reports every [`Problem`] at once, each with its position and a fix.
//!
//! ```text
//! file ──read──► text ──document──► tree with spans ──check──► Plan
//!                                                         └──► Report of Problems
//! ```
//!
//! This module only reads files and stdin. It opens no sockets.

mod arguments;
mod check;
mod document;
mod invisible;
mod problem;
mod read;
mod report;
mod schema;
mod toxic_changes;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

pub use arguments::{parse_arguments, parse_toxic_argument, parse_toxic_changes};
pub use document::Syntax;
pub use problem::{Problem, SourceSpan};
pub use report::{Position, Report};
pub use schema::schema;

use crate::plan::{Plan, Route};
use crate::toxic::Toxic;
use crate::value::RouteName;
use document::Node;

/// Values for keys that a route leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The listen address.
    pub bind: IpAddr,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { bind: IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }
}

/// Loads the file at `path`, or stdin if that is `-`, in the syntax that [`Syntax::of`] finds.
///
/// # Errors
/// Every problem of the file, or the reason why it can't be read. A file has at most 16 MiB and is UTF-8.
pub fn load(path: &Path, defaults: Defaults) -> Result<Plan, Report> {
    let name = if read::is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() };
    let bytes = read::bytes(path).map_err(|problem| Report::new(&name, "", vec![problem]))?;
    match String::from_utf8(bytes) {
        Ok(text) => parse(&name, &text, Syntax::of(path, &text), defaults),
        Err(error) => {
            let problem = read::not_utf8(&error);
            Err(Report::new(&name, &String::from_utf8_lossy(error.as_bytes()), vec![problem]))
        }
    }
}

/// Parses the text of a file. Reports refer to it as `name`.
///
/// # Errors
/// Every problem of the text. A syntax error is reported alone.
pub fn parse(name: &str, text: &str, syntax: Syntax, defaults: Defaults) -> Result<Plan, Report> {
    read(name, text, syntax, |text, root| check::plan(text, root, defaults))
}

/// Parses the text of one route. Reports refer to it as `name`.
///
/// # Errors
/// Every problem of the text, and that the route is its own upstream.
pub fn parse_route(name: &str, text: &str, syntax: Syntax, defaults: Defaults) -> Result<Route, Report> {
    read(name, text, syntax, |text, root| check::route(text, root, defaults, None))
}

/// Parses the text of the route that is called `route`. It may leave its name out. Reports refer to the text as `name`.
///
/// # Errors
/// Every problem of the text, and that it has another name.
pub fn parse_named_route(
    route: &RouteName,
    name: &str,
    text: &str,
    syntax: Syntax,
    defaults: Defaults,
) -> Result<Route, Report> {
    read(name, text, syntax, |text, root| check::route(text, root, defaults, Some(route)))
}

/// Parses the text of one toxic. Reports refer to it as `name`.
///
/// # Errors
/// Every problem of the text.
pub fn parse_toxic(name: &str, text: &str, syntax: Syntax) -> Result<Toxic, Report> {
    read(name, text, syntax, check::toxic)
}

fn read<T>(
    name: &str,
    text: &str,
    syntax: Syntax,
    bind: impl FnOnce(&str, &Node) -> Result<T, Vec<Problem>>,
) -> Result<T, Report> {
    // Some editors on Windows write a byte order mark before UTF-8 text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let bound = if text.trim().is_empty() {
        Err(vec![Problem::of_file("the file is empty", check::EXAMPLE)])
    } else {
        syntax.read(text).map_err(|problem| vec![problem]).and_then(|root| bind(text, &root))
    };
    bound.map_err(|problems| {
        let problems = problems.into_iter().map(|problem| invisible::explained(text, problem));
        Report::new(name, text, problems.collect())
    })
}
