//! The flags that define one route without a file.

use std::net::IpAddr;

use pico_args::Arguments;

use super::flags::{value, values};
use super::values::{Listen, listen, millis, probability};
use super::{Parsed, UsageError, usage_error};
use crate::config::{Defaults, HostNames, Resolved, auto_port, parse_arguments, parse_upstream};
use crate::plan::{Bind, LocalPort, Plan, PortChoice, Route, Upstream};
use crate::value::{Millis, Port, Probability, Rejected, RouteName};

/// The flags as given: each is valid on its own, except for the upstream, which may have to be looked up,
/// and the toxics, which are parsed together.
#[derive(Debug)]
pub(super) struct LoneRoute {
    listen: Option<Listen>,
    upstream: Option<String>,
    drop_rate: Option<Probability>,
    latency: Option<Millis>,
    profile: Option<String>,
    toxics: Vec<String>,
}

impl LoneRoute {
    pub(super) fn take_from(args: &mut Arguments) -> Parsed<Self> {
        Ok(Self {
            listen: value(args, "--listen", listen)?,
            upstream: value(args, "--upstream", str::parse)?,
            drop_rate: value(args, "--drop-rate", probability)?,
            latency: value(args, "--latency-ms", millis)?,
            profile: value(args, "--profile", str::parse)?,
            toxics: values(args, "--toxic")?,
        })
    }

    /// The first of the flags that is given.
    pub(super) fn first_flag(&self) -> Option<&'static str> {
        let given = [
            ("--listen", self.listen.is_some()),
            ("--upstream", self.upstream.is_some()),
            ("--drop-rate", self.drop_rate.is_some()),
            ("--latency-ms", self.latency.is_some()),
            ("--profile", self.profile.is_some()),
            ("--toxic", !self.toxics.is_empty()),
        ];
        given.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    pub(super) fn plan(&self, bind: Option<Bind>, host_names: HostNames) -> Parsed<Resolved<Plan>> {
        match (self.listen, &self.upstream, self.first_flag()) {
            (Some(listen), Some(text), _) => {
                let Resolved { value, lookups } = upstream(text, host_names)?;
                Ok(Resolved { value: self.route(listen, value, bind)?, lookups })
            }
            (Some(_), None, _) => usage_error("--listen needs --upstream IP:PORT"),
            (None, _, Some(flag)) => usage_error(format!("{flag} needs --listen PORT")),
            (None, _, None) => {
                usage_error("no routes: give a config FILE, --listen PORT --upstream IP:PORT, or --admin")
            }
        }
    }

    fn route(&self, listen: Listen, upstream: Upstream, bind: Option<Bind>) -> Parsed<Plan> {
        let bind = address(listen, bind)?;
        let (port, port_choice) = port(listen, bind, upstream)?;
        let route = Route {
            port_choice,
            drop_rate: self.drop_rate.unwrap_or_default(),
            latency: self.latency.unwrap_or_default(),
            toxics: parse_arguments(self.profile.as_deref(), &self.toxics).map_err(UsageError::Toxics)?,
            ..Route::without_faults(name(listen.port)?, bind, port, upstream)
        };
        // A single route can only conflict with itself, when its upstream is its own listener.
        let is_loop =
            |_| UsageError::Flag(format!("--upstream {upstream} is the listener itself: connections would loop"));
        Plan::new(None, vec![route]).map_err(is_loop)
    }
}

fn upstream(text: &str, host_names: HostNames) -> Parsed<Resolved<Upstream>> {
    parse_upstream(text, host_names).map_err(|rejected| UsageError::Flag(format!("--upstream {text}: {rejected}")))
}

/// The name must not be that of a port that differs from run to run, because faults are drawn for it.
fn name(port: LocalPort) -> Parsed<RouteName> {
    match port {
        LocalPort::Number(port) => Ok(RouteName::from(port)),
        LocalPort::Auto => LocalPort::AUTO.parse().map_err(|rejected: Rejected| UsageError::Flag(rejected.to_string())),
    }
}

fn port(listen: Listen, bind: IpAddr, upstream: Upstream) -> Parsed<(Port, PortChoice)> {
    match listen.port {
        LocalPort::Number(port) => Ok((port, PortChoice::Given)),
        LocalPort::Auto => match auto_port(bind, &upstream.to_string()) {
            Ok(port) => Ok((port, PortChoice::Auto)),
            Err(rejected) => usage_error(format!("--listen auto: {rejected}")),
        },
    }
}

/// The address to listen on: that of `--listen`, of `--bind`, or the default.
fn address(listen: Listen, bind: Option<Bind>) -> Parsed<IpAddr> {
    match (listen.bind, bind) {
        (Some(one), Some(other)) if one != other => {
            usage_error(format!("--listen {one}:{} and --bind {other} name different addresses", listen.port))
        }
        (one, other) => Ok(one.or(other).map_or(Defaults::default().bind, Bind::ip)),
    }
}
