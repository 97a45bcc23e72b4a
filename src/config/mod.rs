//! Parses a config into a [`Plan`], or reports every [`Problem`] at once, each with its position and a fix.
//!
//! ```text
//! file ──read──► text ──document──► tree with spans ──check──► Plan
//!                                                         └──► Report of Problems
//! ```
//!
//! This module only reads files and stdin. It opens no sockets, unless host names may be resolved (`lookup`) or
//! a port is to be chosen (`auto_port`).

mod arguments;
mod auto_port;
mod check;
mod document;
mod invisible;
mod lookup;
mod problem;
mod read;
mod report;
mod schema;
mod toxic_changes;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

pub use arguments::{parse_arguments, parse_toxic_argument, parse_toxic_changes};
pub use auto_port::auto_port;
pub use document::Syntax;
pub use lookup::{HostNames, Lookup, Resolved, parse_upstream};
pub use problem::{Problem, SourceSpan};
pub use report::{Position, Report};
pub use schema::schema;
pub use toxic_changes::CHANGEABLE_KEYS;

use crate::plan::{Plan, Route};
use crate::toxic::Toxic;
use crate::value::{RouteName, ToxicName};
use document::Node;

/// What a config leaves to the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The listen address of routes that set none.
    pub bind: IpAddr,
    /// Whether a list of routes may be empty.
    pub empty_list: EmptyList,
    /// Which host names upstreams may have.
    pub host_names: HostNames,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            empty_list: EmptyList::default(),
            host_names: HostNames::default(),
        }
    }
}

impl Defaults {
    /// The same for what the admin server receives: routes come one by one, and `localhost` needs no flag.
    #[must_use]
    pub fn of_requests(self) -> Self {
        let host_names = match self.host_names {
            HostNames::Rejected => HostNames::Localhost,
            allowed => allowed,
        };
        Self { empty_list: EmptyList::Allowed, host_names, ..self }
    }
}

/// Whether a list of routes may be empty. One in a file that names an admin address may always be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyList {
    /// No: nothing would ever listen.
    #[default]
    Rejected,
    /// Yes: routes are added while the proxy runs.
    Allowed,
}

/// Loads the file at `path`, or stdin if that is `-`, in the syntax that [`Syntax::of`] finds.
///
/// # Errors
/// Every problem of the file, or the reason why it can't be read. A file has at most 16 MiB and is UTF-8.
pub fn load(path: &Path, defaults: Defaults) -> Result<Resolved<Plan>, Report> {
    Source::read(path)?.parse(defaults)
}

/// A config as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// What reports call it: its path, or `stdin`.
    pub name: String,
    /// Its text.
    pub text: String,
    syntax: Syntax,
}

impl Source {
    /// Reads the file at `path`, or stdin if that is `-`.
    ///
    /// # Errors
    /// It can't be read, is too long, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Report> {
        let name = if read::is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() };
        let bytes = read::bytes(path).map_err(|problem| Report::new(&name, "", vec![problem]))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, syntax: Syntax::of(path, &text), text }),
            Err(error) => {
                let problem = read::not_utf8(&error);
                Err(Report::new(&name, &String::from_utf8_lossy(error.as_bytes()), vec![problem]))
            }
        }
    }

    /// Parses it.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn parse(&self, defaults: Defaults) -> Result<Resolved<Plan>, Report> {
        parse(&self.name, &self.text, self.syntax, defaults)
    }
}

/// Parses the text of a file. Reports refer to it as `name`.
///
/// # Errors
/// Every problem of the text. A syntax error is reported alone.
pub fn parse(name: &str, text: &str, syntax: Syntax, defaults: Defaults) -> Result<Resolved<Plan>, Report> {
    read(name, text, syntax, EMPTY_FILE, |text, root| check::plan(text, root, defaults))
}

/// Parses the text of one route. Reports refer to it as `name`.
///
/// # Errors
/// Every problem of the text, and that the route is its own upstream.
pub fn parse_route(name: &str, text: &str, syntax: Syntax, defaults: Defaults) -> Result<Resolved<Route>, Report> {
    read(name, text, syntax, EMPTY_ROUTE, |text, root| check::route(text, root, defaults, None))
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
) -> Result<Resolved<Route>, Report> {
    read(name, text, syntax, EMPTY_ROUTE, |text, root| check::route(text, root, defaults, Some(route)))
}

/// Parses the text of one toxic. Reports refer to it as `name`.
///
/// # Errors
/// Every problem of the text.
pub fn parse_toxic(name: &str, text: &str, syntax: Syntax) -> Result<Toxic, Report> {
    read(name, text, syntax, EMPTY_TOXIC, |text, root| check::toxic(text, root, None))
}

/// Parses the text of a toxic that is called `toxic` if the text has no name. Reports refer to the text as `name`.
///
/// # Errors
/// Every problem of the text.
pub fn parse_named_toxic(toxic: &ToxicName, name: &str, text: &str, syntax: Syntax) -> Result<Toxic, Report> {
    read(name, text, syntax, EMPTY_TOXIC, |text, root| check::toxic(text, root, Some(toxic)))
}

/// What is wrong with a text that has nothing in it, and what to write.
type Empty = (&'static str, &'static str);

const EMPTY_FILE: Empty = ("the file is empty", check::EXAMPLE);
const EMPTY_ROUTE: Empty =
    ("the text is empty", r#"write a route, such as { "localPort": 8180, "upstream": "127.0.0.1:9090" }"#);
const EMPTY_TOXIC: Empty =
    ("the text is empty", r#"write a toxic, such as { "type": "latency", "attributes": { "latency": 100 } }"#);

fn read<T>(
    name: &str,
    text: &str,
    syntax: Syntax,
    empty: Empty,
    bind: impl FnOnce(&str, &Node) -> Result<T, Vec<Problem>>,
) -> Result<T, Report> {
    // Some editors on Windows write a byte order mark before UTF-8 text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let bound = if text.trim().is_empty() {
        Err(vec![Problem::of_file(empty.0, empty.1)])
    } else {
        syntax.read(text).map_err(|problem| vec![problem]).and_then(|root| bind(text, &root))
    };
    bound.map_err(|problems| {
        let problems = problems.into_iter().map(|problem| invisible::explained(text, problem));
        Report::new(name, text, problems.collect())
    })
}
