//! Tests the arithmetic of the benchmark in `tests/bench`, which asserts nothing itself.

#[path = "bench/summary.rs"]
mod summary;

use summary::{median, percentile};

#[track_caller]
fn assert_same(found: f64, expected: f64) {
    assert_eq!(found.to_bits(), expected.to_bits(), "{found} is not {expected}");
}

#[test]
fn percentile_is_one_of_the_readings() {
    let readings: Vec<f64> = (1..=200).rev().map(f64::from).collect();
    for (percent, expected) in [(0, 1.0), (1, 2.0), (50, 100.0), (51, 102.0), (99, 198.0), (100, 200.0)] {
        assert_same(percentile(&readings, percent), expected);
    }
}

#[test]
fn percentile_between_two_readings_is_the_greater() {
    assert_same(percentile(&[3.0, 1.0, 2.0], 34), 2.0);
    assert_same(percentile(&[3.0, 1.0, 2.0], 99), 3.0);
}

#[test]
fn single_reading_is_every_percentile() {
    for percent in [0, 50, 99, 100] {
        assert_same(percentile(&[7.0], percent), 7.0);
    }
}

#[test]
fn median_is_the_middle_reading_or_the_mean_of_two() {
    assert_same(median(&[9.0, 1.0, 2.0]), 2.0);
    assert_same(median(&[9.0, 1.0, 2.0, 4.0]), 3.0);
}

#[test]
fn no_readings_yield_nan() {
    assert!(median(&[]).is_nan() && percentile(&[], 50).is_nan());
}
