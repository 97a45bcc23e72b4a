//! The steps of a scenario. What a step sets is read in `settings`; what it conflicts with is found in `rehearsal`.

use super::Check;
use super::keys::{Keys, MapKind};
use super::rehearsal::Rehearsal;
use super::values::short;
use crate::config::document::{Node, Value};
use crate::config::problem::{Problem, SourceSpan};
use crate::plan::keys::{AT, CUT, DOWN, RAMP, REPEAT, SET, STEP_ROUTE, STEPS, UP};
use crate::plan::scenario::{ALL_ROUTES, Action, Misplaced, ORIGINAL, Selection, Step, written};
use crate::plan::{CutMode, Route, RouteState, Scenario};
use crate::spelling::nearest;
use crate::value::{Key, RouteName, TimeSpan};

const EXAMPLE: &str = r#"write a list, such as [ { "at": "10s", "route": "db", "set": { "dropRate": 0.5 } } ]"#;

/// The keys of which a step has one.
const ACTIONS: [&Key; 4] = [&SET, &DOWN, &UP, &CUT];

/// A step whose action is not read yet. What is missing or has a problem is `None`.
pub(super) struct StepDraft<'t> {
    node: &'t Node,
    at: Option<TimeSpan>,
    pub(super) routes: Option<Selection>,
    ramp: Option<TimeSpan>,
}

/// The key and the value of an action.
#[derive(Clone, Copy)]
struct Given<'t> {
    key: &'static str,
    node: &'t Node,
}

impl<'t> Check<'t> {
    /// A list of steps, or an object with one, for these routes. `None` for routes that have problems.
    pub(super) fn scenario(&mut self, node: &'t Node, routes: Option<&[Route]>) -> Option<Scenario> {
        if !matches!(node.value, Value::Map(_)) {
            let steps = self.steps(node, Rehearsal::new(routes))?;
            return self.in_order(node, node, steps, None);
        }
        let mut keys = Keys::of(self, node, MapKind::A("scenario"))?;
        let repeat = keys.read_with(&REPEAT, Check::time, None);
        let list = keys.read_with(&STEPS, |_, node| Some(node), None);
        keys.finish();
        let list = list?;
        let steps = self.steps(list, Rehearsal::new(routes).of_rounds())?;
        self.in_order(node, list, steps, Some(repeat?))
    }

    fn steps(&mut self, node: &'t Node, mut rehearsal: Rehearsal) -> Option<Vec<Step>> {
        let Value::List(nodes) = &node.value else { return self.expected("a list of steps", node, EXAMPLE) };
        if nodes.is_empty() {
            self.problems.push(Problem::at(node.place.written, "there are no steps", EXAMPLE));
        }
        let mut steps = Vec::new();
        for _ in 0..rehearsal.rounds() {
            rehearsal.begin_round();
            steps = nodes.iter().map(|node| self.step(node, &mut rehearsal)).collect();
        }
        steps.into_iter().collect()
    }

    /// Reports steps that are out of order, and a round that ends too early.
    fn in_order(&mut self, node: &Node, list: &Node, steps: Vec<Step>, repeat: Option<TimeSpan>) -> Option<Scenario> {
        let times: Vec<TimeSpan> = steps.iter().map(|step| step.at).collect();
        let at = position(node, REPEAT.name);
        let problem = |misplaced| match misplaced {
            Misplaced::OutOfOrder(place) => out_of_order(list, place, &times),
            Misplaced::RepeatedBefore(end) => {
                let what = format!("the steps take {}, but would begin again before", written(end));
                Problem::at(at, what, format!("use \"{}\" or more", written(end)))
            }
            Misplaced::RepeatedAtOnce => Problem::at(at, "a round takes more than 0s", "use \"1s\" or more"),
        };
        Scenario::new(steps, repeat).map_err(|misplaced| self.problems.push(problem(misplaced))).ok()
    }

    fn step(&mut self, node: &'t Node, rehearsal: &mut Rehearsal) -> Option<Step> {
        let mut keys = Keys::of(self, node, MapKind::A("step"))?;
        let at = keys.read_with(&AT, Check::time, None);
        let routes = keys.read_with(&STEP_ROUTE, |check, node| check.selection(node, rehearsal), Selection::All);
        let ramp = keys.read_with(&RAMP, Check::time, None);
        let mut given = Vec::new();
        for key in ACTIONS {
            given.extend(keys.read_with(key, |_, node| Some(Given { key: key.name, node }), None));
        }
        keys.finish();
        let given = self.only_one(node, &given)?;
        let draft = StepDraft { node, at, routes, ramp };
        let action = self.action(given, &draft, rehearsal)?;
        let step = Step { at: draft.at?, routes: draft.routes?, action };
        self.rehearse(&step, node.place.written, rehearsal);
        Some(step)
    }

