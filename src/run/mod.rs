//! Executes the parsed command line, to the exit code. A run of the proxy begins in `proxy` and goes on in `live_run`.

mod live_run;
mod proxy;
mod search;

use std::env;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use self::proxy::{proxy, seed};
use crate::cli::{self, Command, Explain, ExplainFormat, Repeat, RouteSource, Runs, UsageError};
use crate::config::{self, Resolved};
use crate::ctl;
use crate::explain::explain;
use crate::harness::exec::Exec;
use crate::harness::repeat::{Seeds, Series};
use crate::harness::report::{ConfigDigest, ShownFormat, shown};
use crate::harness::wrapped::with_routes;
use crate::overview;
use crate::plan::{Plan, plan_differences};
use crate::redirect::{Firewall, script};
use crate::stop::Signal;
use crate::terminal::Terminal;

/// How a run ended. Converts into the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: success, no connection was cut.
    Done,
    /// 1: the run could not start, or connections were cut at the drain deadline.
    Failed,
    /// 2: the command line or the config is invalid.
    Usage,
    /// 4: the run itself succeeded, but an expectation of the config has failed.
    Unmet,
    /// 130 or 143: a second signal cut the drain short. Shells use the same codes for a process killed by the signal.
    CutBy(Signal),
    /// The exit code of a wrapped command, or that of a shell for one that can't be started.
    Command(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unmet => 4,
            Exit::CutBy(signal) => 128 + signal.number(),
            Exit::Command(code) => code,
        })
    }
}

/// Executes the parsed command line.
#[must_use]
pub fn run(command: Result<Command, UsageError>) -> Exit {
    match command {
        Ok(Command::Help) => print(&cli::help()),
        Ok(Command::FullHelp) => print(&cli::full_help()),
        Ok(Command::Version) => print(cli::VERSION),
        Ok(Command::BuildDetails) => print(&cli::build_details()),
        Ok(Command::Schema) => print(&config::schema()),
        Ok(Command::Completions(shell)) => print(&cli::completions(shell)),
        Ok(Command::Man) => print(&cli::man()),
        Ok(Command::Check(routes)) => check(routes),
        Ok(Command::Explain(request)) => explained(request),
        Ok(Command::Redirect { routes, firewall, user }) => print_redirect(routes, firewall, user),
        Ok(Command::Compare { old, new }) => compare(old, new),
        Ok(Command::Run(options)) => proxy(*options),
        Ok(Command::Repeat(series)) => repeat(*series),
        Ok(Command::Exec(exec)) => become_command(*exec),
        Ok(Command::ExploreHelp) => print(&cli::explore_help()),
        Ok(Command::Explore(request)) => search::explore(*request),
        Ok(Command::ShrinkHelp) => print(&cli::shrink_help()),
        Ok(Command::Shrink(request)) => search::shrink(*request),
        Ok(Command::ReportHelp) => print(&cli::report_help()),
        Ok(Command::Report(path, format)) => show(&path, format),
        Ok(Command::CtlHelp) => print(&cli::ctl_help()),
        Ok(Command::Ctl(invocation)) => control_other_process(*invocation),
        Err(UsageError::Flag(what)) => report(&format!("{what}\ntry `chaos-proxy --help`"), Exit::Usage),
        Err(UsageError::Of(command, what)) => {
            report(&format!("{what}\ntry `chaos-proxy {command} --help`"), Exit::Usage)
        }
        Err(UsageError::Toxics(problems)) => print_report(&problems),
    }
}

fn check(routes: RouteSource) -> Exit {
    match load(routes) {
        Ok(Resolved { value: plan, lookups }) => print(&format!("{}{}", lines(&lookups), overview::of(&plan))),
        Err(exit) => exit,
    }
}

/// Prints what a run will do. Without a seed, each run does something else.
fn explained(request: Explain) -> Exit {
    let Explain { routes, seed, connections, peers, format } = request;
    let plan = match load(routes) {
        Ok(resolved) => resolved.value,
        Err(exit) => return exit,
    };
    let Some(seed) = seed.or(plan.seed()) else {
        return report("--explain needs a seed: give --seed N, or write \"seed\": N into the file", Exit::Usage);
    };
    let explanation = explain(&plan, seed, connections.into(), peers);
    match format {
        ExplainFormat::Text => print(&explanation.to_string()),
        ExplainFormat::Json => print(&format!("{:#}\n", explanation.to_json())),
    }
}

