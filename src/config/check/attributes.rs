//! The attributes of a toxic, read as its type declares them.

use super::Check;
use super::keys::{Keys, MapKind};
use crate::config::document::Node;
use crate::config::problem::Problem;
use crate::toxic::{Effect, Misfit, Source, ToxicType};
use crate::value::{Key, Written};

impl<'t> Check<'t> {
    /// Reads the attributes of `toxic`. A missing map is read as an empty one: required attributes are missing in
    /// either. Attributes among the keys of the toxic itself, `misplaced`, are read too, so that each has one problem
    /// only.
    pub(super) fn effect(
        &mut self,
        toxic_type: &ToxicType,
        attributes: Option<&'t Node>,
        misplaced: Vec<&'t (Node, Node)>,
        toxic: &Node,
    ) -> Option<Effect> {
        self.report_misplaced(toxic_type, attributes, &misplaced);
        let map_kind = MapKind::AttributesOf(toxic_type.name);
        let mut keys = match attributes {
            Some(attributes) => Keys::of(self, attributes, map_kind)?,
            None => Keys::none(self, toxic.place.written, map_kind),
        };
        keys.adopt(misplaced);
        let effect = Effect::read(toxic_type.name, &mut keys);
        keys.finish();
        effect
    }

    /// One problem for all of them.
    fn report_misplaced(&mut self, toxic_type: &ToxicType, attributes: Option<&Node>, misplaced: &[&(Node, Node)]) {
        let Some(((first, _), rest)) = misplaced.split_first() else { return };
        let entry = |(key, value): &&(Node, Node)| format!("\"{}\": {}", self.name(key), self.written(value));
        let entries = misplaced.iter().map(entry).collect::<Vec<_>>().join(", ");
        let hint = match attributes {
            Some(_) => format!("move it into `attributes`: {entries}"),
            None => format!("write \"attributes\": {{ {entries} }}"),
        };
        let what = format!("`{}` of a {} toxic belongs in its `attributes`", self.name(first), toxic_type.name);
        let problem = Problem::at(first.place.written, what, hint);
        let also = |problem: Problem, (key, _): &&(Node, Node)| problem.also(key.place.written, "this too");
        self.problems.push(rest.iter().fold(problem, also));
    }
}

impl Source for Keys<'_, '_> {
    fn value<T: Written>(&mut self, attribute: &'static Key) -> Option<T> {
        self.read(attribute)
    }

    fn reject(&mut self, misfit: Misfit) {
        self.report(Problem::rejected(self.position(misfit.attribute), misfit.reason));
    }
}
