//! A command line: a program and its arguments, with placeholders for the addresses of routes.

use std::ffi::OsString;
use std::fmt;

use super::shell::command_line;
use crate::plan::Route;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argv {
    /// A path, or a name that is looked up in `PATH`.
    pub program: OsString,
    /// The arguments after the program.
    pub arguments: Vec<OsString>,
}

/// A placeholder that names no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRoute {
    placeholder: String,
    hint: String,
}

impl Argv {
    /// Splits words into the program and its arguments. Returns none if there are no words.
    #[must_use]
    pub fn of(words: Vec<OsString>) -> Option<Self> {
        let mut words = words.into_iter();
        Some(Self { program: words.next()?, arguments: words.collect() })
    }

    /// Replaces `{NAME.addr}` and `{NAME.port}` in the arguments. Other braces are left alone, and so are arguments that
    /// are not UTF-8.
    ///
    /// # Errors
    /// A placeholder names a route that does not exist.
    pub fn with_addresses(self, routes: &[Route]) -> Result<Self, UnknownRoute> {
        let replaced = |argument: OsString| match argument.to_str() {
            Some(text) => replace(text, routes).map(OsString::from),
            None => Ok(argument),
        };
        let arguments = self.arguments.into_iter().map(replaced).collect::<Result<_, _>>()?;
        Ok(Self { arguments, ..self })
    }
}

fn replace(text: &str, routes: &[Route]) -> Result<String, UnknownRoute> {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some((before, from_brace)) = rest.find('{').map(|at| rest.split_at(at)) {
        replaced.push_str(before);
        // `${server.port}` is a template of JavaScript, unless there is such a route.
        let is_meant = |name| !before.ends_with('$') || is_route(name, routes);
        let (value, after) = match placeholder(from_brace, routes).filter(|(name, ..)| is_meant(name)) {
            Some((name, value, after)) => (value.of(name, routes)?, after),
            None => ("{".to_owned(), &from_brace[1..]),
        };
        replaced.push_str(&value);
        rest = after;
    }
    Ok(replaced + rest)
}

/// What a placeholder stands for.
#[derive(Clone, Copy)]
enum Value {
    Addr,
    Port,
}

impl Value {
    fn of(self, name: &str, routes: &[Route]) -> Result<String, UnknownRoute> {
        let route = routes.iter().find(|route| route.name.as_str() == name);
        match (route, self) {
            (Some(route), Self::Addr) => Ok(route.reachable_at().to_string()),
            (Some(route), Self::Port) => Ok(route.port.to_string()),
            (None, Self::Addr) => Err(UnknownRoute::new(format!("{{{name}.addr}}"), routes)),
            (None, Self::Port) => Err(UnknownRoute::new(format!("{{{name}.port}}"), routes)),
        }
    }
}

/// The placeholder that `text` begins with: its name, what it stands for, and the text after it. What has other characters
/// than a plain name is one only if there is such a route: `{a: .b.port}` is a filter of jq.
fn placeholder<'t>(text: &'t str, routes: &[Route]) -> Option<(&'t str, Value, &'t str)> {
    let (inside, after) = text.strip_prefix('{')?.split_once('}')?;
    let (name, value) = match inside.rsplit_once('.')? {
        (name, "addr") => (name, Value::Addr),
        (name, "port") => (name, Value::Port),
        _ => return None,
    };
    let is_plain = |name: &str| name.chars().all(|letter| letter.is_alphanumeric() || "-_.".contains(letter));
    (is_route(name, routes) || (!name.is_empty() && is_plain(name))).then_some((name, value, after))
}

fn is_route(name: &str, routes: &[Route]) -> bool {
    routes.iter().any(|route| route.name.as_str() == name)
}

impl UnknownRoute {
    fn new(placeholder: String, routes: &[Route]) -> Self {
        let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
        let hint = match &names[..] {
            [] => "there are no routes".to_owned(),
            names => format!("the routes are {}", names.join(", ")),
        };
        Self { placeholder, hint }
    }
}

impl fmt::Display for UnknownRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in the command names no route: {}", self.placeholder, self.hint)
    }
}

impl std::error::Error for UnknownRoute {}

/// A command line that a shell reads as the same words.
impl fmt::Display for Argv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [&self.program].into_iter().chain(&self.arguments);
        f.write_str(&command_line(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Defaults, Syntax, parse};

    fn routes() -> Vec<Route> {
        let text = r#"[{ "name": "db", "localPort": 8180, "upstream": "127.0.0.1:1" },
                       { "name": "my cache", "localPort": 8181, "bind": "::", "upstream": "127.0.0.1:1" }]"#;
        parse("test", text, Syntax::Json, Defaults::default()).expect("valid").value.routes().to_vec()
    }

    fn argv(words: &[&str]) -> Argv {
        Argv::of(words.iter().map(OsString::from).collect()).expect("a program")
    }

    #[test]
    fn placeholders_are_replaced_and_other_braces_stay() {
        for (written, expected) in [
            ("{db.port}", "8180"),
            ("postgres://u@{db.addr}/x?a={db.port}", "postgres://u@127.0.0.1:8180/x?a=8180"),
            ("{my cache.addr}", "[::1]:8181"),
            ("{{db.port}}", "{8180}"),
            ("{}", "{}"),
            ("{db}", "{db}"),
            ("{db.host}", "{db.host}"),
            ("{.port}", "{.port}"),
            ("{ä{db.port", "{ä{db.port"),
            ("{\"a\": 1}", "{\"a\": 1}"),
            ("{a: .b.port}", "{a: .b.port}"),
            ("${server.port} ${db.port}", "${server.port} $8180"),
        ] {
            let replaced = argv(&["{x.port}", written]).with_addresses(&routes()).expect(written);
            assert_eq!(replaced, argv(&["{x.port}", expected]));
        }
    }

    #[test]
    fn an_unknown_route_is_an_error_that_lists_the_routes() {
        let error =
            |routes: &[Route]| argv(&["x", "{web.addr}"]).with_addresses(routes).expect_err("unknown").to_string();
        let names = "`{web.addr}` in the command names no route: the routes are db, my cache";
        assert_eq!(error(&routes()), names);
        assert_eq!(error(&[]), "`{web.addr}` in the command names no route: there are no routes");
    }

    #[test]
    fn is_shown_as_a_shell_reads_it() {
        assert_eq!(argv(&["cargo", "test", "a b"]).to_string(), "cargo test 'a b'");
    }
}
