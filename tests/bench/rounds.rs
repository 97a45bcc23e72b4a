//! The order of the measurements: each round runs every scenario, and each scenario every target, so that other load on the
//! machine affects all targets alike. A failure of a target is recorded, and the run continues.

use std::io::{self, IsTerminal, Write};

use crate::measure::measure;
use crate::options::Options;
use crate::results::Results;
use crate::scenario::Scenario;

pub fn run(options: &Options) -> Results {
    let mut results = Results::new(options.targets.iter().map(|target| target.name().to_owned()).collect());
    let steps = steps(options);
    for (number, (round, scenario, index)) in steps.iter().enumerate() {
        let target = &options.targets[*index];
        let what = format!("round {round} of {}: {}, {}", options.effort.rounds, scenario.name, target.name());
        progress(&format!("[{}/{}] {what}", number + 1, steps.len()));
        match measure(scenario, target, &options.effort) {
            Ok(figures) => figures.iter().for_each(|figure| results.add(scenario.name, *index, figure)),
            Err(error) => results.add_failure(scenario.name, *index, error.to_string()),
        }
    }
    progress("");
    results
}

/// Each measurement: its round, its scenario and the index of its target.
fn steps(options: &Options) -> Vec<(usize, &'static Scenario, usize)> {
    let mut steps = Vec::new();
    for round in 1..=options.effort.rounds {
        for scenario in &options.scenarios {
            let indices = 0..options.targets.len();
            let applies = |index: &usize| scenario.applies_to(&options.targets[*index]);
            steps.extend(indices.filter(applies).map(|index| (round, *scenario, index)));
        }
    }
    steps
}

/// On a terminal, replaces the line before it: CR, then EL (ECMA-48). Elsewhere, each is a line of its own.
fn progress(line: &str) {
    let mut stderr = io::stderr();
    // Progress is optional: a closed stderr does not end the run.
    let _ = if stderr.is_terminal() { write!(stderr, "\r\x1b[K{line}") } else { writeln!(stderr, "{line}") };
}
