//! Runs that search for faults: `explore` and `shrink`. The config is loaded to report its problems once; each run gets it
//! as it is written anew.

use std::path::PathBuf;

use serde_json::Value;

use super::proxy::seed;
use super::{Exit, load, report};
use crate::cli::{Explore, RouteSource, Shrink};
use crate::config::Defaults;
use crate::explore::{Exploration, Failure as NotExplored};
use crate::harness::argv::Argv;
use crate::harness::wrapped::with_routes;
use crate::plan::Plan;
use crate::plan::keys::SEED;
use crate::shrink::{Failure as NotShrunk, Shrinking};
use crate::stop::Signal;

pub(super) fn explore(request: Explore) -> Exit {
    let Explore { config, defaults, seed, command, flags, faults, only, most_points, timeout, directory, format } =
        request;
    let plan = match plan(config, defaults, &command) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let names: Vec<&str> = plan.routes().iter().map(|route| route.name.as_str()).collect();
    if let Some(unknown) = only.unknown_route(&names) {
        return report(&format!("--only {unknown}: the routes are {}", names.join(", ")), Exit::Usage);
    }
    let config = with_seed(&plan, seed);
    let exploration = Exploration { config, command, flags, faults, only, most_points, timeout, directory, format };
    match exploration.execute() {
        Ok(code) => Exit::Command(code),
        Err(NotExplored::Interrupted(signal)) => interrupted(signal),
        Err(failure) => report(&failure.to_string(), Exit::Failed),
    }
}

/// Without a seed, each run would have other faults.
pub(super) fn shrink(request: Shrink) -> Exit {
    let Shrink { config, defaults, seed: given, command, flags, repeat, timeout, write } = request;
    let plan = match plan(config, defaults, &command) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let config = with_seed(&plan, Some(seed(given, &plan)));
    match (Shrinking { config, command, flags, repeat, timeout, write }).execute() {
        Ok(code) => Exit::Command(code),
        Err(NotShrunk::Interrupted(signal)) => interrupted(signal),
        Err(failure) => report(&failure.to_string(), Exit::Failed),
    }
}

/// The plan of a file, if the command fits its routes.
fn plan(path: PathBuf, defaults: Defaults, command: &Argv) -> Result<Plan, Exit> {
    let plan = load(RouteSource::File { path, defaults })?.value;
    match with_routes(command.clone(), plan.routes()) {
        Ok(_) => Ok(plan),
        Err(error) => Err(report(&error.to_string(), Exit::Usage)),
    }
}

/// The plan as JSON, with this seed if there is one.
fn with_seed(plan: &Plan, seed: Option<u64>) -> Value {
    let mut config = serde_json::to_value(plan).unwrap_or_default();
    if let Some(seed) = seed {
        config[SEED.name] = seed.into();
    }
    config
}

fn interrupted(signal: Signal) -> Exit {
    Exit::Command(128 + signal.number())
}
