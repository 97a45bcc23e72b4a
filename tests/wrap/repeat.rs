//! Runs one after another.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::process::{Running, chaos_proxy, code, is_gone, text, upstream, wrapping_script};

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
fn an_interrupted_series_lists_the_failures_so_far() {
    let script = "[ $CHAOS_PROXY_SEED = 1 ] && exit 3; kill -TERM $(cut -d' ' -f4 /proc/$PPID/stat); exec sleep 1000";
    let output = wrapping_script(&["-q", "--seeds", "1-9", "--keep-going"], script).output().unwrap();
    let errors = text(&output.stderr);
    assert_eq!(code(&output), 3, "{errors}");
    assert!(errors.contains("chaos-proxy: interrupted by SIGTERM: 1 of 1 runs failed, 8 not run\n"), "{errors}");
}

#[test]
fn each_run_has_a_report_of_its_own() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("series_reports");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    let report = directory.join("r.json");
    let flags = ["-q", "--report", report.to_str().unwrap(), "--seeds", "4-5", "--keep-going"];
    let output = wrapping_script(&flags, "exit 1").output().unwrap();
    let errors = text(&output.stderr);
    let mut names: Vec<_> = fs::read_dir(&directory).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["r-4.json", "r-5.json"], "{errors}");
    assert!(fs::read_to_string(directory.join("r-5.json")).unwrap().contains("\"seed\": 5"));
    let line = errors.lines().last().unwrap();
    assert!(line.contains("/r-5.json --seed 5 -- sh"), "{line}");
}

/// A run is `/proc/self/exe`, which a person can't enter.
#[test]
fn the_log_of_a_run_has_the_line_that_repeats_it() {
    let (_listener, addr) = upstream();
    let script = "exec 3<>/dev/tcp/127.0.0.1/$CHAOS_PROXY_AUTO_PORT";
    let flags = ["--listen", "auto", "--upstream", &addr, "--drain-timeout", "0", "--repeat", "1", "--seed", "6"];
    let output = chaos_proxy(&[&flags[..], &["--", "bash", "-c", script]].concat()).output().unwrap();
    let log = text(&output.stderr);
    let line = log.lines().find(|line| line.contains("to repeat this run")).unwrap();
    assert!(line.contains(&format!("command=\"{} --listen auto", env!("CARGO_BIN_EXE_chaos-proxy"))), "{line}");
}

#[test]
fn a_command_that_does_not_fit_the_routes_is_reported_once() {
    let output = wrapping_script(&["--repeat", "3", "--keep-going"], "echo {db.port}").output().unwrap();
    let expected = "chaos-proxy: `{db.port}` in the command names no route: the routes are auto\n";
    assert_eq!((code(&output), text(&output.stderr)), (2, expected));
}

#[test]
fn a_config_with_problems_is_reported_once() {
    let args = ["configs/invalid/empty_list.json", "--repeat", "3", "--", "true"];
    let output = chaos_proxy(&args).output().unwrap();
    assert_eq!((code(&output), text(&output.stderr).matches("there are no routes").count()), (2, 1));
}
