//! The command line as a whole: what arguments become, and the message for each mistake.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::flags::FLAGS;
use super::*;

fn parsed(line: &str) -> Parsed<Command> {
    parse(line.split_whitespace().map(OsString::from))
}

fn options(line: &str) -> Options {
    match parsed(line) {
        Ok(Command::Run(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn error(line: &str) -> String {
    parsed(line).expect_err(line).0
}

fn config_path(line: &str) -> PathBuf {
    match options(line).routes {
        Routes::File { path, .. } => path,
        Routes::Flags(plan) => panic!("{line}: {plan:?}"),
    }
}

#[test]
fn accepts_one_dash_two_dashes_and_equals() {
    for line in ["--config a.json", "-config a.json", "--config=a.json", "-config=a.json"] {
        assert_eq!(config_path(line), PathBuf::from("a.json"), "{line}");
    }
}

#[test]
fn flags_define_a_route() {
    let options = options("-listen 8180 --upstream 127.0.0.1:5432 --latency-ms 50 --drop-rate 0.1 --bind ::1");
    let Routes::Flags(plan) = options.routes else { panic!("a file") };
    let route = &plan.routes()[0];
    assert_eq!(route.listen().to_string(), "[::1]:8180");
    assert_eq!(route.upstream.to_string(), "127.0.0.1:5432");
    assert_eq!((route.latency.get(), route.drop_rate.get()), (50, 0.1));
}

#[test]
fn quiet_overrides_verbose_with_a_warning() {
    let options = options("--verbose --quiet --config a");
    assert_eq!(options.settings.log_level, Some(LogLevel::Error));
    assert_eq!(options.warnings, ["--quiet wins over --verbose"]);
}

#[test]
fn the_memory_for_held_data_is_in_mebibytes() {
    let max_buffered = |line| options(line).settings.max_buffered.map(NonZeroUsize::get);
    assert_eq!(max_buffered("--config a --max-buffered 3"), Some(3 << 20));
    assert_eq!(max_buffered("--config a"), None);
}

#[test]
fn errors_suggest_a_fix() {
    for (line, expected) in [
        ("", "no routes: give --config FILE, or --listen PORT --upstream IP:PORT"),
        ("--confg a.json", "unknown flag --confg; did you mean --config?"),
        ("-test-sever --config a", "unknown flag --test-sever; did you mean --test-server?"),
        ("--frobnicate", "unknown flag --frobnicate"),
        ("--config", "--config needs a value"),
        ("--config --verbose", "--config needs a value, but --verbose follows it"),
        ("--config -quiet", "--config needs a value, but --quiet follows it"),
        ("--config a --config b", "--config is given twice"),
        ("--config a --verbose -verbose", "--verbose is given twice"),
        ("--config a --verbose=yes", "--verbose takes no value"),
        ("a.json", "unexpected argument `a.json`; pass a config file with --config"),
        ("--config a -- b", "unexpected argument `b`; pass a config file with --config"),
        (
            "--config a --listen 1 --upstream 127.0.0.1:2",
            "--config and --listen exclude each other: define every route in the file",
        ),
        ("--config a --drop-rate 0", "--config and --drop-rate exclude each other: define every route in the file"),
        ("--listen 1", "--listen needs --upstream IP:PORT"),
        ("--upstream 127.0.0.1:1", "--upstream needs --listen PORT"),
        ("--latency-ms 5", "--latency-ms needs --listen PORT"),
        ("--listen 0 --upstream 127.0.0.1:1", "--listen 0: port 0 is out of range; use 1 to 65535"),
        (
            "--listen 127.0.0.1:80 --upstream 127.0.0.1:1",
            "--listen 127.0.0.1:80: use a port number, 1 to 65535; --bind takes the address",
        ),
        ("--listen 1 --upstream localhost:5", "--upstream localhost:5: `localhost` is a host name; use 127.0.0.1:5"),
        (
            "--listen 1 --upstream 127.0.0.1:2 --drop-rate 1.5",
            "--drop-rate 1.5: 1.5 is not a probability; use 0.0 (never) to 1.0 (always); 1.5 % is 0.015",
        ),
        (
            "--listen 1 --upstream 127.0.0.1:2 --latency-ms -5",
            "--latency-ms -5: -5 ms is negative; use whole milliseconds, 0 to 4294967295",
        ),
        ("--listen 5 --upstream 127.0.0.1:5", "--upstream 127.0.0.1:5 is the listener itself: connections would loop"),
        ("--config a --seed -1", "--seed -1: use a whole number, 0 to 18446744073709551615"),
        ("--config a --max-connections 0", "--max-connections 0: use a whole number, 1 or more"),
        ("--config a --max-buffered 0", "--max-buffered 0: use whole MiB, 1 or more"),
        ("--config a --max-buffered 1.5", "--max-buffered 1.5: use whole MiB, 1 or more"),
        (
            "--config a --max-buffered 18446744073709551615",
            "--max-buffered 18446744073709551615: more than any machine has; use whole MiB, such as 256",
        ),
        ("--config a --drain-timeout soon", "--drain-timeout soon: use seconds, such as 30 or 2.5"),
        ("--config a --drain-timeout 10s", "--drain-timeout 10s: write 10, in seconds"),
        ("--config a --max-buffered 128MiB", "--max-buffered 128MiB: write 128, in MiB"),
        ("--listen 1 --upstream 127.0.0.1:2 --latency-ms 1s", "--latency-ms 1s: write 1000, in ms"),
        ("--listen 1 --upstream 127.0.0.1:2 --drop-rate 5%", "--drop-rate 5%: write 0.05"),
        ("--config a --drain-timeout inf", "--drain-timeout inf: use seconds, 0 or more"),
        ("--config a --log-format xml", "--log-format xml: use logfmt or json"),
        ("--config a --bind localhost", "--bind localhost: `localhost` is not an IP address; use 127.0.0.1"),
    ] {
        assert_eq!(error(line), expected, "{line}");
    }
}

#[test]
fn help_fits_a_screen_and_names_every_flag() {
    assert!(HELP.lines().count() <= 40 && HELP.lines().all(|line| line.len() <= 81));
    for flag in FLAGS {
        assert!(HELP.contains(flag), "{flag}");
    }
}
