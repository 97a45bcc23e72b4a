//! Runs that search for faults: `explore` and `shrink`. The config is loaded to report its problems once; each run gets it
//! as it is written anew.

use std::path::PathBuf;

use serde_json::Value;

use super::proxy::seed;
use super::{Exit, load, report};
use crate::cli::{Explore, RouteSource, Shrink};
use crate::config::Defaults;
use crate::explore::Exploration;
use crate::harness::trial::{NoResult, Subject};
use crate::harness::wrapped::with_routes;
use crate::plan::Plan;
use crate::plan::keys::SEED;
use crate::shrink::Shrinking;

pub(super) fn explore(request: Explore) -> Exit {
    let Explore { config, defaults, seed, subject, settings } = request;
    let plan = match plan(config, defaults, &subject) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let names: Vec<&str> = plan.routes().iter().map(|route| route.name.as_str()).collect();
    if let Some(unknown) = settings.only.unknown_route(&names) {
        return report(&format!("--only {unknown}: the routes are {}", names.join(", ")), Exit::Usage);
    }
    ended(Exploration { config: with_seed(&plan, seed), subject, settings }.execute())
}

/// Without a seed, each run would have other faults.
pub(super) fn shrink(request: Shrink) -> Exit {
    let Shrink { config, defaults, seed: given, subject, repeat, write } = request;
    let plan = match plan(config, defaults, &subject) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let config = with_seed(&plan, Some(seed(given, &plan)));
    ended(Shrinking { config, subject, repeat, write }.execute())
}

fn ended(result: Result<u8, NoResult>) -> Exit {
    match result {
        Ok(code) => Exit::Command(code),
        Err(NoResult::Interrupted(signal)) => Exit::Command(128 + signal.number()),
        Err(NoResult::Unsuitable(what)) => report(&what, Exit::Failed),
        Err(NoResult::Failed(error)) => report(&error.to_string(), Exit::Failed),
    }
}

/// The plan of a file, if the command fits its routes.
fn plan(path: PathBuf, defaults: Defaults, subject: &Subject) -> Result<Plan, Exit> {
    let plan = load(RouteSource::File { path, defaults })?.value;
    match with_routes(subject.command.clone(), plan.routes()) {
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
