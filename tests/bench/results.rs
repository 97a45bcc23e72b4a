//! The readings of all rounds, by scenario, figure and target.

use std::collections::BTreeMap;

use crate::measure::{Better, Figure};
use crate::summary::median;

/// Indices of the targets: no proxy, then chaos-proxy, then the peers.
pub const DIRECT: usize = 0;
pub const OURS: usize = 1;

/// Everything measured. A target is an index into `targets`.
pub struct Results {
    pub targets: Vec<String>,
    pub rows: Vec<Row>,
    pub failures: Vec<Failure>,
}

/// One figure of one scenario, for every target that has it.
pub struct Row {
    pub scenario: &'static str,
    pub name: &'static str,
    pub unit: &'static str,
    pub better: Better,
    pub cells: BTreeMap<usize, Readings>,
}

/// One for each round that succeeded: at least one.
pub struct Readings(Vec<f64>);

/// A target failed in one round of a scenario.
pub struct Failure {
    pub scenario: &'static str,
    pub target: usize,
    pub reason: String,
}

impl Results {
    pub fn new(targets: Vec<String>) -> Self {
        Self { targets, rows: Vec::new(), failures: Vec::new() }
    }

    pub fn add(&mut self, scenario: &'static str, target: usize, figure: &Figure) {
        let same = |row: &Row| (row.scenario, row.name) == (scenario, figure.name);
        let index = self.rows.iter().position(same).unwrap_or_else(|| {
            self.rows.push(Row::new(scenario, figure));
            self.rows.len() - 1
        });
        let readings = self.rows[index].cells.entry(target).or_insert(Readings(Vec::new()));
        readings.0.push(figure.value);
    }

    pub fn add_failure(&mut self, scenario: &'static str, target: usize, reason: String) {
        self.failures.push(Failure { scenario, target, reason });
    }
}

impl Row {
    fn new(scenario: &'static str, figure: &Figure) -> Self {
        Self { scenario, name: figure.name, unit: figure.unit, better: figure.better, cells: BTreeMap::new() }
    }

    /// Such as `bulk-1-up: proxy CPU, s/GiB`.
    pub fn title(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(", {}", self.unit) };
        format!("{}: {}{unit}", self.scenario, self.name)
    }

    /// A target's median as a multiple of another's. None if one is missing, or the ratio is 0 or not finite.
    pub fn ratio(&self, target: usize, to: usize) -> Option<f64> {
        let ratio = self.cells.get(&target)?.median() / self.cells.get(&to)?.median();
        (ratio.is_finite() && ratio > 0.0).then_some(ratio)
    }
}

impl Readings {
    pub fn all(&self) -> &[f64] {
        &self.0
    }

    pub fn median(&self) -> f64 {
        median(&self.0)
    }

    pub fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}