fn print_redirect(routes: RouteSource, firewall: Firewall, user: Option<String>) -> Exit {
    let user = user.unwrap_or_else(|| rustix::process::geteuid().as_raw().to_string());
    let plan = match load(routes) {
        Ok(resolved) => resolved.value,
        Err(exit) => return exit,
    };
    let Some(script) = script(&plan, firewall, &user) else {
        let what = "nothing is redirected: no enabled route has \"upstream\": \"original\", or it is transparent and listens on \
                    a loopback address only: set `bind`";
        return report(what, Exit::Usage);
    };
    print(&script)
}

/// Prints a line for each difference.
fn compare(old: RouteSource, new: RouteSource) -> Exit {
    match (load(old), load(new)) {
        (Ok(old), Ok(new)) => {
            let differences = plan_differences(&old.value, &new.value);
            print(&if differences.is_empty() { "no change\n".to_owned() } else { lines(&differences) })
        }
        (Err(exit), _) | (_, Err(exit)) => exit,
    }
}

fn lines<T: Display>(values: &[T]) -> String {
    values.iter().flat_map(|value| [value.to_string(), "\n".to_owned()]).collect()
}

fn load(routes: RouteSource) -> Result<Resolved<Plan>, Exit> {
    load_identified(routes).map(|(plan, _)| plan)
}

/// Also returns which file it was, unless the routes are flags.
fn load_identified(routes: RouteSource) -> Result<(Resolved<Plan>, Option<ConfigDigest>), Exit> {
    match routes {
        RouteSource::Flags(resolved) => Ok((resolved, None)),
        RouteSource::File { path, defaults } => {
            let source = config::Source::read(&path);
            let loaded =
                source.and_then(|source| Ok((source.parse(defaults)?, ConfigDigest::of(&source.name, &source.text))));
            loaded.map(|(plan, digest)| (plan, Some(digest))).map_err(|report| print_report(&report))
        }
    }
}

/// Shows a report that was written as JSON.
fn show(path: &Path, format: ShownFormat) -> Exit {
    let text = if path == Path::new(cli::STDIN) { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
    match text.map(|text| shown(&text, format)) {
        Ok(Some(page)) => print(&page),
        Ok(None) => {
            let what = "this is not what --report FILE.json or explore --json writes";
            report(&format!("{}: {what}", path.display()), Exit::Usage)
        }
        Err(error) => report(&format!("can't read {}: {error}", path.display()), Exit::Failed),
    }
}

fn control_other_process(invocation: ctl::Invocation) -> Exit {
    match ctl::execute(invocation) {
        Ok(()) => Exit::Done,
        Err(ctl::CtlError::Usage(what)) => report(&what, Exit::Usage),
        Err(ctl::CtlError::Refused(what)) => report(&what, Exit::Failed),
    }
}

fn become_command(exec: Exec) -> Exit {
    let (code, reason) = exec.run();
    report(&reason, Exit::Command(code))
}

/// The config is loaded only to report its problems once, also those of the command with it, and to find its seed.
fn repeat(repeat: Repeat) -> Exit {
    let Repeat { routes, seed: given, report: output, command, flags, runs, after_failure } = repeat;
    let plan = match load(routes) {
        Ok(resolved) => resolved.value,
        Err(exit) => return exit,
    };
    if let Err(error) = with_routes(command.clone(), plan.routes()) {
        return report(&error.to_string(), Exit::Usage);
    }
    let seeds = match runs {
        Runs::Count(count) => Seeds::consecutive(seed(given, &plan), count.get()),
        Runs::Seeds(seeds) => seeds,
    };
    let name = env::args_os().next().unwrap_or_else(|| env!("CARGO_PKG_NAME").into());
    let reports = output.map(|output| output.destination);
    let ended = Series { name, flags, reports, command, seeds, after_failure }.execute();
    ended.map_or_else(|error| report(&format!("can't run: {error}"), Exit::Failed), Exit::Command)
}

fn print(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    // A closed stdout is not an error: `chaos-proxy --help | head -1` closes it early.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Exit::Done
}

/// Reports an error from before the log is started.
fn report(what: &str, exit: Exit) -> Exit {
    print_error(&format!("chaos-proxy: {what}"), exit)
}

fn print_report(report: &config::Report) -> Exit {
    print_error(&report.printed(Terminal::of_stderr().colors()), Exit::Usage)
}

/// Prints without the program's name, because editors jump to lines that begin with `file:line:column`.
fn print_error(what: &str, exit: Exit) -> Exit {
    // If stderr is closed, the exit code is the only report.
    let _ = writeln!(io::stderr(), "{what}");
    exit
}
