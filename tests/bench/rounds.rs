//! The order of things: in each round every scenario, and in each scenario every target, so that the targets share
//! whatever else goes on in the machine. A target that fails is noted, and the run goes on.

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

/// Each measurement: its round, its scenario and the place of its target.
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

/// One line, written over the one before: back to its start, erase it (ECMA-48, CR and EL). In a file, each has its own.
fn progress(line: &str) {
    let mut stderr = io::stderr();
    // Without a stderr there is nobody to tell.
    let _ = if stderr.is_terminal() { write!(stderr, "\r\x1b[K{line}") } else { writeln!(stderr, "{line}") };
}
