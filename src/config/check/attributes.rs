//! The attributes of a toxic, read as its type declares them.

use super::Check;
use super::keys::{Keys, MapKind};
use crate::config::document::Node;
use crate::config::problem::Problem;
use crate::toxic::{Effect, Misfit, Source, ToxicType};
use crate::value::{Key, Written};

impl<'t> Check<'t> {
    /// A missing map is read as an empty one: required attributes are missing in either.
    pub(super) fn effect(
        &mut self,
        toxic_type: &ToxicType,
        attributes: Option<&'t Node>,
        toxic: &Node,
    ) -> Option<Effect> {
        let map_kind = MapKind::AttributesOf(toxic_type.name);
        let mut keys = match attributes {
            Some(attributes) => Keys::of(self, attributes, map_kind)?,
            None => Keys::none(self, toxic.place.written, map_kind),
        };
        let effect = Effect::read(toxic_type.name, &mut keys);
        keys.finish();
        effect
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