    /// Reports a step that does nothing or several things.
    fn only_one(&mut self, step: &Node, given: &[Given<'t>]) -> Option<Given<'t>> {
        let problem = match given {
            [only] => return Some(*only),
            [] => {
                let hint = "add one of set, down, up and cut, such as \"set\": { \"dropRate\": 0.5 }";
                Problem::at(step.place.written, "this step does nothing", hint)
            }
            [first, second, ..] => {
                let what = format!("this step has both `{}` and `{}`", first.key, second.key);
                let hint = "write two steps, which may have the same `at`";
                Problem::at(second.node.place.written, what, hint).also(first.node.place.written, "the other one")
            }
        };
        self.problems.push(problem);
        None
    }

    fn action(&mut self, given: Given<'t>, step: &StepDraft<'t>, rehearsal: &Rehearsal) -> Option<Action> {
        let Given { key, node } = given;
        if key == SET.name {
            return self.set(node, step, rehearsal);
        }
        if let Some(ramp) = step.node.get(RAMP.name) {
            let what = format!("`{key}` happens at once");
            self.problems.push(Problem::at(ramp.place.written, what, "remove `ramp`, which belongs to `set`"));
        }
        match key {
            _ if key == CUT.name => self.value::<CutMode>(node).map(Action::Cut),
            _ if key == DOWN.name => self.only_true(node, UP.name).map(|()| Action::Switch(RouteState::Disabled)),
            _ => self.only_true(node, DOWN.name).map(|()| Action::Switch(RouteState::Enabled)),
        }
    }

    fn set(&mut self, node: &'t Node, step: &StepDraft<'t>, rehearsal: &Rehearsal) -> Option<Action> {
        if let Value::Text(text) = &node.value {
            return self.original(node, text, step);
        }
        let settings = self.settings(node, step, rehearsal);
        if step.node.get(RAMP.name).is_none() {
            return settings.map(Action::Set);
        }
        self.only_numbers(node, settings.as_ref());
        let lasts = step.ramp?;
        if lasts.is_zero() {
            let what = "a ramp takes more than 0s";
            let at = position(step.node, RAMP.name);
            self.problems.push(Problem::at(at, what, "leave `ramp` out, or use \"1s\" or more"));
        }
        settings.map(|settings| Action::Ramp(lasts, settings))
    }

    fn original(&mut self, node: &Node, text: &str, step: &StepDraft<'t>) -> Option<Action> {
        if text != ORIGINAL {
            let hint = format!("write \"{ORIGINAL}\", or an object such as {{ \"dropRate\": 0.5 }}");
            self.problems.push(Problem::at(node.place.written, format!("`{}` can't be set", short(text)), hint));
            return None;
        }
        if let Some(ramp) = step.node.get(RAMP.name) {
            let hint = "write the numbers to move to, or leave `ramp` out";
            self.problems.push(Problem::at(ramp.place.written, format!("`{ORIGINAL}` is set at once"), hint));
        }
        Some(Action::Restore)
    }

    /// A key that has no other value than true.
    fn only_true(&mut self, node: &Node, opposite: &str) -> Option<()> {
        match node.value {
            Value::Bool(true) => Some(()),
            Value::Bool(false) => {
                let hint = format!("write \"{opposite}\": true instead");
                self.problems.push(Problem::at(node.place.written, "this can only be true", hint));
                None
            }
            _ => self.expected("true", node, "write true"),
        }
    }

    fn selection(&mut self, node: &'t Node, rehearsal: &Rehearsal) -> Option<Selection> {
        if matches!(&node.value, Value::Text(text) if text == ALL_ROUTES) {
            return Some(Selection::All);
        }
        let name: RouteName = self.value(node)?;
        let Some(known) = rehearsal.route_names().filter(|known| !known.contains(&name.as_str())) else {
            return Some(Selection::One(name));
        };
        let hint = match nearest(name.as_str(), &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("use the `name` of a route, or \"{ALL_ROUTES}\" for all"),
        };
        self.problems.push(Problem::at(node.place.written, format!("there is no route `{name}`"), hint));
        None
    }

    fn time(&mut self, node: &'t Node) -> Option<TimeSpan> {
        if let Value::Number(_) = node.value {
            let number = self.written(node);
            return self.expected("a time", node, &format!("add a unit, in quotes: \"{number}s\" or \"{number}ms\""));
        }
        self.value(node)
    }
}

fn out_of_order(list: &Node, place: usize, times: &[TimeSpan]) -> Problem {
    let at = |place: usize| match &list.value {
        Value::List(nodes) => nodes.get(place).map_or(list.place.written, |step| position(step, AT.name)),
        _ => list.place.written,
    };
    let what = format!("this step, at {}, is before the one above it, at {}", times[place], times[place - 1]);
    Problem::at(at(place), what, "put the steps in the order of their times").also(at(place - 1), "the one above it")
}

/// The position of the value of `key`, or of the map if it has none.
pub(super) fn position(map: &Node, key: &str) -> SourceSpan {
    map.get(key).unwrap_or(map).place.written
}
