//! What a step sets on a route: the values of some of its faults.

use std::fmt;

use super::ramp::{Fraction, between, values_between};
use crate::plan::keys::{CONNECT_TIMEOUT, DROP_MODE, DROP_RATE, LATENCY};
use crate::plan::{DropMode, Route};
use crate::toxic::Toxic;
use crate::toxic::keys::TOXICITY;
use crate::value::{Millis, Probability, Scalar, Timeout, ToxicName, Written};

/// The values to set. Those that are `None` stay as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The share of connections that never reach the upstream.
    pub drop_rate: Option<Probability>,
    /// What the client of a dropped connection observes.
    pub drop_mode: Option<DropMode>,
    /// The delay of a connection.
    pub latency: Option<Millis>,
    /// The limit on dialling the upstream.
    pub connect_timeout: Option<Timeout>,
    /// The toxics that change, each once.
    pub toxics: Vec<ToxicSettings>,
}

/// The values to set of one toxic.
#[derive(Clone, Debug, PartialEq)]
pub struct ToxicSettings {
    /// Its name.
    pub toxic: ToxicName,
    /// The share of connections that it acts on.
    pub toxicity: Option<Probability>,
    /// Attributes and their values.
    pub attributes: Vec<(&'static str, Scalar)>,
}

/// A setting of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingName {
    /// A key of the route.
    Route(&'static str),
    /// A key or an attribute of a toxic.
    Toxic(ToxicName, &'static str),
}

/// Why a route can't have a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsettable {
    /// It has no toxic of that name.
    Toxic(ToxicName),
    /// The attributes are not those of the toxic of that name, or don't fit its others.
    Attributes(ToxicName),
}

impl Settings {
    /// The name and the value of each setting, those of the route first.
    #[must_use]
    pub fn values(&self) -> Vec<(SettingName, Scalar)> {
        let own = self.route_values().map(|(key, value)| (SettingName::Route(key), value));
        let of_toxic = |it: &ToxicSettings| {
            let named = |(key, value)| (SettingName::Toxic(it.toxic.clone(), key), value);
            it.values().into_iter().map(named).collect::<Vec<_>>()
        };
        own.chain(self.toxics.iter().flat_map(of_toxic)).collect()
    }

    /// The key and the value of each setting of the route itself.
    pub(super) fn route_values(&self) -> impl Iterator<Item = (&'static str, Scalar)> {
        let values = [
            self.drop_rate.map(|value| (DROP_RATE.name, value.write())),
            self.drop_mode.map(|value| (DROP_MODE.name, value.write())),
            self.latency.map(|value| (LATENCY.name, value.write())),
            self.connect_timeout.map(|value| (CONNECT_TIMEOUT.name, value.write())),
        ];
        values.into_iter().flatten()
    }

    /// Sets the values. Returns what the route can't have; it gets all others.
    pub fn apply_to(&self, route: &mut Route) -> Vec<Unsettable> {
        route.drop_rate = self.drop_rate.unwrap_or(route.drop_rate);
        route.drop_mode = self.drop_mode.unwrap_or(route.drop_mode);
        route.latency = self.latency.unwrap_or(route.latency);
        route.connect_timeout = self.connect_timeout.unwrap_or(route.connect_timeout);
        self.toxics.iter().filter_map(|toxic| toxic.apply_to(route).err()).collect()
    }

    /// The values that lie this far on the way from those of `route` to these.
    pub(super) fn between(&self, route: &Route, fraction: Fraction) -> Self {
        let toxics = self.toxics.iter().map(|it| match route.toxics.iter().find(|toxic| toxic.name == it.toxic) {
            Some(toxic) => it.between(toxic, fraction),
            None => it.clone(),
        });
        Self {
            drop_rate: self.drop_rate.map(|to| value_between(&route.drop_rate, to, fraction)),
            drop_mode: self.drop_mode,
            latency: self.latency.map(|to| value_between(&route.latency, to, fraction)),
            connect_timeout: self.connect_timeout.map(|to| value_between(&route.connect_timeout, to, fraction)),
            toxics: toxics.collect(),
        }
    }

    /// The most different values that one of them takes on the way from those of `route`.
    pub(super) fn values_between(&self, route: &Route) -> u64 {
        let value = |name: &SettingName| present(route, name);
        let count = |(name, to): &(SettingName, Scalar)| value(name).map_or(1, |from| values_between(&from, to));
        self.values().iter().map(count).max().unwrap_or_default()
    }
}

/// The present value of a setting.
fn present(route: &Route, name: &SettingName) -> Option<Scalar> {
    match name {
        SettingName::Route(key) if *key == DROP_RATE.name => Some(route.drop_rate.write()),
        SettingName::Route(key) if *key == LATENCY.name => Some(route.latency.write()),
        SettingName::Route(key) if *key == CONNECT_TIMEOUT.name => Some(route.connect_timeout.write()),
        SettingName::Route(_) => None,
        SettingName::Toxic(name, key) => {
            let toxic = route.toxics.iter().find(|toxic| toxic.name == *name)?;
            if *key == TOXICITY.name { Some(toxic.toxicity.write()) } else { toxic.effect.attribute(key) }
        }
    }
}

/// A range of numbers has all numbers between two of them, so the result is one of the type.
fn value_between<T: Written>(from: &T, to: T, fraction: Fraction) -> T {
    T::read(between(&from.write(), &to.write(), fraction)).unwrap_or(to)
}

impl ToxicSettings {
    /// The name and the value of each.
    pub(super) fn values(&self) -> Vec<(&'static str, Scalar)> {
        let toxicity = self.toxicity.map(|value| (TOXICITY.name, value.write()));
        toxicity.into_iter().chain(self.attributes.iter().cloned()).collect()
    }

    fn apply_to(&self, route: &mut Route) -> Result<(), Unsettable> {
        let toxic = route.toxics.iter_mut().find(|toxic| toxic.name == self.toxic);
        let toxic = toxic.ok_or_else(|| Unsettable::Toxic(self.toxic.clone()))?;
        let effect = toxic.effect.with(&self.attributes).ok_or_else(|| Unsettable::Attributes(self.toxic.clone()))?;
        toxic.effect = effect;
        toxic.toxicity = self.toxicity.unwrap_or(toxic.toxicity);
        Ok(())
    }

    fn between(&self, toxic: &Toxic, fraction: Fraction) -> Self {
        let attribute = |(name, to): &(&'static str, Scalar)| match toxic.effect.attribute(name) {
            Some(from) => (*name, between(&from, to, fraction)),
            None => (*name, to.clone()),
        };
        Self {
            toxic: self.toxic.clone(),
            toxicity: self.toxicity.map(|to| value_between(&toxic.toxicity, to, fraction)),
            attributes: self.attributes.iter().map(attribute).collect(),
        }
    }
}

/// `dropRate`, or `latency_downstream.jitter`.
impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(key) => f.write_str(key),
            Self::Toxic(toxic, key) => write!(f, "{toxic}.{key}"),
        }
    }
}

/// `dropRate 0.5, latency_downstream.jitter 20`.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |(name, value): &(SettingName, Scalar)| match value {
            Scalar::Text(word) => format!("{name} {word}"),
            value => format!("{name} {value}"),
        };
        f.write_str(&self.values().iter().map(text).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Unsettable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Toxic(name) => write!(f, "it has no toxic `{name}`"),
            Self::Attributes(name) => write!(f, "its toxic `{name}` can't have these attributes"),
        }
    }
}
