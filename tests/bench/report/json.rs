//! Every reading, as JSON.

use serde_json::{Value, json};

use crate::Outcome;
use crate::machine::Machine;
use crate::options::Options;
use crate::results::{Failure, Readings, Results, Row};

pub fn json(machine: &Machine, options: &Options, results: &Results) -> Outcome<String> {
    let document = json!({
        "machine": {
            "cpu": machine.cpu, "cores": machine.cores, "kernel": machine.kernel, "load_average": machine.load,
        },
        "rounds": options.effort.rounds,
        "window_s": options.effort.window.as_secs_f64(),
        "idle_connections": options.effort.idle_connections,
        "delays": options.effort.delays,
        "results": results.rows.iter().flat_map(|row| of_row(row, results)).collect::<Vec<Value>>(),
        "failures": failures(results),
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn of_row(row: &Row, results: &Results) -> Vec<Value> {
    let cell = |(index, readings): (&usize, &Readings)| {
        json!({
            "scenario": row.scenario, "figure": row.name, "unit": row.unit, "target": results.targets[*index],
            "readings": readings.all(), "median": readings.median(), "min": readings.min(), "max": readings.max(),
        })
    };
    row.cells.iter().map(cell).collect()
}

fn failures(results: &Results) -> Vec<Value> {
    let failure =
        |it: &Failure| json!({ "scenario": it.scenario, "target": results.targets[it.target], "reason": it.reason });
    results.failures.iter().map(failure).collect()
}
