//! `GET /v1/config` is a config file that starts the same.

use std::fs;

use chaos_proxy::config::{Defaults, Syntax, load, parse};
use chaos_proxy::event::Origin;
use chaos_proxy::plan::{Plan, Route, RouteState};

use crate::proxy::Proxy;
use crate::server::{ask, get, serve};

/// Without their ports, which other programs of this machine may use.
fn disabled(plan: &Plan) -> Vec<Route> {
    plan.routes().iter().map(|route| Route { state: RouteState::Disabled, ..route.clone() }).collect()
}

#[test]
fn every_example_survives() {
    for file in fs::read_dir("configs/valid").unwrap().map(|entry| entry.unwrap().path()) {
        // A build without YAML reads the others.
        let Ok(plan) = load(&file, Defaults::default()) else { continue };
        let (proxy, routes) = (Proxy::new(), disabled(&plan.value));
        proxy.supervisor.apply(&Plan::new(None, routes.clone()).unwrap(), Origin::Start).unwrap();
        let text = get(serve(&proxy), "/v1/config");
        let parsed =
            parse("config", &text, Syntax::Json, Defaults::default()).unwrap_or_else(|it| panic!("{it}\n{text}"));
        assert_eq!((parsed.value.seed(), parsed.value.routes()), (Some(7), &routes[..]), "{}", file.display());
        assert_eq!(parsed.value.admin(), Some((proxy.ip, 8474).into()));
    }
}

#[test]
fn a_route_can_be_put_as_it_is_shown() {
    let plan = load("configs/valid/every_key.json".as_ref(), Defaults::default()).unwrap();
    let (proxy, routes) = (Proxy::new(), disabled(&plan.value));
    let addr = serve(&proxy);
    proxy.supervisor.apply(&Plan::new(None, routes.clone()).unwrap(), Origin::Start).unwrap();
    for route in &routes {
        let path = format!("/v1/routes/{}", route.name.as_str().replace(' ', "%20"));
        let shown = get(addr, &path);
        assert_eq!(ask(addr, "DELETE", &path, "").status, 204);
        let answer = ask(addr, "PUT", &path, &shown);
        assert_eq!((answer.status, answer.text()), (201, &*shown));
    }
    let mut put = proxy.supervisor.configured();
    put.sort_by_key(|route| routes.iter().position(|other| other.name == route.name));
    assert_eq!(put, routes);
}
