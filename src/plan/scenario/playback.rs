//! Which change comes when: a scenario that is played over the routes of a config. Time is an argument; the routes
//! depend on it alone, not on how often or how late they were asked for.

use std::time::Duration;

use super::ramp::{Fraction, Moves};
use super::settings::{Settings, Unsettable};
use super::{Action, Scenario, Step};
use crate::plan::{Route, RouteState, Scope};
use crate::value::{RouteName, TimeSpan};

/// A scenario at a point of time.
#[derive(Clone, Debug)]
pub struct Playback {
    scenario: Scenario,
    original: Vec<Route>,
    /// The routes as the config and all changes so far make them.
    routes: Vec<Route>,
    /// The number of rounds before this one.
    round: u32,
    /// The index of the next step of this round.
    next: usize,
    ramps: Vec<Ramp>,
}

/// A ramp that has not ended.
#[derive(Clone, Debug)]
struct Ramp {
    step: Step,
    round: u32,
    begins: Duration,
    moves: Moves,
    /// The number of moves that were made.
    made: u64,
    /// The routes of the step when it began.
    from: Vec<Route>,
    to: Settings,
}

/// A change that is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// When it is due, counted from the start of the scenario.
    pub at: Duration,
    /// The round, from 1.
    pub round: u32,
    /// The step that it belongs to.
    pub step: Step,
    /// The part of the step.
    pub part: Part,
    alterations: Vec<(RouteName, Alteration)>,
}

/// The part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The step itself, or the begin of a ramp, which changes nothing yet.
    Begin,
    /// A move of a ramp.
    Move,
    /// The last move of a ramp.
    End,
}

/// A change of one route.
#[derive(Clone, Debug, PartialEq)]
enum Alteration {
    Set(Settings),
    Restore(Box<Route>),
    Switch(RouteState),
}

impl Playback {
    /// At the start, over these routes.
    #[must_use]
    pub fn new(scenario: Scenario, original: &[Route]) -> Self {
        let (original, routes) = (original.to_vec(), original.to_vec());
        Self { scenario, original, routes, round: 0, next: 0, ramps: Vec::new() }
    }

    /// After this time. What was due before is done.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> Self {
        // A round leaves the same behind, whatever it began with: the one before this one is enough.
        let rounds = elapsed.as_millis().checked_div(self.period().as_millis()).unwrap_or_default();
        let mut playback = Self { round: u32::try_from(rounds).unwrap_or(u32::MAX).saturating_sub(1), ..self };
        while playback.advance(elapsed).is_some() {}
        playback
    }

    /// The scenario that is played.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The routes as they are now.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// When the next change is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        let ramp = self.ramps.iter().map(Ramp::next_at).min();
        [ramp, self.next_step_at()].into_iter().flatten().min()
    }

    /// Makes the next change, if it is due by now. A ramp moves to where it is now: moves that were missed are left
    /// out.
    pub fn advance(&mut self, now: Duration) -> Option<Due> {
        let at = self.next_at().filter(|at| *at <= now)?;
        // A ramp that ends when a step begins comes first.
        let due = match self.ramps.iter().position(|ramp| ramp.next_at() == at) {
            Some(ramp) => self.move_on(ramp, now),
            None => self.begin_step(at),
        };
        due.apply_to(&mut self.routes);
        Some(due)
    }

    /// The time of a round, or 0 if there is only one.
    fn period(&self) -> Duration {
        self.scenario.repeat().map(TimeSpan::duration).unwrap_or_default()
    }

    fn next_step_at(&self) -> Option<Duration> {
        let step = self.scenario.steps().get(self.next)?;
        Some(self.period().saturating_mul(self.round).saturating_add(step.at.duration()))
    }

    fn begin_step(&mut self, at: Duration) -> Due {
        let round = self.round.saturating_add(1);
        let step = self.scenario.steps()[self.next].clone();
        self.next += 1;
        if self.next == self.scenario.steps().len() && self.scenario.repeat().is_some() {
            (self.round, self.next) = (self.round.saturating_add(1), 0);
        }
        if let Action::Ramp(lasts, to) = &step.action {
            let from = self.selected(&step.routes);
            let values = from.iter().map(|route| to.values_between(route)).max().unwrap_or_default();
            let moves = Moves::new(lasts.duration(), values);
            self.ramps.push(Ramp { step: step.clone(), round, begins: at, moves, made: 0, from, to: to.clone() });
        }
        let alterations = self.alterations(&step);
        Due { at, round, step, part: Part::Begin, alterations }
    }

    fn alterations(&self, step: &Step) -> Vec<(RouteName, Alteration)> {
        let alteration = |original: &Route| match &step.action {
            Action::Set(settings) => Some(Alteration::Set(settings.clone())),
            Action::Restore => Some(Alteration::Restore(Box::new(original.clone()))),
            Action::Switch(state) => Some(Alteration::Switch(*state)),
            Action::Ramp(..) | Action::Cut(_) => None,
        };
        let selected = self.original.iter().filter(|route| step.routes.contains(&route.name));
        selected.filter_map(|route| Some((route.name.clone(), alteration(route)?))).collect()
    }

    fn move_on(&mut self, place: usize, now: Duration) -> Due {
        let ramp = &mut self.ramps[place];
        let (at, round, step) = (ramp.next_at(), ramp.round, ramp.step.clone());
        let fraction = ramp.moves.fraction_after(now.saturating_sub(ramp.begins));
        let alterations = ramp.alterations(fraction);
        ramp.made = fraction.part;
        if fraction.part < fraction.of {
            return Due { at, round, step, part: Part::Move, alterations };
        }
        let at = self.ramps.remove(place).ends();
        Due { at, round, step, part: Part::End, alterations }
    }

    fn selected(&self, scope: &Scope) -> Vec<Route> {
        self.routes.iter().filter(|route| scope.contains(&route.name)).cloned().collect()
    }
}

impl Ramp {
    fn next_at(&self) -> Duration {
        self.begins + self.moves.due(self.made + 1)
    }

    fn ends(&self) -> Duration {
        self.begins + self.moves.lasts
    }

    fn alterations(&self, fraction: Fraction) -> Vec<(RouteName, Alteration)> {
        let set = |route: &Route| (route.name.clone(), Alteration::Set(self.to.between(route, fraction)));
        self.from.iter().map(set).collect()
    }
}

impl Due {
    /// Whether it changes any route.
    #[must_use]
    pub fn changes_routes(&self) -> bool {
        !self.alterations.is_empty()
    }

    /// Changes the settings that the step names, and no others. Returns why a route can't have them. On the way of a
    /// ramp two numbers may not fit each other for a moment: then the toxic keeps its values until they do.
    pub fn apply_to(&self, routes: &mut [Route]) -> Vec<String> {
        let apply = |(name, alteration): &(RouteName, Alteration)| match routes.iter_mut().find(|it| it.name == *name) {
            Some(route) => {
                let missing = alteration.apply_to(route);
                missing.into_iter().map(|missing| format!("route `{name}`: {missing}")).collect()
            }
            None => vec![format!("there is no route `{name}`")],
        };
        self.alterations.iter().flat_map(apply).collect()
    }
}

impl Alteration {
    fn apply_to(&self, route: &mut Route) -> Vec<Unsettable> {
        match self {
            Self::Set(settings) => return settings.apply_to(route),
            Self::Restore(original) => route.restore(original),
            Self::Switch(state) => route.state = *state,
        }
        Vec::new()
    }
}
