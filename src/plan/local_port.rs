//! The port of a route as the config has it: a number, or `auto` for one that is free.

use std::fmt;
use std::net::IpAddr;

use super::Route;
use crate::value::{Bounds, Kind, Port, Rejected, Scalar, Unit, Written};

/// The port of a route as the config has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalPort {
    /// This one.
    Number(Port),
    /// One that is free when the route is made.
    Auto,
}

impl LocalPort {
    /// The word for a port that is free.
    pub const AUTO: &'static str = "auto";

    /// The port of a route.
    #[must_use]
    pub fn of(route: &Route) -> Self {
        match route.port_choice {
            PortChoice::Given => Self::Number(route.port),
            PortChoice::Auto => Self::Auto,
        }
    }
}

impl Written for LocalPort {
    const KIND: Kind = Kind::WholeOr(Bounds { least: 1, most: u16::MAX as u64, unit: Unit::None }, Self::AUTO);

    fn read(scalar: Scalar) -> Result<Self, Rejected> {
        match scalar {
            Scalar::Text(word) if word == Self::AUTO => Ok(Self::Auto),
            scalar => Port::read(scalar).map(Self::Number).map_err(|rejected| {
                let hint = format!("{}, or \"{}\" for a port that is free", rejected.hint, Self::AUTO);
                Rejected { hint, ..rejected }
            }),
        }
    }

    fn write(&self) -> Scalar {
        match self {
            Self::Number(port) => port.write(),
            Self::Auto => Scalar::Text(Self::AUTO.to_owned()),
        }
    }
}

impl fmt::Display for LocalPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(port) => port.fmt(f),
            Self::Auto => f.write_str(Self::AUTO),
        }
    }
}

/// What has chosen the port of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortChoice {
    /// The config.
    #[default]
    Given,
    /// The system.
    Auto,
}

impl Route {
    /// The address to listen on as the config has it: `127.0.0.1:auto` if the system chooses the port, whose number may
    /// still change before the route opens.
    #[must_use]
    pub fn written_listen(&self) -> String {
        let port = LocalPort::of(self);
        match self.bind {
            IpAddr::V4(ip) => format!("{ip}:{port}"),
            IpAddr::V6(ip) => format!("[{ip}]:{port}"),
        }
    }
}

/// Replaces each port that the system has chosen by the one that it has chosen for the live route of the same name,
/// which clients know already.
#[must_use]
pub fn keep_auto_ports(mut routes: Vec<Route>, live: &[Route]) -> Vec<Route> {
    for route in routes.iter_mut().filter(|route| route.port_choice == PortChoice::Auto) {
        let present = live.iter().find(|live| live.name == route.name && live.port_choice == PortChoice::Auto);
        route.port = present.map_or(route.port, |present| present.port);
    }
    routes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, port: u16, port_choice: PortChoice) -> Route {
        let port = Port::try_from(i128::from(port)).expect("a port");
        let (name, upstream) = (name.parse().expect(name), "127.0.0.1:1".parse().expect("an address"));
        Route { port_choice, ..Route::without_faults(name, [127, 0, 0, 1].into(), port, upstream) }
    }

    #[test]
    fn a_chosen_port_is_kept_by_name() {
        use PortChoice::{Auto, Given};
        let live = [route("a", 1, Auto), route("b", 2, Given), route("c", 3, Auto)];
        let wanted = vec![route("a", 11, Auto), route("b", 12, Auto), route("c", 13, Given), route("d", 14, Auto)];
        let ports: Vec<u16> = keep_auto_ports(wanted, &live).iter().map(|route| route.port.get()).collect();
        assert_eq!(ports, [1, 12, 13, 14]);
    }

    #[test]
    fn an_address_is_written_with_the_word() {
        let six = |port_choice| Route { bind: [0, 0, 0, 0, 0, 0, 0, 1].into(), ..route("a", 5, port_choice) };
        assert_eq!(route("a", 5, PortChoice::Auto).written_listen(), "127.0.0.1:auto");
        assert_eq!(six(PortChoice::Auto).written_listen(), "[::1]:auto");
        assert_eq!(six(PortChoice::Given).written_listen(), "[::1]:5");
    }

    #[test]
    fn a_port_is_a_number_or_a_word() {
        let read = |scalar: Scalar| LocalPort::read(scalar).map_err(|rejected| rejected.hint);
        assert_eq!(read(Scalar::Text("auto".to_owned())), Ok(LocalPort::Auto));
        assert!(matches!(read(Scalar::Whole(8180)), Ok(LocalPort::Number(port)) if port.get() == 8180));
        let hint = Err("use 1 to 65535, or \"auto\" for a port that is free".to_owned());
        assert_eq!(read(Scalar::Whole(0)), hint);
    }
}
