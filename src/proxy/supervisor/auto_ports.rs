//! Chooses other ports for routes with the port `auto`, if another process takes a port before it is bound.

use std::io::{self, ErrorKind};

use super::ApplyError;
use crate::free_port::{ATTEMPTS, free_port};
use crate::plan::{PortChoice, Route};

/// Makes a change to `wanted`. If it fails for chosen ports only, tries again with others.
pub(super) fn retry<T>(
    mut wanted: Vec<Route>,
    mut change: impl FnMut(Vec<Route>) -> Result<T, ApplyError>,
) -> Result<T, ApplyError> {
    for _ in 1..ATTEMPTS {
        match change(wanted.clone()) {
            Err(error) if is_solvable(&error, &wanted) => choose_again(&error, &mut wanted)?,
            result => return result,
        }
    }
    change(wanted)
}

/// Whether other chosen ports may solve it. A config may give one route the port that was chosen for another.
fn is_solvable(error: &ApplyError, routes: &[Route]) -> bool {
    match error {
        ApplyError::Bind(failed) => failed.iter().all(|(route, error)| is_auto(route) && is_in_use(error)),
        ApplyError::Conflict(_) => routes.iter().any(|route| shares_port(route, routes)),
        ApplyError::Starved(_) | ApplyError::Draining => false,
    }
}

fn choose_again(error: &ApplyError, routes: &mut [Route]) -> Result<(), ApplyError> {
    let is_in_the_way = |route: &Route, routes: &[Route]| match error {
        ApplyError::Bind(failed) => failed.iter().any(|(other, _)| other.name == route.name),
        _ => shares_port(route, routes),
    };
    for index in 0..routes.len() {
        if is_in_the_way(&routes[index], routes) {
            routes[index].port = free_port(routes[index].bind).map_err(ApplyError::Starved)?;
        }
    }
    Ok(())
}

/// Whether a chosen port is that of another route too.
fn shares_port(route: &Route, routes: &[Route]) -> bool {
    is_auto(route) && routes.iter().any(|other| other.port == route.port && other.name != route.name)
}

fn is_auto(route: &Route) -> bool {
    route.port_choice == PortChoice::Auto
}

fn is_in_use(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrInUse
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config::{Defaults, Syntax, parse};

    fn routes() -> Vec<Route> {
        let text = r#"[{ "name": "a", "localPort": "auto", "upstream": "127.0.0.1:1" },
                       { "name": "b", "localPort": 1000, "upstream": "127.0.0.1:1" }]"#;
        parse("test", text, Syntax::Json, Defaults::default()).expect("valid").value.routes().to_vec()
    }

    fn in_use(route: &Route) -> ApplyError {
        ApplyError::Bind(vec![(route.clone(), ErrorKind::AddrInUse.into())])
    }

    #[test]
    fn a_chosen_port_that_is_taken_is_chosen_again() {
        let mut tried = Vec::new();
        let result = retry(routes(), |routes| {
            // Held, so that it is not chosen again.
            tried.push(TcpListener::bind(routes[0].listen()).expect("a free port"));
            if tried.len() < 3 { Err(in_use(&routes[0])) } else { Ok(routes[1].port.get()) }
        });
        assert_eq!((result.ok(), tried.len()), (Some(1000), 3));
    }

    #[test]
    fn a_port_of_the_config_is_never_changed() {
        let mut count = 0;
        let result: Result<(), _> = retry(routes(), |routes| {
            count += 1;
            Err(in_use(&routes[1]))
        });
        assert!(result.is_err() && count == 1);
    }

    #[test]
    fn a_chosen_port_gives_way_to_the_same_port_of_a_config() {
        let mut same = routes();
        same[0].port = same[1].port;
        let result = retry(same, |routes| {
            let is_same = routes[0].port == routes[1].port;
            if is_same { Err(ApplyError::Conflict("the same".to_owned())) } else { Ok(()) }
        });
        assert!(result.is_ok());
    }
}
