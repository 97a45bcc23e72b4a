//! Exact answers about proxies: status, media type and content.

use crate::server::Toxiproxy;

pub const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

const DB: &str = r#"{"name":"db","listen":"IP:8180","upstream":"IP:9090","enabled":true,"Logger":{},"toxics":[]}"#;
const OFF: &str = r#"{"name":"a:1","listen":"IP:8181","upstream":"IP:9090","enabled":false,"Logger":{},"toxics":[]}"#;

/// Sends a request and checks all of its answer.
#[track_caller]
pub fn assert_answer(server: &Toxiproxy, request: (&str, &str, &str), status: u16, media_type: &str, content: &str) {
    let (method, path, body) = request;
    let answer = server.send(method, path, body);
    let text = answer.text().replace(&server.ip.to_string(), "IP");
    let sent = (answer.status, answer.header("Content-Type").unwrap_or_default(), text.as_str());
    assert_eq!(sent, (status, media_type, content), "{method} {path} {body}");
    assert!(answer.header("X-Toxiproxy-Request-Id").is_some(), "{method} {path}");
}

/// Sends a request and checks its answer, an error.
#[track_caller]
pub fn assert_error(server: &Toxiproxy, request: (&str, &str, &str), status: u16, error: &str) {
    assert_answer(server, request, status, TEXT, &format!("{{\"error\":\"{error}\",\"status\":{status}}}\n"));
}

