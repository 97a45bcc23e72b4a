//! Exact answers about toxics.

use crate::answers::{JSON, assert_answer, assert_error};
use crate::server::Toxiproxy;

const TOXICS: &str = "/proxies/db/toxics";

fn server() -> Toxiproxy {
    let server = Toxiproxy::new();
    server.create("db", 8180, 9090);
    server
}

/// Adds a toxic, reads it and removes it.
#[track_caller]
fn assert_toxic(server: &Toxiproxy, body: &str, name: &str, content: &str) {
    let path = format!("{TOXICS}/{name}");
    assert_answer(server, ("POST", TOXICS, body), 200, JSON, content);
    assert_answer(server, ("GET", &path, ""), 200, JSON, content);
    assert_answer(server, ("GET", TOXICS, ""), 200, JSON, &format!("[{content}]"));
    assert_answer(server, ("DELETE", &path, ""), 204, "", "");
    assert_error(server, ("GET", &path, ""), 404, "toxic not found");
}

fn toxic(kind: &str, attributes: &str) -> String {
    let name = format!("{kind}_downstream");
    format!(r#"{{"attributes":{{{attributes}}},"name":"{name}","type":"{kind}","stream":"downstream","toxicity":1}}"#)
}

/// The toxics of Toxiproxy with all their attributes, and no others. What is absent is 0.
#[test]
fn toxics_of_toxiproxy_look_as_there() {
    let server = server();
    for (kind, attributes) in [
        ("noop", ""),
        ("latency", r#""latency":0,"jitter":0"#),
        ("bandwidth", r#""rate":0"#),
        ("slow_close", r#""delay":0"#),
        ("timeout", r#""timeout":0"#),
        ("limit_data", r#""bytes":0"#),
        ("reset_peer", r#""timeout":0"#),
    ] {
        for body in ["", r#","attributes":null"#, r#","attributes":{"x":1,"rate":null}"#] {
            let body = format!(r#"{{"type":"{kind}"{body}}}"#);
            assert_toxic(&server, &body, &format!("{kind}_downstream"), &toxic(kind, attributes));
        }
    }
    let slicer = toxic("slicer", r#""average_size":5,"size_variation":0,"delay":0"#);
    assert_toxic(&server, r#"{"type":"slicer","attributes":{"Average_Size":5}}"#, "slicer_downstream", &slicer);
}

#[test]
fn keys_and_streams_have_no_case_but_default_names_do() {
    let server = server();
    let body =
        r#"{"Name":null,"Type":"latency","Stream":"UpStream","Toxicity":0.5,"Attributes":{"Latency":7,"JITTER":2}}"#;
    let content = r#"{"attributes":{"latency":7,"jitter":2},"name":"latency_UpStream","type":"latency","stream":"upstream","toxicity":0.5}"#;
    assert_toxic(&server, body, "latency_UpStream", content);
    let body = r#"{"name":"a/b c","type":"noop","toxicity":0}"#;
    let content = r#"{"attributes":{},"name":"a/b c","type":"noop","stream":"downstream","toxicity":0}"#;
    assert_toxic(&server, body, "a%2Fb%20c", content);
}

/// They are shown where they are not the defaults.
#[test]
fn what_toxiproxy_does_not_have_works_too() {
    let server = server();
    let body = r#"{"type":"latency","name":"l","stream":"both","attributes":{"latency":5,"jitter":5,"correlation":0.5},
        "connections":"1-2,5","clients":"IP","after":10,"for":20}"#;
    let content = r#"{"attributes":{"latency":5,"jitter":5,"correlation":0.5},"name":"l","type":"latency","stream":"both","toxicity":1,"connections":"1-2,5","clients":["IP/32"],"after":10,"for":20}"#;
    assert_toxic(&server, body, "l", content);
    let body = r#"{"type":"packet_loss","attributes":{"loss_rate":1}}"#;
    let content = toxic("packet_loss", r#""loss_rate":1"#);
    assert_toxic(&server, body, "packet_loss_downstream", &content);
}

/// Another trigger replaces the whole one.
#[test]
fn a_trigger_is_shown_and_can_be_replaced() {
    let server = server();
    let like = |when: &str| {
        let attributes =
            r#""attributes":{"timeout":0},"name":"r","type":"reset_peer","stream":"downstream","toxicity":1"#;
        format!(r#"{{{attributes},"when":{{{when}}}}}"#)
    };
    let body = r#"{"type":"reset_peer","name":"r","when":{"message":3,"then":"before"}}"#;
    assert_toxic(&server, body, "r", &like(r#""message":"3","stream":"downstream""#));
    server.add_toxic(body);
    for (body, when) in [
        (r#"{"toxicity":1}"#, r#""message":"3","stream":"downstream""#),
        (r#"{"when":{"stream":"upstream","contains":"x","nth":2}}"#, r#""contains":"x","nth":2,"stream":"upstream""#),
        (r#"{"when":null}"#, r#""contains":"x","nth":2,"stream":"upstream""#),
        (
            r#"{"when":{"containsHex":"0D0A","then":"before"}}"#,
            r#""containsHex":"0d0a","stream":"downstream","then":"before""#,
        ),
    ] {
        assert_answer(&server, ("POST", "/proxies/db/toxics/r", body), 200, JSON, &like(when));
    }
}

/// A required attribute has no default, even if the schema has an example for it.
#[test]
fn required_attributes_are_shown_with_any_value() {
    let server = server();
    for (kind, attribute) in [
        ("bandwidth", r#""rate":128"#),
        ("limit_time", r#""time":1000"#),
        ("stall", r#""duration":1000"#),
        ("packet_loss", r#""loss_rate":0.01"#),
    ] {
        let body = format!(r#"{{"type":"{kind}","attributes":{{{attribute}}}}}"#);
        assert_toxic(&server, &body, &format!("{kind}_downstream"), &toxic(kind, attribute));
    }
}

#[test]
fn upstream_toxics_come_first_in_the_order_in_which_they_were_added() {
    let server = server();
    for (name, stream) in
        [("d", "downstream"), ("u", "upstream"), ("b", "both"), ("c", "downstream"), ("a", "upstream")]
    {
        server.add_toxic(&format!(r#"{{"type":"noop","name":"{name}","stream":"{stream}"}}"#));
    }
    let listed = server.expect(200, "GET", TOXICS, "");
    let names: Vec<&str> = listed.split("\"name\":\"").skip(1).map(|rest| &rest[..1]).collect();
    assert_eq!(names, ["u", "b", "a", "d", "c"]);
    assert!(server.db().ends_with(&format!(r#""toxics":{listed}}}"#)));
}

#[test]
fn an_update_keeps_what_it_does_not_name() {
    let server = server();
    server.add_toxic(r#"{"type":"latency","name":"l","attributes":{"latency":5,"jitter":2},"connections":"1-"}"#);
    let path = "/proxies/db/toxics/l";
    let like = |latency, jitter, toxicity| {
        let attributes = format!(r#"{{"latency":{latency},"jitter":{jitter}}}"#);
        format!(
            r#"{{"attributes":{attributes},"name":"l","type":"latency","stream":"downstream","toxicity":{toxicity}}}"#
        )
    };
    for (method, body, content) in [
        ("POST", r#"{"attributes":{"jitter":3}}"#, like(5, 3, "1")),
        ("PATCH", r#"{"Toxicity":0.25,"attributes":null}"#, like(5, 3, "0.25")),
        ("PATCH", r#"{"name":"x","type":"noop","stream":"upstream","attributes":{"LATENCY":9}}"#, like(9, 3, "0.25")),
        ("POST", "{}", like(9, 3, "0.25")),
    ] {
        assert_answer(&server, (method, path, body), 200, JSON, &content);
    }
    assert_answer(&server, ("GET", path, ""), 200, JSON, &like(9, 3, "0.25"));
    assert_error(&server, ("POST", path, ""), 400, "bad request body: EOF");
    for body in [r#"{"toxicity":2}"#, r#"{"attributes":{"latency":-1}}"#, r#"{"attributes":{"latency":"1"}}"#] {
        server.expect(400, "PATCH", path, body);
    }
    assert_answer(&server, ("GET", path, ""), 200, JSON, &like(9, 3, "0.25"));
    assert_error(&server, ("PATCH", "/proxies/db/toxics/x", "{"), 404, "toxic not found");
}

/// Each body is wrong in all that is checked later, too.
#[test]
fn checks_in_the_order_of_toxiproxy() {
    let server = server();
    server.add_toxic(r#"{"type":"latency"}"#);
    let fails = |body, status, error: &str| assert_error(&server, ("POST", TOXICS, body), status, error);
    fails("", 400, "bad request body: EOF");
    fails(r#"{"type":1,"stream":"x"}"#, 400, "bad request body: type is a number; write text");
    let stream = "stream was invalid, can be either upstream or downstream";
    fails(r#"{"type":"x","stream":"x"}"#, 400, stream);
    fails(r#"{"type":"noop","stream":""}"#, 400, stream);
    fails(r#"{"type":"x","name":"latency_downstream"}"#, 400, "invalid toxic type");
    fails("{}", 400, "invalid toxic type");
    fails(r#"{"type":"Latency"}"#, 400, "invalid toxic type");
    fails(r#"{"type":"latency","attributes":{"latency":-1}}"#, 409, "toxic already exists");
    fails(r#"{"type":"noop","stream":"upstream","name":"latency_downstream"}"#, 409, "toxic already exists");
    server.add_toxic(r#"{"type":"latency","stream":"upstream"}"#);
}

#[test]
fn invalid_attributes_have_a_hint() {
    let server = server();
    for (body, hint) in [
        (r#"{"type":"latency","toxicity":2.5}"#, "2.5 is not a probability; use 0.0 (never) to 1.0 (always)"),
        (r#"{"type":"latency","toxicity":"1"}"#, "write 1.0 without the quotes"),
        (r#"{"type":"latency","attributes":{"latency":-1}}"#, "-1 ms is negative; use whole milliseconds"),
        (r#"{"type":"latency","attributes":{"latency":1.5}}"#, "1.5 is not written as a whole number"),
        (r#"{"type":"latency","attributes":{"latency":1e3}}"#, "write 1000"),
        (r#"{"type":"latency","attributes":{"latency":"1"}}"#, "write 1 without the quotes"),
        (r#"{"type":"latency","attributes":5}"#, "attributes is a number; write an object"),
        (r#"{"type":"slicer"}"#, "add `average_size` to its attributes: the size of a piece in bytes, such as 64"),
        (r#"{"type":"slicer","attributes":{"average_size":4,"size_variation":4}}"#, "use 0 to 3"),
        (r#"{"type":"packet_loss"}"#, "add `loss_rate` to its attributes"),
        (r#"{"type":"latency","connections":"0"}"#, "connections"),
        (r#"{"type":"latency","when":{}}"#, "this trigger waits for nothing; add what it waits for"),
        (r#"{"type":"latency","when":3}"#, r#"write what it waits for: { \"contains\": \"COMMIT\" }"#),
    ] {
        let text = server.expect(400, "POST", TOXICS, body);
        assert!(text.starts_with(r#"{"error":"bad request body: "#) && text.contains(hint), "{body}: {text}");
    }
    assert_eq!(server.expect(200, "GET", TOXICS, ""), "[]");
}
