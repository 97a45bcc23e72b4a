//! Percentile and median.

/// Nearest rank: the smallest reading that at least `percent` % of the readings do not exceed. NaN without readings.
pub fn percentile(readings: &[f64], percent: usize) -> f64 {
    let sorted = sorted(readings);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// The middle reading, or the mean of the middle two. NaN without readings.
pub fn median(readings: &[f64]) -> f64 {
    let sorted = sorted(readings);
    match (sorted.len() / 2, sorted.len() % 2) {
        (0, 0) => f64::NAN,
        (middle, 0) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        (middle, _) => sorted[middle],
    }
}

fn sorted(readings: &[f64]) -> Vec<f64> {
    let mut sorted = readings.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}
