//! Plays a scenario: waits for each change, and makes it. Which change comes when is decided in `plan::scenario`.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, at, bounded, never, select};

use crate::event::{Event, Origin, ScenarioEvent, emit};
use crate::plan::scenario::{Action, Due, Part, Playback, Step};
use crate::plan::{Plan, Scenario};
use crate::proxy::{AppliedChange, ApplyError, OldConnections, Supervisor};
use crate::stop::Stop;
use crate::threads;

/// The most steps that [`Player::steps`] remembers. A scenario may be repeated for days.
const REMEMBERED: usize = 10_000;

/// The scenario of a run, from its start to the drain. It may have none.
#[derive(Debug)]
pub struct Player {
    supervisor: Arc<Supervisor>,
    stop: Arc<Stop>,
    /// Locked while a change is made, so that a reload and a step can't be made at once. No connection waits for it.
    state: Mutex<State>,
    /// Wakes the thread after the scenario has changed.
    wake: Sender<()>,
    woken: Receiver<()>,
}

#[derive(Debug)]
struct State {
    began: Instant,
    playback: Playback,
    thread: Thread,
    /// The last ones that were made.
    steps: VecDeque<StepDone>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thread {
    /// A run without a scenario needs none.
    Absent,
    Running,
}

/// A scenario at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Playing {
    /// Its steps.
    pub scenario: Scenario,
    /// The time since it began.
    pub elapsed: Duration,
}

/// A step that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDone {
    /// When it was due, counted from the start of the scenario.
    pub at: Duration,
    /// When it was done, or when its ramp had begun.
    pub ran_at: Duration,
    /// The same as a point of time.
    pub made: Instant,
    /// The route, or `*`.
    pub route: String,
    /// What it does.
    pub step: String,
    /// Why it could not be made, or not for all routes.
    pub error: Option<String>,
}

impl Player {
    /// A player without a scenario.
    #[must_use]
    pub fn new(supervisor: Arc<Supervisor>, stop: Arc<Stop>) -> Self {
        let (wake, woken) = bounded(1);
        let state = State {
            began: Instant::now(),
            playback: Playback::new(Scenario::default(), &[]),
            thread: Thread::Absent,
            steps: VecDeque::new(),
        };
        Self { supervisor, stop, state: Mutex::new(state), wake, woken }
    }

    /// Plays the scenario of the plan, whose routes are live, as if it had begun at that time.
    ///
    /// # Errors
    /// No thread is available.
    pub fn start(self: &Arc<Self>, plan: &Plan, began: Instant) -> io::Result<()> {
        let mut state = self.state();
        state.began = began;
        state.playback = Playback::new(plan.scenario().clone(), plan.routes());
        self.run(&mut state)
    }

    /// Makes a plan that was loaded again live. A scenario that has changed begins again. One that has not goes on: what it
    /// has set so far stays set.
    ///
    /// # Errors
    /// Those of [`Supervisor::apply`].
    pub fn reload(self: &Arc<Self>, plan: &Plan, origin: Origin) -> Result<Vec<AppliedChange>, ApplyError> {
        let mut state = self.state();
        let playback = Playback::new(plan.scenario().clone(), plan.routes());
        if state.playback.scenario() == plan.scenario() {
            let playback = playback.after(state.began.elapsed());
            let applied = self
                .supervisor
                .edit(origin, OldConnections::Continue, |_| Ok::<_, ApplyError>(playback.routes().to_vec()))?;
            state.playback = playback;
            // A ramp may move earlier than it would have from the values of the old file.
            self.wake();
            return Ok(applied);
        }
        let applied = self.supervisor.apply(plan, origin)?;
        emit(&Event::Scenario(ScenarioEvent::Replaced(origin, plan.scenario().steps().len())));
        (state.began, state.playback) = (Instant::now(), playback);
        self.run(&mut state).map_err(ApplyError::Starved)?;
        Ok(applied)
    }

    /// The scenario, and the time in it.
    #[must_use]
    pub fn playing(&self) -> Playing {
        let state = self.state();
        Playing { scenario: state.playback.scenario().clone(), elapsed: state.began.elapsed() }
    }

