//! The benchmark's arithmetic. The benchmark itself is no test: it lives in `tests/bench`, and asserts nothing.

#[path = "bench/summary.rs"]
mod summary;

use summary::{median, percentile};

#[track_caller]
fn assert_same(found: f64, expected: f64) {
    assert_eq!(found.to_bits(), expected.to_bits(), "{found} is not {expected}");
}

#[test]
fn a_percentile_is_one_of_the_readings() {
    let readings: Vec<f64> = (1..=200).rev().map(f64::from).collect();
    for (percent, expected) in [(0, 1.0), (1, 2.0), (50, 100.0), (51, 102.0), (99, 198.0), (100, 200.0)] {
        assert_same(percentile(&readings, percent), expected);
    }
}

#[test]
fn a_percentile_between_two_readings_is_the_greater() {
    assert_same(percentile(&[3.0, 1.0, 2.0], 34), 2.0);
    assert_same(percentile(&[3.0, 1.0, 2.0], 99), 3.0);
}

#[test]
fn one_reading_is_every_percentile_of_itself() {
    for percent in [0, 50, 99, 100] {
        assert_same(percentile(&[7.0], percent), 7.0);
    }
}

#[test]
fn a_median_lies_in_the_middle() {
    assert_same(median(&[9.0, 1.0, 2.0]), 2.0);
    assert_same(median(&[9.0, 1.0, 2.0, 4.0]), 3.0);
}

#[test]
fn nothing_comes_of_no_readings() {
    assert!(median(&[]).is_nan() && percentile(&[], 50).is_nan());
}
