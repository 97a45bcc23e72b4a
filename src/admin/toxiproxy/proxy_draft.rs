//! The proxies of requests that create them.

use std::net::IpAddr;

use super::addresses::{Listen, upstream};
use super::body::{Fields, list};
use super::error::ToxiproxyError;
use super::toxic_draft::ToxicDraft;
use super::toxics;
use crate::config::HostNames;
use crate::plan::keys::{ENABLED, NAME, TOXICS, UPSTREAM};
use crate::plan::{Route, RouteState, Upstream};
use crate::toxic::Toxic;
use crate::value::{Port, RouteName};

/// The address that a proxy listens on.
pub const LISTEN: &str = "listen";

/// A proxy of a request.
pub struct ProxyDraft {
    pub name: RouteName,
    pub listen: Listen,
    pub upstream: Upstream,
    pub toxics: Vec<Toxic>,
    state: RouteState,
}

impl ProxyDraft {
    /// Checks that the required fields are there. In a list, all proxies are checked for that first.
    pub fn require(fields: &Fields) -> Result<(), ToxiproxyError> {
        for key in [NAME, UPSTREAM] {
            if fields.text(key.name)?.is_none_or(str::is_empty) {
                return Err(ToxiproxyError::MissingField(key.name.to_owned()));
            }
        }
        Ok(())
    }

    /// A host name of the upstream is looked up.
    pub fn read(fields: &Fields, host_names: HostNames) -> Result<Self, ToxiproxyError> {
        Self::require(fields)?;
        let name = fields.text(NAME.name)?.unwrap_or_default();
        Ok(Self {
            name: name.parse().map_err(|rejected| ToxiproxyError::of_field(NAME.name, &rejected))?,
            listen: Listen::parse(fields.text(LISTEN)?.unwrap_or_default())?,
            upstream: upstream(fields.text(UPSTREAM.name)?.unwrap_or_default(), host_names)?,
            state: state(fields)?.unwrap_or_default(),
            toxics: toxics_of(fields)?,
        })
    }

    /// Whether a route has the same addresses.
    pub fn is_at(&self, route: &Route) -> bool {
        self.listen.is_of(route) && self.upstream == route.upstream
    }

    /// The route, which listens on this address.
    pub fn route(&self, bind: IpAddr, port: Port) -> Route {
        let route = Route::without_faults(self.name.clone(), bind, port, self.upstream);
        Route { state: self.state, toxics: self.toxics.clone(), ..route }
    }
}

/// The state that the field `enabled` asks for.
pub fn state(fields: &Fields) -> Result<Option<RouteState>, ToxiproxyError> {
    let state = |enabled| if enabled { RouteState::Enabled } else { RouteState::Disabled };
    fields.flag(ENABLED.name).map(|flag| flag.map(state))
}

fn toxics_of(fields: &Fields) -> Result<Vec<Toxic>, ToxiproxyError> {
    let mut added = Vec::new();
    for toxic in list(TOXICS.name, fields.get(TOXICS.name).cloned().unwrap_or_default())? {
        let draft = ToxicDraft::read(Fields::of("a toxic", toxic)?)?;
        toxics::add(&mut added, &draft)?;
    }
    Ok(added)
}
