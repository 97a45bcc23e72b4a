//! The search for the smallest set of faults.

use std::fs;
use std::io::{BufRead, BufReader};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::harness::{Exploring, errors, text};

/// Twelve random faults: delays, losses, lost connections, and one that changes bytes.
const NOISE: &str = r#", "dropRate": 0.1, "toxics": [
    { "type": "latency", "name": "lag", "attributes": { "latency": 1, "jitter": 1 } },
    { "type": "latency", "name": "lag up", "stream": "upstream", "attributes": { "latency": 1 } },
    { "type": "packet_loss", "name": "loss", "attributes": { "loss_rate": 0.02, "retransmit": 2 } },
    { "type": "packet_loss", "name": "loss up", "stream": "upstream", "attributes": { "loss_rate": 0.02, "retransmit": 2 } },
    { "type": "slicer", "name": "slices", "attributes": { "average_size": 10, "size_variation": 5 } },
    { "type": "bandwidth", "name": "slow", "attributes": { "rate": 10000 } },
    { "type": "bandwidth", "name": "slow up", "stream": "upstream", "attributes": { "rate": 10000 } },
    { "type": "corrupt", "name": "flips", "attributes": { "rate": 0.004 } },
    { "type": "limit_data", "name": "limit", "toxicity": 0.2, "attributes": { "bytes": 400 } },
    { "type": "slow_close", "name": "late end", "attributes": { "delay": 2 } },
    { "type": "reset_peer", "name": "resets", "toxicity": 0.1, "attributes": { "timeout": 20 } }
]"#;

/// A seed with which three connections have changed bytes, and one of them has four.
const SEED: &str = "4";

fn shrunk(exploring: &Exploring, flags: &[&str]) -> (Value, String) {
    let output = exploring.shrink(flags).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    (serde_json::from_slice(&output.stdout).unwrap(), errors(&output))
}

#[test]
fn one_act_of_twelve_faults_is_left() {
    let exploring = Exploring::on_route("fragile", NOISE, "");
    let (config, said) = shrunk(&exploring, &["--seed", SEED]);
    let route = &config["routes"][0];
    let toxics = route["toxics"].as_array().unwrap();
    assert_eq!((toxics.len(), &route["dropRate"], &route["latencyMs"]), (1, &json!(0.0), &json!(0)), "{config:#}");
    let (toxic, is_number) = (&toxics[0], |key: &str| toxics[0][key].as_str().unwrap().parse::<u64>().is_ok());
    assert_eq!((&toxic["type"], &toxic["attributes"]), (&json!("corrupt"), &json!({ "rate": 1.0 })), "{config:#}");
    assert!(is_number("connections") && is_number("offsets") && toxic["toxicity"] == 1.0, "{config:#}");
    assert!(said.contains("1 of 12 faults are enough, found in "), "{said}");
    // All stages were necessary.
    for stage in ["1 of 12 faults left", "1 of 3 connections with faults left", "1 of 4 acts of flips left"] {
        assert!(said.contains(stage), "{said}");
    }
}

/// None of the two connections can be left out, so the acts on both are searched.
#[test]
fn one_act_of_each_of_two_connections_is_left() {
    let exploring = Exploring::on_route("fragile twice", NOISE, "");
    let (config, said) = shrunk(&exploring, &["--seed", SEED]);
    let toxics = config["routes"][0]["toxics"].as_array().unwrap();
    let text = |key: &str| toxics.iter().map(|toxic| toxic[key].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let numbers = |key: &str| text(key).iter().map(|it| it.parse::<u64>().unwrap()).collect::<Vec<_>>();
    assert_eq!((text("type"), numbers("offsets").len()), (vec!["corrupt".to_owned(); 2], 2), "{config:#}\n{said}");
    assert!(numbers("connections").windows(2).all(|pair| pair[0] < pair[1]), "{config:#}");
    assert!(said.contains("2 of 3 connections with faults left"), "{said}");
}

#[test]
fn a_failure_that_does_not_reproduce_is_not_shrunk() {
    let output = Exploring::of("correct").shrink(&["--seed", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = errors(&output);
    assert!(
        errors.starts_with("chaos-proxy: the failure does not reproduce: run 1 has succeeded with seed 1. "),
        "{errors}"
    );
    assert!(text(&output).is_empty());
}

#[test]
fn a_command_that_fails_by_itself_is_not_shrunk() {
    let toxics = r#", "toxics": [{ "type": "noop" }]"#;
    let output = Exploring::on_route("failing", toxics, "").shrink(&["--seed", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = "chaos-proxy: the command fails without any of these faults too: its failure has another reason\n";
    assert_eq!(errors(&output), expected);
}

/// The config that is left fails too. An interrupted search has one that is not the smallest.
#[test]
fn an_interrupted_search_writes_what_it_has_so_far() {
    let exploring = Exploring::on_route("fragile", NOISE, "");
    let file = exploring.directory.with_extension("json");
    let flags = ["--seed", SEED, "--repeat", "1", "--write", file.to_str().unwrap()];
    let mut search = exploring.shrink(&flags).spawn().unwrap();
    let mut lines = BufReader::new(search.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("1 of 12 faults left"));
    kill(Pid::from_raw(i32::try_from(search.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(search.wait().unwrap().code(), Some(130));
    let config: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(config["routes"][0]["toxics"][0]["name"], "flips");
    let repeated = exploring.started(&["-q", "--config", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(repeated.status.code(), Some(1), "{}", errors(&repeated));
}