    /// The last 10,000 steps that were made, also those of a scenario that was replaced.
    #[must_use]
    pub fn steps(&self) -> Vec<StepDone> {
        self.state().steps.iter().cloned().collect()
    }

    /// Wakes the thread, or starts it if there is something to play.
    fn run(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        if state.thread == Thread::Absent && !state.playback.scenario().is_empty() {
            let player = Arc::clone(self);
            threads::spawn("scenario", move || player.play())?;
            state.thread = Thread::Running;
        }
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        // A wake-up that waits already is enough.
        let _ = self.wake.try_send(());
    }

    /// Makes each change at its time, until the drain begins.
    fn play(&self) {
        loop {
            let next = self.state().next();
            let timer = next.map_or_else(never, at);
            select! {
                recv(self.stop.draining().channel()) -> _ => return,
                recv(self.woken) -> _ => {},
                recv(timer) -> _ => self.advance(),
            }
            if self.stop.draining().is_triggered() {
                return;
            }
        }
    }

    /// Makes the next change, if it is due.
    fn advance(&self) {
        let mut state = self.state();
        let now = state.began.elapsed();
        let Some(due) = state.playback.advance(now) else { return };
        let problems = self.make(&due);
        let ran_at = state.began.elapsed();
        report(&due, ran_at, &problems);
        match due.part {
            Part::Begin => state.record(&due, ran_at, &problems),
            Part::Move => {}
            Part::End => state.record_end(&due, &problems),
        }
    }

    /// Returns why it could not be made.
    fn make(&self, due: &Due) -> Vec<String> {
        if let Action::Cut(mode) = due.step.action {
            for route in self.supervisor.configured().iter().filter(|route| due.step.routes.contains(&route.name)) {
                self.supervisor.end_connections(Origin::Scenario, &route.name, mode.close_mode());
            }
        }
        if !due.changes_routes() {
            return Vec::new();
        }
        let mut problems = Vec::new();
        let edited = self.supervisor.edit(Origin::Scenario, OldConnections::Continue, |mut routes| {
            problems = due.apply_to(&mut routes);
            Ok::<_, ApplyError>(routes)
        });
        problems.extend(edited.err().filter(|error| !matches!(error, ApplyError::Draining)).map(|it| it.to_string()));
        problems
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// When the next change is due.
    fn next(&self) -> Option<Instant> {
        self.began.checked_add(self.playback.next_at()?)
    }

    fn record(&mut self, due: &Due, ran_at: Duration, problems: &[String]) {
        if self.steps.len() == REMEMBERED {
            self.steps.pop_front();
        }
        let Step { routes, action, .. } = &due.step;
        let error = (!problems.is_empty()).then(|| problems.join("; "));
        let (route, step) = (routes.to_string(), action.to_string());
        let made = self.began + ran_at;
        self.steps.push_back(StepDone { at: due.at, ran_at, made, route, step, error });
    }

    /// Adds why a ramp could not be made to the step that it began with.
    fn record_end(&mut self, due: &Due, problems: &[String]) {
        let Step { routes, action, .. } = &due.step;
        let (Action::Ramp(lasts, _), false) = (action, problems.is_empty()) else { return };
        let began = due.at.saturating_sub(lasts.duration());
        let (route, step) = (routes.to_string(), action.to_string());
        let is_begin = |done: &&mut StepDone| done.at == began && done.route == route && done.step == step;
        if let Some(done) = self.steps.iter_mut().rev().find(is_begin) {
            done.error = Some(problems.join("; "));
        }
    }
}

/// Moves of a ramp are too many for the log: its begin and its end are logged. What a move can't set, the last one can't
/// either.
fn report(due: &Due, ran_at: Duration, problems: &[String]) {
    let late = ran_at.saturating_sub(due.at);
    match due.part {
        Part::Begin => emit(&Event::Scenario(ScenarioEvent::StepMade(&due.step, due.round, late))),
        Part::Move => return,
        Part::End => emit(&Event::Scenario(ScenarioEvent::RampEnded(&due.step, due.round, late))),
    }
    for problem in problems {
        emit(&Event::Scenario(ScenarioEvent::StepFailed(&due.step, problem)));
    }
}
