//! A config's text to a [`Plan`], or every [`Problem`] of it at once, each with its place and what to write instead.
//!
//! ```text
//! file ──read──► text ──document──► tree with places ──check──► Plan
//!                                                          └──► Report of Problems
//! ```
//!
//! Files are only read here; nothing is opened, bound or started.

mod check;
mod document;
mod problem;
mod read;
mod report;
mod schema;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

pub use document::Format;
pub use problem::{Problem, Span};
pub use report::{Position, Report};
pub use schema::schema;

use crate::plan::{Plan, Route};
use crate::toxic::Toxic;
use document::Node;

/// What holds for a route that says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The address to listen on.
    pub bind: IpAddr,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { bind: IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }
}

/// Reads the file at `path`: YAML where it is named `.yaml` or `.yml`, JSON everywhere else.
///
/// # Errors
/// Every problem of the file, or why it could not be read: at most 16 MiB of UTF-8 are.
pub fn load(path: &Path, defaults: Defaults) -> Result<Plan, Report> {
    let name = path.display().to_string();
    let bytes = read::file(path).map_err(|problem| Report::new(&name, "", vec![problem]))?;
    match String::from_utf8(bytes) {
        Ok(text) => parse(&name, &text, Format::of(path), defaults),
        Err(error) => {
            let problem = read::not_utf8(&error);
            Err(Report::new(&name, &String::from_utf8_lossy(error.as_bytes()), vec![problem]))
        }
    }
}

/// Parses the text of a file; `name` is what problems call it by.
///
/// # Errors
/// Every problem of the text. Where its syntax is broken that is the only one.
pub fn parse(name: &str, text: &str, format: Format, defaults: Defaults) -> Result<Plan, Report> {
    read(name, text, format, |text, root| check::plan(text, root, defaults))
}

/// Parses the text of one route; `name` is what problems call it by.
///
/// # Errors
/// Every problem of the text, and that the route is its own upstream.
pub fn parse_route(name: &str, text: &str, format: Format, defaults: Defaults) -> Result<Route, Report> {
    read(name, text, format, |text, root| check::route(text, root, defaults))
}

/// Parses the text of one toxic; `name` is what problems call it by.
///
/// # Errors
/// Every problem of the text.
pub fn parse_toxic(name: &str, text: &str, format: Format) -> Result<Toxic, Report> {
    read(name, text, format, check::toxic)
}

fn read<T>(
    name: &str,
    text: &str,
    format: Format,
    bind: impl FnOnce(&str, &Node) -> Result<T, Vec<Problem>>,
) -> Result<T, Report> {
    // Editors on Windows put a byte order mark before UTF-8; it is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let bound = if text.trim().is_empty() {
        Err(vec![Problem::of_file("the file is empty", check::EXAMPLE)])
    } else {
        format.read(text).map_err(|problem| vec![problem]).and_then(|root| bind(text, &root))
    };
    bound.map_err(|problems| Report::new(name, text, problems))
}
