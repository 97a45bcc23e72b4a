//! A run of the proxy until its first route: loads the config, and sets up what comes before the first thread.

use std::collections::HashSet;
use std::env;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::live_run::{Controls, LiveRun};
use super::{Exit, load_identified, print_error, report};
use crate::admin;
use crate::cli::{AdminOptions, Options, RunSettings, Upstreams};
use crate::config::{Lookup, Resolved};
use crate::control::{ConfigFile, Control};
use crate::dice;
use crate::event::{Event, emit};
use crate::harness::RunFacts;
use crate::harness::argv::Argv;
use crate::harness::exec::DescriptorLimit;
use crate::harness::lifetime::Lifetime;
use crate::harness::report::{ConfigDigest, Output};
use crate::limits::{self, Baseline, Cap, Footprint};
use crate::logging::{self, LogOutput};
use crate::plan::Plan;
use crate::status_line::StatusLine;
use crate::stop::Stop;
use crate::threads;

/// The seed of a run: that of the command line, of the config, or a new one.
pub(super) fn seed(given: Option<u64>, plan: &Plan) -> u64 {
    given.or(plan.seed()).unwrap_or_else(dice::fresh_seed)
}

pub(super) fn proxy(options: Options) -> Exit {
    options.warnings.iter().for_each(warn);
    // Looked at before the file is loaded, so that no change of it is missed.
    let file = match ConfigFile::of(&options) {
        Ok(file) => file,
        Err(error) => return report(&error.to_string(), Exit::Usage),
    };
    let Options { routes, command, settings, .. } = options;
    let (resolved, digest) = match load_identified(routes) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    settings.admin.warning(&resolved.value).iter().for_each(warn);
    let facts = facts(&resolved.value, digest, &settings);
    let prepared = prepare(&resolved, file, command, &settings, facts);
    prepared.unwrap_or_else(|error| report(&error.to_string(), Exit::Failed))
}

fn warn(warning: impl Display) {
    report(&format!("warning: {warning}"), Exit::Done);
}

/// What the run is, for its report.
fn facts(plan: &Plan, config: Option<ConfigDigest>, settings: &RunSettings) -> RunFacts {
    let (expectations, output) = (plan.expectations().to_vec(), settings.report.clone());
    RunFacts { seed: seed(settings.seed, plan), arguments: env::args_os().collect(), config, expectations, output }
}

/// Sets up what every run needs before its first route. Limits and signal masks come before the first thread, which
/// would have the old ones.
fn prepare(
    resolved: &Resolved<Plan>,
    file: Option<ConfigFile>,
    command: Option<Argv>,
    settings: &RunSettings,
    facts: RunFacts,
) -> io::Result<Exit> {
    let output = LogOutput::of(settings.log_file.as_deref())?;
    settings.report.as_ref().map_or(Ok(()), Output::check)?;
    threads::wake_on_time();
    let admin = settings.admin.options(&resolved.value);
    let limit = DescriptorLimit::current();
    let cap = cap(&resolved.value, settings, admin.as_ref());
    let token = admin.as_ref().and_then(|admin| admin.token.clone());
    let control = Control::new(file, admin, settings.defaults)?;
    let status_line = match &command {
        // The terminal belongs to the command.
        Some(_) => StatusLine::Off,
        None => StatusLine::new(settings.log_level, settings.log_format, output.terminal())?,
    };
    let stop = Arc::new(Stop::new()?);
    let lifetime = Lifetime::new(command, limit, token, &stop)?;
    let log = logging::start(settings.log_level, settings.log_format, output)?;
    let display = status_line.below(&log);
    let Resolved { value: plan, lookups } = resolved;
    emit(&Event::Starting(plan, facts.seed, &cap));
    lookups.iter().for_each(Lookup::log);
    let run = LiveRun::new(plan, settings, facts.seed, cap, &stop);
    let (exit, table) = run.execute(facts, Controls { control, lifetime, display });
    // The table comes after the last line.
    drop(log);
    Ok(table.map_or(exit, |table| print_error(&table, exit)))
}

fn cap(plan: &Plan, settings: &RunSettings, admin: Option<&AdminOptions>) -> Cap {
    let (footprint, listeners) = needs(plan, settings.upstreams);
    let (added, admin_clients) = admin.map_or((0, 0), |_| (admin::ADDED_ROUTES, admin::CLIENTS.get()));
    let baseline = Baseline { listeners: listeners + added, admin_clients };
    limits::connection_cap(settings.max_connections, footprint, baseline)
}

/// The costs of a connection, and the number of listeners.
fn needs(plan: &Plan, upstreams: Upstreams) -> (Footprint, usize) {
    let routes = plan.routes().len();
    match upstreams {
        Upstreams::External => (Footprint::PROXIED, routes),
        Upstreams::TestServer => {
            let served: HashSet<SocketAddr> = plan.outer_upstreams().collect();
            (Footprint::PROXIED_AND_SERVED, routes + served.len())
        }
    }
}
