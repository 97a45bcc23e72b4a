//! The environment variables of a wrapped command: the seed, the addresses of routes, and how to reach the admin server.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

use crate::plan::{Route, reachable};
use crate::value::RouteName;

/// What `chaos-proxy ctl` reads too.
const ADMIN: &str = "CHAOS_PROXY_ADMIN";
const ADMIN_TOKEN: &str = "CHAOS_PROXY_ADMIN_TOKEN";
const SEED: &str = "CHAOS_PROXY_SEED";

/// The admin server as the command reaches it.
#[derive(Clone, Debug)]
pub struct AdminServer {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The bearer token that requests need.
    pub token: Option<String>,
}

/// Two routes whose variables have the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameVariable {
    first: RouteName,
    second: RouteName,
    variable: String,
}

/// The name and the value of a variable that the command gets in addition to those of this process.
pub type Variable = (String, String);

/// The variables with the seed and the admin server.
#[must_use]
pub fn of_run(seed: u64, admin: Option<&AdminServer>) -> Vec<Variable> {
    let mut variables = vec![(SEED.to_owned(), seed.to_string())];
    if let Some(AdminServer { addr, token }) = admin {
        variables.push((ADMIN.to_owned(), format!("http://{}", reachable(*addr))));
        variables.extend(token.iter().map(|token| (ADMIN_TOKEN.to_owned(), token.clone())));
    }
    variables
}

/// The variables with the addresses of routes.
///
/// # Errors
/// Two routes have the same variables.
pub fn of_routes(routes: &[Route]) -> Result<Vec<Variable>, SameVariable> {
    distinct(routes)?;
    Ok(routes.iter().flat_map(of_route).collect())
}

fn of_route(route: &Route) -> [Variable; 2] {
    let prefix = prefix(&route.name);
    [(format!("{prefix}_PORT"), route.port.to_string()), (format!("{prefix}_ADDR"), route.reachable_at().to_string())]
}

/// `CHAOS_PROXY_MY_DB` for the route `my-db`.
fn prefix(name: &RouteName) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    format!("CHAOS_PROXY_{}", name.as_str().chars().map(letter).collect::<String>())
}

fn distinct(routes: &[Route]) -> Result<(), SameVariable> {
    let mut names = HashMap::new();
    for Route { name, .. } in routes {
        let variable = format!("{}_PORT", prefix(name));
        if let Some(first) = names.insert(variable.clone(), name) {
            return Err(SameVariable { first: first.clone(), second: name.clone(), variable });
        }
    }
    Ok(())
}

impl fmt::Display for SameVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second, variable } = self;
        write!(f, "the routes `{first}` and `{second}` would both set {variable} for the command: rename one of them")
    }
}

impl std::error::Error for SameVariable {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Defaults, Syntax, parse};

    fn routes(names: &[&str]) -> Vec<Route> {
        let route = |(name, port): (&&str, u16)| {
            format!(r#"{{ "name": "{name}", "localPort": {port}, "bind": "0.0.0.0", "upstream": "127.0.0.1:1" }}"#)
        };
        let list: Vec<String> = names.iter().zip(8180..).map(route).collect();
        let text = format!("[{}]", list.join(","));
        parse("test", &text, Syntax::Json, Defaults::default()).expect("valid").value.routes().to_vec()
    }

    #[test]
    fn a_command_gets_the_seed_the_routes_and_the_admin_server() {
        let admin = AdminServer { addr: ([0, 0, 0, 0], 8474).into(), token: Some("t".to_owned()) };
        let of_routes = of_routes(&routes(&["my-db", "ä.2"])).expect("distinct");
        let variables = [of_run(7, Some(&admin)), of_routes].concat();
        let expected = [
            ("CHAOS_PROXY_SEED", "7"),
            ("CHAOS_PROXY_ADMIN", "http://127.0.0.1:8474"),
            ("CHAOS_PROXY_ADMIN_TOKEN", "t"),
            ("CHAOS_PROXY_MY_DB_PORT", "8180"),
            ("CHAOS_PROXY_MY_DB_ADDR", "127.0.0.1:8180"),
            ("CHAOS_PROXY___2_PORT", "8181"),
            ("CHAOS_PROXY___2_ADDR", "127.0.0.1:8181"),
        ];
        assert_eq!(variables, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn two_routes_with_the_same_variables_are_an_error_that_names_both() {
        let error = of_routes(&routes(&["db-1", "web", "DB.1"])).expect_err("the same");
        let expected =
            "the routes `db-1` and `DB.1` would both set CHAOS_PROXY_DB_1_PORT for the command: rename one of them";
        assert_eq!(error.to_string(), expected);
    }
}
