//! `GET /v1/config` is a config file that starts the same.

use std::fs;

use chaos_proxy::config::{Defaults, Syntax, load, parse};
use chaos_proxy::event::Origin;
use chaos_proxy::plan::{Plan, Route, RouteState, keep_auto_ports};

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
        // Ports that the system chooses differ each time.
        let parsed_routes = keep_auto_ports(parsed.value.routes().to_vec(), &routes);
        assert_eq!((parsed.value.seed(), parsed_routes), (Some(7), routes), "{}", file.display());
        assert_eq!(parsed.value.admin(), Some((proxy.ip, 8474).into()));
    }
}

/// The address of the admin server is not in the plan, so what may listen beside it shows only when it is bound.
#[test]
fn a_route_on_the_port_of_the_server_survives() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    let other = Proxy::new().ip;
    let keys = format!(r#"{{"localPort": {}, "upstream": "{other}:9090", "bind": "#, addr.port());
    assert_eq!(ask(addr, "PUT", "/v1/routes/taken", &format!(r#"{keys}"{}"}}"#, proxy.ip)).status, 500);
    assert_eq!(ask(addr, "PUT", "/v1/routes/free", &format!(r#"{keys}"{other}"}}"#)).status, 201);
    let disabled = format!(r#"{keys}"{}", "enabled": false}}"#, proxy.ip);
    assert_eq!(ask(addr, "PUT", "/v1/routes/disabled", &disabled).status, 201);
    let parsed = parse("config", &get(addr, "/v1/config"), Syntax::Json, Defaults::default());
    assert_eq!(parsed.unwrap_or_else(|it| panic!("{it}")).value.routes().len(), 2);
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
