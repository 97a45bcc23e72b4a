//! The recipes for CI and docker-compose: `configs/ci` and `configs/docker/compose.yaml`. They parse, their flags
//! exist, their config passes `--check`, and the targets for make do what they are for.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const WORKFLOW: &str = "configs/ci/github-actions.yml";
const COMPOSE: &str = "configs/docker/compose.yaml";
const TARGETS: &str = "configs/ci/chaos.mk";

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn help() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn assert_flags_exist<'a>(words: impl Iterator<Item = &'a str>) {
    let help = help();
    let known: Vec<&str> = help.split([' ', ',', '\n']).collect();
    let mut flags = words.filter(|word| word.starts_with("--") && word.len() > 2).peekable();
    assert!(flags.peek().is_some());
    flags.for_each(|flag| assert!(known.contains(&flag), "{flag} is not in the help"));
}

/// The words of the commands that start the proxy, up to the command that they wrap.
fn words_of_commands(text: &str) -> impl Iterator<Item = &str> {
    let commands = text.split("chaos-proxy ").skip(1).map(|rest| rest.split(['\n', ')']).next().unwrap());
    commands.flat_map(|command| command.split(" -- ").next().unwrap().split(' ')).filter(|word| !word.starts_with("$("))
}

fn compose_args() -> Vec<String> {
    let args = yaml(COMPOSE)["services"]["chaos-proxy"]["command"].clone();
    serde_json::from_value(args).unwrap()
}

#[test]
fn every_flag_is_in_the_help() {
    assert_flags_exist(compose_args().iter().map(String::as_str));
    assert_flags_exist(words_of_commands(&fs::read_to_string(TARGETS).unwrap()));
    let workflow = fs::read_to_string(WORKFLOW).unwrap();
    assert_flags_exist(workflow.lines().filter(|line| line.contains("run: chaos-proxy")).flat_map(words_of_commands));
}

#[test]
fn the_workflow_keeps_the_log_that_it_writes() {
    let job = &yaml(WORKFLOW)["jobs"]["chaos"];
    let steps = job["steps"].as_array().unwrap();
    assert!(job["timeout-minutes"].is_u64() && steps.iter().all(|step| step["uses"] != step["run"]));
    let tests = steps.iter().find(|step| step["env"]["SEED"].is_string()).unwrap();
    let kept = steps.iter().find(|step| step["if"] == "always()").unwrap();
    assert!(tests["run"].as_str().unwrap().ends_with(kept["with"]["path"].as_str().unwrap()));
}

#[test]
fn services_wait_for_each_other() {
    let services = &yaml(COMPOSE)["services"];
    for (service, needed) in [("app", "chaos-proxy"), ("chaos-proxy", "db")] {
        assert_eq!(services[service]["depends_on"][needed]["condition"], "service_healthy");
    }
    assert!(fs::exists(services["chaos-proxy"]["build"]["dockerfile"].as_str().unwrap()).unwrap());
}

#[test]
fn the_config_in_the_compose_file_is_valid_and_mounted() {
    let compose = yaml(COMPOSE);
    let mounted = &compose["services"]["chaos-proxy"]["configs"][0];
    let config = compose["configs"][mounted["source"].as_str().unwrap()]["content"].as_str().unwrap();
    assert!(compose_args().iter().any(|arg| mounted["target"] == **arg));
    // The name of the database exists within the network of containers only.
    let path = directory("compose").join("faults.yaml");
    fs::write(&path, config.replace("db:5432", "127.0.0.1:5433")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).arg("--check").arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The tests fail with the seeds 3 and 5.
#[test]
fn make_finds_the_seeds_that_fail() {
    let output = make(&["chaos-bisect", "SEEDS=2 3 4 5"]);
    assert!(!output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "failed with the seeds 3 5; repeat with make chaos SEED=N\n");
    assert!(make(&["chaos-bisect", "SEEDS=1 2"]).status.success());
    assert!(!make(&["chaos", "SEED=3"]).status.success() && make(&["chaos"]).status.success());
}

/// Runs a target in an empty directory, with a stand-in for the proxy: it runs the command, which is `true`, and fails
/// if the seed is 3 or 5.
fn make(args: &[&str]) -> Output {
    const PROXY: &str =
        "#!/bin/sh\ncase \"$*\" in *'--seed 3 '* | *'--seed 5 '*) exit 1 ;; *' -- true') ;; *) exit 2 ;; esac\n";
    let directory = directory(&format!("make-{}", args.concat().len()));
    let proxy = directory.join("chaos-proxy");
    fs::write(&proxy, PROXY).unwrap();
    fs::set_permissions(&proxy, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    let targets = fs::canonicalize(TARGETS).unwrap();
    let mut command = Command::new("make");
    command
        .arg("-f")
        .arg(targets)
        .arg("TESTS=true")
        .args(args)
        .current_dir(directory)
        .env("PATH", path)
        .output()
        .unwrap()
}

fn directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("recipes").join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}
