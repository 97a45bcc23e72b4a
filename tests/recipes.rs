//! The recipes for CI and docker compose: `configs/ci` and `configs/docker/compose.yaml`. The targets for make and the step of
//! the workflow run as they are; a compose file needs docker, so its flags and its config are checked.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const WORKFLOW: &str = "configs/ci/github-actions.yml";
const COMPOSE: &str = "configs/docker/compose.yaml";
const TARGETS: &str = "configs/ci/chaos.mk";

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// Runs the step as GitHub does, with `make test` as the tests.
#[test]
fn the_workflow_tests_through_the_proxy_and_keeps_log_and_summary() {
    let job = &yaml(WORKFLOW)["jobs"]["chaos"];
    let steps = job["steps"].as_array().unwrap();
    assert!(job["timeout-minutes"].is_u64() && steps.iter().all(|step| step["uses"] != step["run"]));
    let tests = steps.iter().find(|step| step["env"]["SEED"].is_string()).unwrap();
    let kept = steps.iter().find(|step| step["if"] == "always()").unwrap();
    let directory = project("workflow");
    let mut step = in_project("bash", &directory);
    step.args(["-e", "-c", tests["run"].as_str().unwrap()]);
    let output = step.env("SEED", "1234567890123").env("GITHUB_STEP_SUMMARY", "summary.md").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(fs::read_to_string(directory.join("summary.md")).unwrap().contains("1234567890123"));
    assert!(fs::read_to_string(directory.join(kept["with"]["path"].as_str().unwrap())).unwrap().contains("drained"));
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
    // The name of the database exists within the network of containers only.
    let path = directory("compose").join("faults.yaml");
    fs::write(&path, config.replace("db:5432", "127.0.0.1:5433")).unwrap();
    let args = serde_json::from_value::<Vec<String>>(compose["services"]["chaos-proxy"]["command"].clone()).unwrap();
    assert!(args.iter().any(|arg| mounted["target"] == **arg));
    let args = args.into_iter().map(|arg| if mounted["target"] == *arg { path.display().to_string() } else { arg });
    let output = Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).arg("--check").args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn make_finds_the_seeds_that_fail() {
    let output = make(&["chaos-seeds", "SEEDS=2-5"]);
    assert!(!output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("2 of 4 runs failed"), "{errors}");
    for seed in ["--seed 3", "--seed 5"] {
        assert!(errors.contains(&format!("{seed} -- make test")), "{errors}");
    }
    assert!(make(&["chaos-seeds", "SEEDS=1-2"]).status.success());
}

#[test]
fn make_repeats_a_seed() {
    assert!(!make(&["chaos", "SEED=3"]).status.success());
    assert!(make(&["chaos", "SEED=4"]).status.success());
}

fn make(args: &[&str]) -> Output {
    let directory = project(&format!("make-{}", args.concat()));
    let targets = fs::canonicalize(TARGETS).unwrap();
    in_project("make", &directory).arg("-f").arg(targets).args(["-f", "Makefile"]).args(args).output().unwrap()
}

/// The directory of a project whose `make test` fails with the seeds 3 and 5.
fn project(name: &str) -> PathBuf {
    let directory = directory(name);
    fs::write(directory.join("Makefile"), "test:\n\ttest $$CHAOS_PROXY_SEED != 3 -a $$CHAOS_PROXY_SEED != 5\n")
        .unwrap();
    let faults = "routes: [{ name: db, localPort: auto, upstream: 127.0.0.1:9090, dropRate: 0.1 }]";
    fs::write(directory.join("faults.yaml"), faults).unwrap();
    directory
}

/// A program in the directory of a project, with the proxy in its path.
fn in_project(program: &str, directory: &Path) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_chaos-proxy")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), env::var("PATH").unwrap());
    let mut command = Command::new(program);
    // The variables of a `make` that runs these tests, such as its job server, are not for this one.
    command.current_dir(directory).env("PATH", path).env_remove("MAKEFLAGS").env_remove("MFLAGS");
    command
}

fn directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("recipes").join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}
