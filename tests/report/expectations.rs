//! Expectations: the exit code, the log and the report say which of them hold.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use super::{NO_KEYS, config, path, start};

#[test]
fn a_run_that_does_what_is_expected_succeeds() {
    let expect = r#"{"route": "db", "connections": 3, "failedDials": 0, "firstByteMsMax": "> 0", "bytesUp": ">= 3000"},
                    {"connections": "< 4"}"#;
    let mut run = start("r.json", NO_KEYS, expect, &[]);
    run.echo(3);
    assert_eq!(run.proxy.stop(), 0);
    let report = run.json();
    assert_eq!((report["expect"].as_array().unwrap().len(), &report["verdict"]), (5, &json!("pass")));
    let first = json!({ "route": "db", "metric": "connections", "want": "== 3", "got": 3, "pass": true });
    assert_eq!(report["expect"][0], first);
    assert_eq!(run.proxy.lines(&["level=info msg=\"expectation met\""]).len(), 5);
}

#[test]
fn a_failed_expectation_makes_the_exit_code_4() {
    let expect = r#"{"route": "db", "connections": ">= 100", "dropped": 0}"#;
    let mut run = start("r.json", NO_KEYS, expect, &[]);
    run.echo(1);
    assert_eq!(run.proxy.stop(), 4);
    let report = run.json();
    assert_eq!((&report["expect"][0]["pass"], &report["expect"][1]["pass"]), (&json!(false), &json!(true)));
    assert_eq!(report["verdict"], "fail");
    run.proxy.logged(&["level=error msg=\"expectation failed\" route=db metric=connections want=\">= 100\" got=1"]);
}

#[test]
fn an_expectation_about_nothing_fails_and_says_why() {
    let mut run = start("r.json", NO_KEYS, r#"{"route": "db", "firstByteMsP99": "< 500"}"#, &[]);
    assert_eq!(run.proxy.stop(), 4);
    let judged = &run.json()["expect"][0];
    assert_eq!((&judged["got"], &judged["why"]), (&json!(null), &json!("nothing was measured")));
    run.proxy.logged(&["expectation failed", "got=\"nothing was measured\""]);
}

#[test]
fn an_expectation_of_a_removed_route_fails_and_says_why() {
    let mut run = start("r.json", NO_KEYS, r#"{"route": "db", "connections": ">= 0"}"#, &[]);
    let ip = run.proxy.ip;
    fs::write(path(ip, "config.json"), config(ip, NO_KEYS, "").replace("db", "other")).unwrap();
    run.proxy.signal(Signal::SIGHUP);
    run.proxy.logged(&["config reloaded"]);
    assert_eq!(run.proxy.stop(), 4);
    assert_eq!(run.json()["expect"][0]["why"], "the route was removed");
}

/// A run that has failed for another reason keeps its exit code.
#[test]
fn connections_that_were_cut_matter_more_than_expectations() {
    let mut run = start("r.json", NO_KEYS, r#"{"cuts": 0}"#, &["--drain-timeout", "0"]);
    let client = run.proxy.connect();
    run.proxy.logged(&["upstream connected"]);
    assert_eq!(run.proxy.stop(), 1);
    assert_eq!((&run.json()["expect"][0]["got"], &run.json()["verdict"]), (&json!(1), &json!("fail")));
    drop(client);
}
