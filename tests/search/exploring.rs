//! How an exploration is run: its output, and what ends it.

use std::fs;
use std::io::{BufRead, BufReader};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Exploring, errors, findings, text};

/// The table names the finding, and its config repeats it.
#[test]
fn a_finding_can_be_repeated_with_its_config() {
    let exploring = Exploring::of("truncated");
    let directory = exploring.directory.to_str().unwrap();
    let output = exploring.explore(&["--fault", "close", "--only", "bank:downstream", "--write", directory]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", errors(&output));
    let table = text(&output);
    let row = "bank#1      downstream 2 balance 00010 of this account\\n  inside  close  exit code 1\n";
    assert!(table.contains(row), "{table}");
    assert!(table.contains("6 points tried in "), "{table}");
    assert!(errors(&output).contains("found: bank#1 inside downstream 2: close: exit code 1\n"), "{}", errors(&output));
    let config = exploring.directory.join("0005-bank-1-inside-downstream-2-close.json");
    let repeated = exploring.started(&["-q", "--config", config.to_str().unwrap()]).output().unwrap();
    assert_eq!(repeated.status.code(), Some(1), "{}", errors(&repeated));
    assert!(table.contains(&format!("chaos-proxy --config {directory}/FILE.json -- ")), "{table}");
}

#[test]
fn an_expectation_that_is_not_met_is_a_finding() {
    let exploring = Exploring::with("correct", r#", "expect": [{"connections": "<= 1"}]"#);
    let results = exploring.json(&["--fault", "reset", "--only", "bank#1:upstream"]);
    let outcomes: Vec<&str> =
        results["findings"].as_array().unwrap().iter().map(|it| it["outcome"].as_str().unwrap()).collect();
    // Each reset makes the client connect again, but one after the last reply.
    assert_eq!(outcomes, ["expectation failed: connections <= 1, got 2"; 6], "{results:#}");
}

#[test]
fn a_sample_is_even() {
    let exploring = Exploring::of("correct");
    let output = exploring.explore(&["--points", "4"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(text(&output).starts_with("4 of 26 points (--points) tried in "), "{}", text(&output));
}

#[test]
fn a_point_that_is_not_reached_is_named_and_has_not_passed() {
    let exploring = Exploring::of("correct");
    // Nothing follows the last reply, so that nothing is held.
    let output = exploring.explore(&["--fault", "stall=1h", "--only", "bank:downstream"]).output().unwrap();
    let results = exploring.json(&["--fault", "stall=1h", "--only", "bank:downstream"]);
    assert!(text(&output).contains(" not reached\n"), "{}", text(&output));
    assert_eq!(results["tried"], 6);
    let junit = exploring.explore(&["--fault", "reset", "--only", "bank:downstream", "--junit"]).output().unwrap();
    let junit = text(&junit);
    assert!(junit.contains(r#"<testsuite name="chaos-proxy explore" tests="6""#), "{junit}");
    assert!(junit.contains(r#"name="bank#1 before downstream 1: reset""#), "{junit}");
}

#[test]
fn a_command_that_fails_by_itself_is_not_explored() {
    let output = Exploring::of("failing").explore(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = errors(&output);
    assert!(errors.starts_with("chaos-proxy: the command fails without any fault: exit code 3"), "{errors}");
    assert!(errors.contains("  the account is closed\n"), "{errors}");
}

#[test]
fn a_command_with_another_conversation_each_time_is_not_explored() {
    let output = Exploring::of("chatty").explore(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = errors(&output);
    assert!(
        errors.starts_with("chaos-proxy: the command is not the same each time: connection bank#1 has had "),
        "{errors}"
    );
    assert!(errors.contains("--only"), "{errors}");
}

#[test]
fn a_selection_without_a_route_names_the_routes() {
    let output = Exploring::of("correct").explore(&["--only", "bnak"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(errors(&output), "chaos-proxy: --only bnak: the routes are bank\n");
}

/// An interrupted exploration prints what it has found, and another one goes on with the points that are left.
#[test]
fn an_exploration_goes_on_where_it_was_interrupted() {
    let exploring = Exploring::of("truncated");
    let directory = exploring.directory.to_str().unwrap();
    let flags = ["--fault", "close,reset", "--only", "bank:downstream", "--json"];
    let mut first = exploring.explore(&[&flags[..], &["--write", directory]].concat()).spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    let found = lines.find(|line| line.as_ref().unwrap().starts_with("found: ")).unwrap().unwrap();
    assert!(found.contains("inside downstream 2: close"), "{found}");
    kill(Pid::from_raw(i32::try_from(first.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = first.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let results: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(findings(&results), ["bank#1 inside downstream 2: close"]);
    let tried = results["tried"].as_u64().unwrap();
    assert!((9..12).contains(&tried), "{tried}");
    let journal = exploring.directory.join("explored.jsonl");
    let before = fs::read_to_string(&journal).unwrap().lines().count();
    let resumed = exploring.json(&[&flags[..4], &["--resume", directory]].concat());
    assert_eq!((findings(&resumed), &resumed["tried"]), (findings(&results), &12.into()));
    let after = fs::read_to_string(&journal).unwrap().lines().count();
    assert_eq!((before as u64, after), (tried + 1, 13));
}

#[test]
fn an_exploration_of_something_else_is_not_resumed() {
    let exploring = Exploring::of("correct");
    let directory = exploring.directory.to_str().unwrap();
    let flags = ["--only", "bank:upstream", "--points", "1"];
    let first = exploring.explore(&[&flags[..], &["--seed", "1", "--write", directory]].concat()).output().unwrap();
    assert_eq!(first.status.code(), Some(0), "{}", errors(&first));
    for (changed, expected) in [
        (
            ["--seed", "2", "--resume", directory],
            "is of another config: give the same one, or begin anew with --write\n",
        ),
        (
            ["--seed", "1", "--write", directory],
            "has an exploration already: go on with --resume, or name another directory\n",
        ),
    ] {
        let output = exploring.explore(&[&flags[..], &changed].concat()).output().unwrap();
        assert_eq!((output.status.code(), errors(&output).ends_with(expected)), (Some(1), true), "{}", errors(&output));
    }
}
