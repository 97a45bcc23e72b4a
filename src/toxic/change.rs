//! A toxic with other values of some attributes.

use super::behaviour::Misfit;
use super::declaration::Source;
use super::effect::Effect;
use crate::value::{Key, Scalar, Written};

/// The attributes of an effect, of which some have another value.
struct Changed<'a> {
    effect: &'a Effect,
    changes: &'a [(&'static str, Scalar)],
}

impl Effect {
    /// The same effect with other values of these attributes. `None` if its type has no such attribute, or if the
    /// values are out of range or don't fit each other.
    #[must_use]
    pub fn with(&self, changes: &[(&'static str, Scalar)]) -> Option<Self> {
        let has = |name: &str| self.attribute(name).is_some();
        if !changes.iter().all(|(name, _)| has(name)) {
            return None;
        }
        Self::read(self.as_str(), &mut Changed { effect: self, changes })
    }

    /// The value of an attribute. `None` if its type has no such attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Scalar> {
        self.attributes().find(|(other, _)| *other == name).map(|(_, value)| value)
    }
}

impl Source for Changed<'_> {
    fn value<T: Written>(&mut self, attribute: &'static Key) -> Option<T> {
        let changed = self.changes.iter().find(|(name, _)| *name == attribute.name).map(|(_, value)| value.clone());
        T::read(changed.or_else(|| self.effect.attribute(attribute.name))?).ok()
    }

    fn reject(&mut self, _: Misfit) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::Latency;

    #[test]
    fn other_attributes_stay_and_invalid_ones_are_rejected() {
        let effect = Effect::Latency(Latency::literal(100, 20));
        assert_eq!(effect.with(&[("latency", Scalar::Whole(5))]), Some(Effect::Latency(Latency::literal(5, 20))));
        assert_eq!(effect.with(&[]), Some(effect.clone()));
        assert_eq!(effect.with(&[("latency", Scalar::Whole(-1))]), None);
        assert_eq!(effect.with(&[("rate", Scalar::Whole(1))]), None);
        let correlated = effect.with(&[("correlation", Scalar::Real(0.5))]).expect("it has a jitter");
        assert_eq!(correlated.with(&[("jitter", Scalar::Whole(0))]), None);
        assert!(correlated.with(&[("jitter", Scalar::Whole(0)), ("correlation", Scalar::Real(0.0))]).is_some());
    }
}
