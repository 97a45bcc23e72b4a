//! The log in a file.

use std::fs;
use std::path::PathBuf;

use crate::process::{code, text, wrapping};

#[test]
fn the_log_is_appended_to_a_file() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("appended.log");
    let _ = fs::remove_file(&file);
    for _ in 0..2 {
        let output = wrapping(&["--log-file", file.to_str().unwrap()], &["true"]).output().unwrap();
        assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    }
    let log = fs::read_to_string(&file).unwrap();
    assert_eq!(log.matches("msg=starting").count(), 2, "{log}");
    assert_eq!(log.matches("msg=drained").count(), 2, "{log}");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    let output = wrapping(&["--log-file", "/no/such/log"], &["echo", "x"]).output().unwrap();
    assert_eq!((code(&output), text(&output.stdout)), (1, ""));
    assert_eq!(text(&output.stderr), "chaos-proxy: --log-file /no/such/log: No such file or directory (os error 2)\n");
}

#[test]
fn a_full_disk_is_reported_once() {
    let output = wrapping(&["--log-file", "/dev/full"], &["sh", "-c", "exit 3"]).output().unwrap();
    let expected = "chaos-proxy: log lines are lost: --log-file /dev/full: No space left on device (os error 28)\n";
    assert_eq!((code(&output), text(&output.stderr)), (3, expected));
}
