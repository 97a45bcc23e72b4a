//! Requests and their exact answers.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use chaos_proxy::admin::Access;
use chaos_proxy::stop::Signal;
use serde_json::Value;

use crate::harness::refuses;
use crate::http_client::Client;
use crate::proxy::Proxy;
use crate::server::{ask, get, serve, serve_with, text};

/// Sends the requests in turn: method, target, body, and the status and the body of the answer.
#[track_caller]
fn check(proxy: &Proxy, addr: SocketAddr, rows: &[(&str, &str, &str, u16, &str)]) {
    for (method, target, body, status, expected) in rows {
        let answer = ask(addr, method, target, &body.replace("IP", &proxy.ip.to_string()));
        let line_end = if expected.is_empty() { "" } else { "\n" };
        assert_eq!(text(proxy, &answer), (*status, format!("{expected}{line_end}")), "{method} {target} {body}");
    }
}

const WEB: &str = r#"{"localPort":8180,"upstream":"IP:9090","name":"web","bind":"IP","enabled":true,"dropRate":0.0,"dropMode":"close","latencyMs":0,"connectTimeoutMs":10000,"toxics":[]}"#;

#[test]
fn routes_are_created_shown_replaced_and_removed() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    let off = WEB.replace("true", "false");
    let listed = r#"[{"name":"web","listen":"IP:8180","upstream":"IP:9090","enabled":true,"generation":1,"accepted":0,"active":0,"dropped":0,"failedDials":0,"bytesUp":0,"bytesDown":0,"faults":[]}]"#;
    let changed = listed.replace("true", "false").replace(r#""generation":1"#, r#""generation":2"#);
    check(
        &proxy,
        addr,
        &[
            ("GET", "/v1/routes", "", 200, "[]"),
            ("PUT", "/v1/routes/web", r#"{"localPort": 8180, "upstream": "IP:9090"}"#, 201, WEB),
            ("GET", "/v1/routes", "", 200, listed),
            ("GET", "/v1/routes/web", "", 200, WEB),
            ("GET", "/v1/routes/w%65b", "", 200, WEB),
            ("PUT", "/v1/routes/web", &off, 200, &off),
            ("GET", "/v1/routes", "", 200, &changed),
            ("PUT", "/v1/routes/web", WEB, 200, WEB),
            ("DELETE", "/v1/routes/web", "", 204, ""),
            ("GET", "/v1/routes", "", 200, "[]"),
        ],
    );
    assert!(refuses(&proxy, 8180));
}

/// As an answer has it.
const SLOW: &str = r#"{"type":"latency","name":"slow","stream":"downstream","toxicity":1.0,"attributes":{"latency":100,"jitter":0,"correlation":0.0,"distribution":"uniform"}}"#;

#[test]
fn toxics_are_created_replaced_and_removed() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    let with_slow = WEB.replace("[]", &format!("[{SLOW}]"));
    let other_name =
        r#"{"error":"the name is `b`, but this is the toxic `a`; leave `name` out, or write `a`","status":400}"#;
    let no_toxic = r#"{"error":"the route `web` has no toxic `slow`: GET /v1/routes/web lists them","status":404}"#;
    let no_route = r#"{"error":"no route is called `x`: GET /v1/routes lists them","status":404}"#;
    let minimal = r#"{"type":"latency","attributes":{"latency":100}}"#;
    check(
        &proxy,
        addr,
        &[
            ("PUT", "/v1/routes/web", r#"{"localPort": 8180, "upstream": "IP:9090"}"#, 201, WEB),
            ("PUT", "/v1/routes/web/toxics/slow", minimal, 201, SLOW),
            ("PUT", "/v1/routes/web/toxics/slow", SLOW, 200, SLOW),
            ("GET", "/v1/routes/web", "", 200, &with_slow),
            ("PUT", "/v1/routes/web/toxics/a", r#"{"name":"b","type":"noop"}"#, 400, other_name),
            ("DELETE", "/v1/routes/web/toxics/slow", "", 204, ""),
            ("DELETE", "/v1/routes/web/toxics/slow", "", 404, no_toxic),
            ("PUT", "/v1/routes/x/toxics/slow", minimal, 404, no_route),
            ("GET", "/v1/routes/web", "", 200, WEB),
        ],
    );
    let answer = ask(addr, "PUT", "/v1/routes/web/toxics/slow", r#"{"type":"latency","attributes":{"latency":"x"}}"#);
    let problem = &serde_json::from_str::<Value>(answer.text()).unwrap()["problems"][0];
    assert_eq!((answer.status, &problem["line"]), (400, &Value::from(1)), "{problem}");
    let answer = ask(addr, "GET", "/v1/routes/web/toxics/slow", "");
    assert_eq!((answer.status, answer.header("Allow")), (405, Some("PUT, DELETE")));
}

/// A run without a scenario has none to show. That of a run with one is asked for in `dashboard`.
#[test]
fn the_scenario_and_the_schema_are_shown() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    check(&proxy, addr, &[("GET", "/v1/scenario", "", 200, r#"{"elapsedMs":0,"repeatMs":null,"steps":[]}"#)]);
    let schema: Value = serde_json::from_str(&get(addr, "/v1/schema")).unwrap();
    assert_eq!(schema, serde_json::from_str::<Value>(&chaos_proxy::config::schema()).unwrap());
}

#[test]
fn the_dashboard_needs_no_token_and_can_only_be_read() {
    let proxy = Proxy::new();
    let access = Access { token: Some("s3cret".to_owned()), ..Access::default() };
    let addr = serve_with(&proxy, |api| api.with_access(access));
    for (target, media_type) in
        [("/", "text/html; charset=utf-8"), ("/dashboard/main.js", "text/javascript; charset=utf-8")]
    {
        let answer = ask(addr, "GET", target, "");
        assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(media_type)), "{target}");
        assert!(answer.header("Content-Security-Policy").unwrap().starts_with("default-src 'none'; "));
        assert_eq!(ask(addr, "POST", target, "").status, 401);
    }
    for target in ["/dashboard/", "/dashboard/page.html", "/dashboard", "/v1/routes", "//"] {
        assert_eq!(ask(addr, "GET", target, "").status, 401, "{target}");
    }
    let open = Proxy::new();
    let answer = ask(serve(&open), "POST", "/", "");
    assert_eq!((answer.status, answer.header("Allow")), (405, Some("GET, HEAD")));
}

#[test]
fn a_name_may_have_any_characters() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    let named = WEB.replace("web", r#"a/b é\\\""#);
    check(
        &proxy,
        addr,
        &[
            ("PUT", "/v1/routes/a%2Fb%20%C3%A9%5C%22", WEB.replace(r#""name":"web","#, "").as_str(), 201, &named),
            ("GET", "/v1/routes/a%2Fb%20%C3%A9%5C%22", "", 200, &named),
        ],
    );
}

#[test]
fn errors_have_a_reason_and_a_hint() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    check(
        &proxy,
        addr,
        &[
            (
                "GET",
                "/v1/routes/web",
                "",
                404,
                r#"{"error":"no route is called `web`: GET /v1/routes lists them","status":404}"#,
            ),
            (
                "DELETE",
                "/v1/routes/web",
                "",
                404,
                r#"{"error":"no route is called `web`: GET /v1/routes lists them","status":404}"#,
            ),
            (
                "DELETE",
                "/v1/connections/7",
                "",
                404,
                r#"{"error":"no live connection has the id 7: GET /v1/connections lists them","status":404}"#,
            ),
            (
                "DELETE",
                "/v1/connections/x",
                "",
                400,
                r#"{"error":"`x` is not the id of a connection: use a number that GET /v1/connections lists","status":400}"#,
            ),
            (
                "DELETE",
                "/v1/connections/7?reset=yes",
                "",
                400,
                r#"{"error":"`reset=yes` is not a choice: use reset=true or reset=false","status":400}"#,
            ),
            (
                "DELETE",
                "/v1/connections",
                "",
                400,
                r#"{"error":"the route is missing: use DELETE /v1/connections?route=NAME, or /v1/connections/ID for one","status":400}"#,
            ),
            (
                "DELETE",
                "/v1/connections?route=web",
                "",
                404,
                r#"{"error":"no route is called `web`: GET /v1/routes lists them","status":404}"#,
            ),
            (
                "POST",
                "/v1/reload",
                "",
                409,
                r#"{"error":"this run has no config file that can be read again: start it with --config FILE, or PUT /v1/routes/NAME","status":409}"#,
            ),
            (
                "GET",
                "/v1/route",
                "",
                404,
                r#"{"error":"there is no `/v1/route`: /v1 has connections, routes, config, scenario, schema, seed, events, reload and health","status":404}"#,
            ),
            (
                "GET",
                "/v1/connections?route=",
                "",
                400,
                r#"{"error":"the name is empty; use 1 to 100 printable characters","status":400}"#,
            ),
            (
                "PUT",
                "/v1/routes/",
                WEB,
                400,
                r#"{"error":"the name is empty; use 1 to 100 printable characters","status":400}"#,
            ),
            ("GET", "/v2", "", 404, "404 page not found"),
        ],
    );
}

#[test]
fn problems_of_a_body_have_positions() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    let other = r#"{"error":"body: 1 problem","status":400,"problems":[{"line":1,"column":54,"what":"the name is `web`, but this is the route `other`","hint":"leave `name` out, or write `other`"}]}"#;
    let empty = r#"{"error":"body: 1 problem","status":400,"problems":[{"line":null,"column":null,"what":"the text is empty","hint":"write a route, such as { \"localPort\": 8180, \"upstream\": \"127.0.0.1:9090\" }"}]}"#;
    let misspelt = r#"{"error":"body: 1 problem","status":400,"problems":[{"line":2,"column":1,"what":"unknown key `port`","hint":"did you mean `localPort`?"}]}"#;
    check(
        &proxy,
        addr,
        &[
            ("PUT", "/v1/routes/other", &WEB.replace("IP", "127.0.0.1"), 400, other),
            ("PUT", "/v1/routes/web", "{\"upstream\": \"127.0.0.1:9090\",\n\"port\": 8180}", 400, misspelt),
            ("PUT", "/v1/routes/web", " ", 400, empty),
        ],
    );
}

#[test]
fn a_port_that_another_route_has_is_a_conflict() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    let conflict =
        r#"{"error":"routes `web` and `two` listen on the same port; give each route a port of its own","status":409}"#;
    let two = WEB.replace("web", "two");
    check(
        &proxy,
        addr,
        &[
            ("PUT", "/v1/routes/web", WEB, 201, WEB),
            ("PUT", "/v1/routes/two", &two, 409, conflict),
            ("GET", "/v1/routes/web", "", 200, WEB),
        ],
    );
}

#[test]
fn a_port_that_the_system_refuses_is_an_error_of_the_server() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    let _taken = TcpListener::bind((proxy.ip, 8180)).unwrap();
    let refused = r#"{"error":"can't listen on IP:8180: Address already in use (os error 98)","status":500}"#;
    check(&proxy, addr, &[("PUT", "/v1/routes/web", WEB, 500, refused), ("GET", "/v1/routes", "", 200, "[]")]);
}

#[test]
fn the_seed_and_the_health_are_shown() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    check(
        &proxy,
        addr,
        &[("GET", "/v1/seed", "", 200, r#"{"seed":7}"#), ("GET", "/v1/health", "", 200, r#"{"status":"ok"}"#)],
    );
    proxy.stop.request(Signal::Terminate);
    assert_eq!(proxy.supervisor.drain(Some(Duration::from_secs(1))), 0);
    let stopping = r#"{"error":"chaos-proxy is stopping, and routes can't change any more","status":503}"#;
    check(
        &proxy,
        addr,
        &[("GET", "/v1/health", "", 503, r#"{"status":"draining"}"#), ("PUT", "/v1/routes/web", WEB, 503, stopping)],
    );
}

#[test]
fn another_method_is_answered_with_those_that_are_allowed() {
    let addr = serve(&Proxy::new());
    for (method, path, allowed) in [
        ("POST", "/v1/connections", "GET, HEAD, DELETE"),
        ("GET", "/v1/connections/7", "DELETE"),
        ("DELETE", "/v1/routes", "GET, HEAD"),
        ("POST", "/v1/routes/web", "GET, HEAD, PUT, DELETE"),
        ("PUT", "/v1/config", "GET, HEAD"),
        ("PUT", "/v1/seed", "GET, HEAD"),
        ("PUT", "/v1/health", "GET, HEAD"),
        ("PUT", "/v1/events", "GET, HEAD"),
        ("GET", "/v1/reload", "POST"),
        ("POST", "/metrics", "GET, HEAD"),
    ] {
        let answer = ask(addr, method, path, "");
        let error = format!("{{\"error\":\"this path has no {method}: use {allowed}\",\"status\":405}}\n");
        assert_eq!((answer.status, answer.text(), answer.header("Allow")), (405, &*error, Some(allowed)), "{path}");
    }
}

#[test]
fn head_is_answered_like_get_without_the_content() {
    let addr = serve(&Proxy::new());
    for path in ["/v1/connections", "/v1/routes", "/v1/config", "/v1/seed", "/v1/health", "/v1/routes/x"] {
        let (get, head) = (ask(addr, "GET", path, ""), ask(addr, "HEAD", path, ""));
        assert_eq!((head.status, &head.headers, head.body.len()), (get.status, &get.headers, 0), "{path}");
        assert_eq!(get.header("Content-Type"), Some("application/json"), "{path}");
    }
    assert_eq!(ask(addr, "HEAD", "/metrics", "").status, 200);
    let events = ask(addr, "HEAD", "/v1/events", "");
    assert_eq!((events.status, events.header("Content-Type")), (200, Some("application/x-ndjson")));
}

/// Toxiproxy's clients decode each error as JSON.
#[test]
fn a_request_that_is_no_valid_http_gets_an_error_in_json() {
    let addr = serve(&Proxy::new());
    let long = format!("GET /version HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(16 * 1024));
    for (request, status) in [
        ("GET /version HTTP/1.1\r\n\r\n", 400),
        ("POST /populate HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", 413),
        (long.as_str(), 431),
        ("POST /populate HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ] {
        let answer = Client::connect(addr).send(request).answer();
        assert_eq!((answer.status, answer.header("Content-Type")), (status, Some("application/json")), "{request}");
        let error: Value = serde_json::from_str(answer.text()).unwrap();
        assert!(error["status"] == status && error["error"].is_string(), "{error}");
    }
}

#[test]
fn a_request_without_the_token_is_denied() {
    let access = Access { token: Some("s3cret".to_owned()), ..Access::default() };
    let addr = serve_with(&Proxy::new(), |api| api.with_access(access));
    for (method, path) in [("GET", "/v1/routes"), ("GET", "/metrics"), ("GET", "/v1/config"), ("PUT", "/v1/health")] {
        assert_eq!(ask(addr, method, path, "").status, 401, "{method} {path}");
    }
}

/// Probes of Kubernetes have no token.
#[test]
fn the_health_needs_no_token() {
    let access = Access { token: Some("s3cret".to_owned()), ..Access::default() };
    let addr = serve_with(&Proxy::new(), |api| api.with_access(access));
    for method in ["GET", "HEAD"] {
        assert_eq!(ask(addr, method, "/v1/health", "").status, 200, "{method}");
    }
    let foreign = "GET /v1/health HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.com\r\n\r\n";
    assert_eq!(Client::connect(addr).send(foreign).answer().status, 403);
}
