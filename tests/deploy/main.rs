//! The files for containers and their monitoring: `configs/kubernetes`, `configs/docker`, `configs/prometheus` and
//! `configs/grafana`. They parse, fit their schemas and each other, and their flags, metrics and configs exist.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used)]

mod docker;
mod kubernetes;
mod monitoring;

use std::io::{Write, stderr};
use std::process::{Command, Output};

use serde_json::Value;

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The value after `flag`.
fn value(args: &[String], flag: &str) -> String {
    args[args.iter().position(|arg| arg == flag).unwrap() + 1].clone()
}

fn chaos_proxy(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).args(args).output().unwrap()
}

/// The flags of the program, as its help has them.
fn assert_flags_exist(args: &[String]) {
    let help = String::from_utf8(chaos_proxy(&["--help", "--verbose"]).stdout).unwrap();
    // The lines about a flag begin with it.
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let known: Vec<&str> = lines.flat_map(|line| line.split([' ', ','])).filter(|word| word.starts_with('-')).collect();
    let own = args.iter().take_while(|arg| *arg != "--").filter(|arg| arg.starts_with("--"));
    for flag in own {
        assert!(known.contains(&flag.as_str()), "{flag} is not in the help");
    }
}

/// The macros that print are captured if the test succeeds.
fn skipped(why: &str) {
    stderr().write_all(format!("skipped: {why}, see tests/install-clients\n").as_bytes()).unwrap();
}