#[test]
fn answers_as_toxiproxy_does() {
    let server = Toxiproxy::new();
    let same = |request, status, content: &str| assert_answer(&server, request, status, JSON, content);
    same(("GET", "/proxies", ""), 200, "{}");
    let body = r#"{"name":"db","listen":"IP:8180","upstream":"IP:9090"}"#;
    same(("POST", "/proxies", body), 201, DB);
    let body = r#"{"Name":"a:1","LISTEN":"IP:8181","Upstream":"IP:9090","enabled":false,"toxics":null,"x":1} trailing"#;
    same(("POST", "/proxies", body), 201, OFF);
    same(("GET", "/proxies", ""), 200, &format!(r#"{{"a:1":{OFF},"db":{DB}}}"#));
    same(("GET", "/proxies/db", ""), 200, DB);
    same(("GET", "/proxies/a%3A1", ""), 200, OFF);
    same(("GET", "/proxies/a:1?x=y", "{"), 200, OFF);
    for method in ["POST", "PATCH"] {
        same((method, "/proxies/db", "{}"), 200, DB);
        same((method, "/proxies/db", "null"), 200, DB);
        same((method, "/proxies/db", r#"{"enabled":null,"listen":null,"name":"other","toxics":1}"#), 200, DB);
        same((method, "/proxies/db", r#"{"enabled":false}"#), 200, &DB.replace("true", "false"));
        same((method, "/proxies/db", r#"{"Enabled":true}"#), 200, DB);
        same((method, "/proxies/db", r#"{"listen":"IP:8182"}"#), 200, &DB.replace("8180", "8182"));
        same((method, "/proxies/db", r#"{"listen":"IP:8180"}"#), 200, DB);
    }
    assert_answer(&server, ("DELETE", "/proxies/a:1", ""), 204, "", "");
    assert_error(&server, ("GET", "/proxies/a:1", ""), 404, "proxy not found");
    for body in ["", "{}", "no json"] {
        assert_answer(&server, ("POST", "/reset", body), 204, "", "");
    }
    assert_answer(
        &server,
        ("GET", "/version", ""),
        200,
        "application/json;charset=utf-8",
        "{\"version\": \"2.12.0\"}\n",
    );
}

#[test]
fn rejects_as_toxiproxy_does() {
    let server = Toxiproxy::new();
    server.create("db", 8180, 9090);
    let fails = |request, status, error: &str| assert_error(&server, request, status, error);
    fails(("POST", "/proxies", ""), 400, "bad request body: EOF");
    fails(("POST", "/proxies", "null"), 400, "missing required field: name");
    fails(("POST", "/proxies", r#"{"name":""}"#), 400, "missing required field: name");
    fails(("POST", "/proxies", r#"{"name":null}"#), 400, "missing required field: name");
    fails(("POST", "/proxies", r#"{"name":"x","upstream":""}"#), 400, "missing required field: upstream");
    fails(("POST", "/proxies", r#"{"name":"db","upstream":"IP:1"}"#), 409, "proxy already exists");
    let in_use = "listen tcp IP:8180: bind: address already in use";
    fails(("POST", "/proxies", r#"{"name":"x","listen":"IP:8180","upstream":"IP:1"}"#), 500, in_use);
    fails(("GET", "/proxies/x", ""), 404, "proxy not found");
    let foreign = "listen tcp 192.0.2.1:80: bind: cannot assign requested address";
    fails(("POST", "/proxies", r#"{"name":"x","listen":"192.0.2.1:80","upstream":"IP:1"}"#), 500, foreign);
    for (method, path) in [
        ("POST", "/proxies/x"),
        ("PATCH", "/proxies/x"),
        ("DELETE", "/proxies/x"),
        ("GET", "/proxies/x/toxics"),
        ("POST", "/proxies/x/toxics"),
        ("GET", "/proxies/x/toxics/y"),
        ("PATCH", "/proxies/x/toxics/y"),
        ("DELETE", "/proxies/x/toxics/y"),
    ] {
        fails((method, path, "{"), 404, "proxy not found");
    }
    assert_eq!(server.expect(200, "GET", "/proxies", ""), format!(r#"{{"db":{DB}}}"#));
}

/// Where Toxiproxy fails later, or stores what can't work.
#[test]
fn rejects_invalid_values_with_a_hint() {
    let server = Toxiproxy::new();
    server.create("db", 8180, 9090);
    for (body, hint) in [
        ("[]", "the body is a list; write an object"),
        (r#"{"name":5}"#, "name is a number; write text"),
        (r#"{"name":"x","upstream":"IP:1","enabled":"no"}"#, "enabled is text; write true or false"),
        (r#"{"name":"x","upstream":"http://IP:1"}"#, "drop the scheme: write IP:1"),
        (r#"{"name":"x","upstream":"IP:0"}"#, "use 1 to 65535"),
        (r#"{"name":"x","upstream":"db.example:80"}"#, "`db.example` is a host name"),
        (r#"{"name":"x","upstream":"IP:1","listen":"80"}"#, "listen: `80` is not IP:PORT; write IP:PORT"),
        (r#"{"name":"x\u0007","upstream":"IP:1"}"#, "name: the name has a control character"),
        (r#"{"name":"x","upstream":"IP:8181","listen":"IP:8181"}"#, "feed each other in a loop"),
        (r#"{"name":"x","upstream":"IP:1","toxics":{}}"#, "toxics is an object; write a list"),
    ] {
        let text = server.expect(400, "POST", "/proxies", body);
        assert!(text.contains(hint), "{body}: {text}");
    }
    for body in [r#"{"upstream":""}"#, r#"{"listen":"x"}"#, r#"{"enabled":1}"#] {
        server.expect(400, "PATCH", "/proxies/db", body);
    }
    assert_eq!(server.expect(200, "GET", "/proxies", ""), format!(r#"{{"db":{DB}}}"#));
}

#[test]
fn paths_and_methods_outside_of_the_api_get_no_json() {
    let server = Toxiproxy::new();
    for path in ["/proxies/", "/proxies//toxics", "/proxies/db/toxics/", "/proxies/db/x", "/version/"] {
        let answer = server.send("GET", path, "");
        assert_eq!((answer.status, answer.text()), (404, "404 page not found\n"), "{path}");
        assert_eq!(answer.header("Content-Type"), Some(TEXT), "{path}");
    }
    let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    for path in
        ["/proxies", "/proxies/db", "/proxies/db/toxics", "/proxies/db/toxics/t", "/populate", "/reset", "/version"]
    {
        let allowed = server.send("OPTIONS", path, "").header("Allow").unwrap().to_owned();
        for method in all {
            let answer = server.send(method, path, "");
            let is_refused = (answer.status, answer.body.as_slice()) == (405, b"");
            assert_ne!(allowed.split(", ").any(|it| it == method), is_refused, "{method} {path}");
        }
    }
}

#[test]
fn answers_during_the_drain_but_changes_nothing() {
    let server = Toxiproxy::new();
    server.create("db", 8180, 9090);
    assert_eq!(server.supervisor.drain(None), 0);
    assert_eq!(server.db(), DB);
    assert!(server.expect(503, "DELETE", "/proxies/db", "").contains("chaos-proxy is stopping"));
}
