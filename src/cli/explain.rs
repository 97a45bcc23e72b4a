//! The flags about `--explain`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use pico_args::Arguments;

use super::flags::value;
use super::values::{client, destination};
use super::{Parsed, RouteSource, usage_error};
use crate::explain::Peers;

/// The number of connections that are explained by default.
const CONNECTIONS: u32 = 20;

/// What to explain.
#[derive(Debug)]
pub struct Explain {
    /// The routes to explain.
    pub routes: RouteSource,
    /// Overrides the seed in the config file.
    pub seed: Option<u64>,
    /// The number of connections of each route.
    pub connections: u32,
    /// Where connections come from, and go.
    pub peers: Peers,
    /// How the answer is printed.
    pub format: ExplainFormat,
}

/// How an explanation is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainFormat {
    /// Lines for a person.
    Text,
    /// One JSON document.
    Json,
}

/// The flags as given.
#[derive(Debug)]
pub(super) struct ExplainFlags {
    connections: Option<u32>,
    client: Option<IpAddr>,
    destination: Option<SocketAddr>,
    json: bool,
    explain: bool,
}

impl ExplainFlags {
    pub(super) fn take_from(args: &mut Arguments) -> Parsed<Self> {
        Ok(Self {
            connections: value(args, "--connections", explained)?,
            client: value(args, "--client", client)?,
            destination: value(args, "--destination", destination)?,
            json: args.contains("--json"),
            explain: args.contains("--explain"),
        })
    }

    /// Whether to explain. The other flags need `--explain`.
    pub(super) fn is_given(&self) -> Parsed<bool> {
        let others = [
            ("--connections", self.connections.is_some()),
            ("--client", self.client.is_some()),
            ("--destination", self.destination.is_some()),
            ("--json", self.json),
        ];
        match others.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) if !self.explain => usage_error(format!("{flag} needs --explain")),
            _ => Ok(self.explain),
        }
    }

    pub(super) fn into_explain(self, routes: RouteSource, seed: Option<u64>) -> Explain {
        Explain {
            routes,
            seed,
            connections: self.connections.unwrap_or(CONNECTIONS),
            peers: Peers { client: self.client.unwrap_or(Ipv4Addr::LOCALHOST.into()), destination: self.destination },
            format: if self.json { ExplainFormat::Json } else { ExplainFormat::Text },
        }
    }
}

/// The most connections take seconds to explain, not hours.
fn explained(text: &str) -> Result<u32, &'static str> {
    const MOST: u32 = 100_000;
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or("use a whole number, 1 to 100000")
}
