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

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

pub use document::Syntax;
pub use problem::{Problem, SourceSpan};
pub use report::{Position, Report};

use crate::plan::Plan;

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
        Ok(text) => parse(&name, &text, Syntax::of(path), defaults),
        Err(error) => {
            let problem = read::not_utf8(&error);
            Err(Report::new(&name, &String::from_utf8_lossy(error.as_bytes()), vec![problem]))
        }
    }
}

/// Parses a text; `name` is what problems call it by.
///
/// # Errors
/// Every problem of the text. Where its syntax is broken that is the only one.
pub fn parse(name: &str, text: &str, syntax: Syntax, defaults: Defaults) -> Result<Plan, Report> {
    // Editors on Windows put a byte order mark before UTF-8; it is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    plan(text, syntax, defaults).map_err(|problems| Report::new(name, text, problems))
}

fn plan(text: &str, syntax: Syntax, defaults: Defaults) -> Result<Plan, Vec<Problem>> {
    if text.trim().is_empty() {
        return Err(vec![Problem::of_file("the file is empty", check::EXAMPLE)]);
    }
    let root = syntax.read(text).map_err(|problem| vec![problem])?;
    check::plan(text, &root, defaults)
}
