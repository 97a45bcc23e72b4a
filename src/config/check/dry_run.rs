//! A dry run of a scenario on the routes of its file: each step finds what those before it have set, so that a step
//! that would fail in a run is reported.

use super::Check;
use crate::config::problem::{Problem, SourceSpan};
use crate::plan::scenario::{Action, SettingName, Step, restored, written};
use crate::plan::{Conflict, Route, RouteKey, Scope};

/// The routes as the steps so far have left them.
pub(super) struct DryRun {
    /// `None` if the routes have problems of their own. Then nothing is known about them.
    routes: Option<Vec<Route>>,
    original: Vec<Route>,
    ramps: Vec<RunningRamp>,
    rounds: usize,
}

struct RunningRamp {
    step: Step,
    place: SourceSpan,
}

impl DryRun {
    pub(super) fn new(routes: Option<&[Route]>) -> Self {
        let original = routes.unwrap_or_default().to_vec();
        Self { routes: routes.map(<[Route]>::to_vec), original, ramps: Vec::new(), rounds: 1 }
    }

    /// The same for a scenario that repeats. A round leaves the same behind whatever it began with, so the third would
    /// find what the second has found.
    pub(super) fn repeated(self) -> Self {
        Self { rounds: 2, ..self }
    }

    pub(super) fn rounds(&self) -> usize {
        self.rounds
    }

    /// All ramps of the round before have ended.
    pub(super) fn begin_round(&mut self) {
        self.ramps.clear();
    }

    /// The routes that a step changes, if they are known.
    pub(super) fn selected(&self, scope: &Scope) -> Option<Vec<&Route>> {
        Some(self.routes.as_ref()?.iter().filter(|route| scope.contains(&route.name)).collect())
    }

    pub(super) fn routes(&self) -> Option<&[Route]> {
        self.routes.as_deref()
    }

    fn make(&mut self, step: &Step, place: SourceSpan) {
        for route in self.routes.iter_mut().flatten().filter(|route| step.routes.contains(&route.name)) {
            match &step.action {
                Action::Set(settings) | Action::Ramp(_, settings) => drop(settings.apply_to(route)),
                Action::Restore => restored(route, &self.original),
                Action::Switch(state) => route.state = *state,
                Action::Cut(_) => {}
            }
        }
        if let Action::Ramp(..) = step.action {
            self.ramps.push(RunningRamp { step: step.clone(), place });
        }
    }

    /// The ramp that still moves a number of this step when it begins, and which number that is.
    fn overlap(&self, step: &Step) -> Option<(&RunningRamp, SettingName)> {
        let is_running = |ramp: &&RunningRamp| ramp.step.end() > step.at.duration();
        let concerned = self.ramps.iter().filter(is_running).filter(|ramp| ramp.step.routes.overlaps(&step.routes));
        let moved = |ramp: &RunningRamp| numbers(&ramp.step).into_iter().find(|name| touches(step, name));
        concerned.into_iter().find_map(|ramp| Some((ramp, moved(ramp)?)))
    }

    /// A conflict of the routes as they are now.
    fn conflict(&self) -> Option<String> {
        let routes = self.routes.as_ref()?;
        let keys: Vec<RouteKey> = routes.iter().map(Route::key).collect();
        let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
        Conflict::among(&keys).first().map(|conflict| conflict.describe(&names))
    }
}

/// What a ramp moves.
fn numbers(ramp: &Step) -> Vec<SettingName> {
    let Action::Ramp(_, settings) = &ramp.action else { return Vec::new() };
    settings.values().into_iter().map(|(name, _)| name).collect()
}

/// Whether a step changes this setting.
fn touches(step: &Step, name: &SettingName) -> bool {
    match &step.action {
        Action::Set(settings) | Action::Ramp(_, settings) => settings.values().iter().any(|(other, _)| other == name),
        Action::Restore => true,
        Action::Switch(_) | Action::Cut(_) => false,
    }
}

impl Check<'_> {
    /// Makes the step, and reports what it conflicts with.
    pub(super) fn try_step(&mut self, step: &Step, place: SourceSpan, dry_run: &mut DryRun) {
        if let Some((ramp, setting)) = dry_run.overlap(step) {
            let end = written(ramp.step.end());
            let what = format!("a ramp of route `{}` moves `{setting}` until {end}", ramp.step.routes);
            let problem =
                Problem::at(place, what, format!("make this step at \"{end}\" or later, or shorten the ramp"));
            self.problems.push(problem.also(ramp.place, "the ramp"));
        }
        dry_run.make(step, place);
        if let Action::Restore | Action::Switch(_) = step.action
            && let Some(conflict) = dry_run.conflict()
        {
            let what = "after this step, routes would conflict";
            self.problems.push(Problem::at(place, what, conflict));
        }
    }
}
