//! Runs one after another.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::process::{Running, code, is_gone, text, wrapping_script};

#[test]
fn every_seed_has_a_run() {
    let output = wrapping_script(&["-q", "--seeds", "3,7-9"], "echo $CHAOS_PROXY_SEED").output().unwrap();
    assert_eq!((code(&output), text(&output.stdout)), (0, "3\n7\n8\n9\n"));
    let lines: Vec<&str> = text(&output.stderr).lines().collect();
    assert!(lines[0].starts_with("chaos-proxy: run 1 of 4, seed 3: ok after "), "{lines:?}");
    assert_eq!(lines[4..], ["chaos-proxy: 0 of 4 runs failed"]);
    let output = wrapping_script(&["-q", "--repeat", "3", "--seed", "5"], "echo $CHAOS_PROXY_SEED").output().unwrap();
    assert_eq!(text(&output.stdout), "5\n6\n7\n");
}

#[test]
fn the_first_failure_ends_the_series() {
    let output = wrapping_script(&["-q", "--seeds", "1-5"], "exit $((CHAOS_PROXY_SEED * 2 % 7))").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("chaos-proxy: 1 of 1 runs failed, 4 not run\n"));
}

#[test]
fn keep_going_lists_all_failures_and_the_lines_that_repeat_them() {
    let script = "[ $((CHAOS_PROXY_SEED % 2)) = 0 ] || exit $CHAOS_PROXY_SEED";
    let output = wrapping_script(&["-q", "--seeds", "2-5", "--keep-going"], script).output().unwrap();
    let errors = text(&output.stderr);
    assert_eq!(code(&output), 3, "{errors}");
    assert!(errors.contains("chaos-proxy: 2 of 4 runs failed\n"), "{errors}");
    // The line is what a person enters.
    let line = errors.lines().last().unwrap().split_once("chaos-proxy").unwrap().1;
    let repeated =
        Command::new("sh").args(["-c", &format!("{}{line}", env!("CARGO_BIN_EXE_chaos-proxy"))]).output().unwrap();
    assert_eq!(code(&repeated), 5, "{}", text(&repeated.stderr));
}

#[test]
fn a_signal_ends_the_series_with_what_is_known() {
    let script = "echo $$; [ $CHAOS_PROXY_SEED = 1 ] || exec sleep 1000";
    let mut running = Running::start(wrapping_script(&["-q", "--seeds", "1-9"], script));
    running.pid_line();
    let pid = running.pid_line();
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end(), 143);
    assert!(is_gone(pid));
}

#[test]
fn a_config_with_problems_is_reported_once() {
    let args = ["configs/invalid/empty_list.json", "--repeat", "3", "--", "true"];
    let output = crate::process::chaos_proxy(&args).output().unwrap();
    assert_eq!((code(&output), text(&output.stderr).matches("there are no routes").count()), (2, 1));
}
