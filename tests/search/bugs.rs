//! Each planted bug is found at its points and at no other.

use crate::harness::{Exploring, findings};

const FAULTS: [&str; 2] = ["--fault", "reset,close,stall=500ms"];

#[test]
fn nothing_is_found_in_a_correct_program() {
    let results = Exploring::of("correct").json(&FAULTS);
    assert_eq!(findings(&results), [""; 0], "{results:#}");
    // Two of the connection, and three parts of four messages with three faults each.
    assert_eq!((&results["points"], &results["tried"]), (&38.into(), &38.into()));
    assert!(results["notReached"].as_array().unwrap().is_empty(), "{results:#}");
}

/// The second message of each stream is the transfer, and its reply.
#[test]
fn a_transfer_is_sent_twice_if_its_reply_is_lost() {
    let results = Exploring::of("twice").json(&FAULTS);
    let parts = ["after upstream 2", "before downstream 2", "inside downstream 2"];
    let expected: Vec<String> = parts
        .iter()
        .flat_map(|part| ["reset", "close", "stall=500ms"].map(|fault| format!("bank#1 {part}: {fault}")))
        .collect();
    assert_eq!(findings(&results), expected, "{results:#}");
}

/// The run is killed, with all that it has started.
#[test]
fn a_program_hangs_if_a_reply_stalls_in_its_middle() {
    let results = Exploring::of("hangs").json(&["--fault", "stall=1h", "--timeout", "3s"]);
    assert_eq!(findings(&results), ["bank#1 inside downstream 2: stall=1h"], "{results:#}");
    assert_eq!(results["findings"][0]["outcome"], "no end within 3 s");
}

#[test]
fn a_program_takes_half_a_reply_for_a_whole_one() {
    let results = Exploring::of("truncated").json(&FAULTS);
    assert_eq!(findings(&results), ["bank#1 inside downstream 2: close"], "{results:#}");
}
