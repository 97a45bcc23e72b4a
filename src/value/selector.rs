//! Which connections of a route a toxic acts on, and when.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use super::word::text;
use super::{Destination, Millis, Rejected, Timeout};

/// The connections that a toxic applies to, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    /// The numbers of connections on the route.
    pub connections: Connections,
    /// The clients' networks. Empty for all clients.
    pub clients: Vec<Network>,
    /// Where connections go. Empty for all destinations.
    pub destinations: Vec<Destination>,
    /// When the toxic acts.
    pub window: Window,
    /// The bytes that it acts on.
    pub offsets: Offsets,
}

impl Selector {
    /// Whether it selects the route's connection with this number (1, 2, 3, …), client and destination, if it has one.
    #[must_use]
    pub fn selects(&self, number: u64, client: IpAddr, destination: Option<SocketAddr>) -> bool {
        let from_there = self.clients.is_empty() || self.clients.iter().any(|network| network.contains(client));
        let to_there = self.destinations.is_empty()
            || destination.is_some_and(|address| self.destinations.iter().any(|it| it.contains(address)));
        from_there && to_there && self.connections.include(number)
    }
}

/// A set of connection numbers; the default is all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connections {
    /// Numbers in any of these ranges, both ends included.
    Ranges(Vec<(u64, u64)>),
    /// Multiples of this number.
    Every(NonZeroU64),
}

impl Connections {
    fn include(&self, number: u64) -> bool {
        match self {
            Self::Ranges(ranges) => ranges.iter().any(|&(first, last)| (first..=last).contains(&number)),
            Self::Every(step) => number.is_multiple_of(step.get()),
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::Ranges(vec![(1, u64::MAX)])
    }
}

/// The notation that is parsed. It is no longer than the original text, whose length is limited in a config.
impl fmt::Display for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(step) => write!(f, "*/{step}"),
            Self::Ranges(ranges) => write_ranges(ranges, f),
        }
    }
}

fn write_ranges(ranges: &[(u64, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, (first, last)) in ranges.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        match last {
            &u64::MAX => write!(f, "{comma}{first}-")?,
            last if last == first => write!(f, "{comma}{first}")?,
            last => write!(f, "{comma}{first}-{last}")?,
        }
    }
    Ok(())
}

/// A set of bytes of a stream, by their offsets from 0; the default is all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets(Vec<(u64, u64)>);

impl Offsets {
    /// Whether it has every byte.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the byte at `offset` is one of them, and the first offset after it for which this may be different.
    #[must_use]
    pub fn part(&self, offset: u64) -> (bool, u64) {
        let contains = self.0.iter().any(|&(first, last)| (first..=last).contains(&offset));
        let edges = self.0.iter().flat_map(|&(first, last)| [first, last.saturating_add(1)]);
        (contains, edges.filter(|edge| *edge > offset).min().unwrap_or(u64::MAX))
    }
}

impl Default for Offsets {
    fn default() -> Self {
        Self(vec![(0, u64::MAX)])
    }
}

impl fmt::Display for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ranges(&self.0, f)
    }
}

impl FromStr for Offsets {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let ranges = text.split(',').map(|text| range(text.trim(), 0)).collect::<Option<_>>();
        ranges.map(Self).ok_or_else(|| {
            let hint = "number the bytes of the stream from 0: \"0-99,1448,5000-\"";
            Rejected::new(format!("`{text}` names no bytes"), hint)
        })
    }
}

impl FromStr for Connections {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let parsed = match text.trim().strip_prefix("*/") {
            Some(step) => digits(step.trim()).and_then(|step| step.parse().ok()).map(Self::Every),
            None => text.split(',').map(|text| range(text.trim(), 1)).collect::<Option<_>>().map(Self::Ranges),
        };
        parsed.ok_or_else(|| {
            let hint = "number them from 1: \"1-2,5,10-\", or \"*/3\" for every third";
            Rejected::new(format!("`{text}` names no connections"), hint)
        })
    }
}

/// `5`, `1-2` or `10-`, of numbers from `lowest` on.
fn range(text: &str, lowest: u64) -> Option<(u64, u64)> {
    let number = |text: &str| digits(text.trim())?.parse().ok().filter(|number| *number >= lowest);
    let (first, last) = match text.split_once('-') {
        None => (number(text)?, number(text)?),
        Some((first, "")) => (number(first)?, u64::MAX),
        Some((first, last)) => (number(first)?, number(last)?),
    };
    (first <= last).then_some((first, last))
}

/// Accepts digits only: `parse` would accept a sign.
pub(super) fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

/// A single address, or all addresses with the same prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Converts a network of IPv4-mapped addresses to IPv4 (`::ffff:0:0/96`, RFC 4291, section 2.5.5.2).
    fn canonical(self) -> Self {
        match (self.address.to_canonical(), self.prefix.checked_sub(96)) {
            (address @ IpAddr::V4(_), Some(prefix)) if self.address.is_ipv6() => Self { address, prefix },
            _ => self,
        }
    }

    /// Its first address, or one with the same prefix.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether it contains `address`. An IPv4-mapped address is compared as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, length) = bits(self.address);
        let (theirs, their_length) = bits(address.to_canonical());
        let differing = (ours ^ theirs) >> (length - self.prefix).min(127);
        // A shift by 128 would overflow. A prefix of 0 contains every address of the family.
        length == their_length && (self.prefix == 0 || differing == 0)
    }
}

/// An address as a number, and its number of bits.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// The notation that is parsed.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Network {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let parse = || {
            let address: IpAddr = address.parse().ok()?;
            let (_, length) = bits(address);
            let prefix = prefix.map_or(Some(length), |prefix| digits(prefix)?.parse().ok())?;
            (prefix <= length).then(|| Self { address, prefix }.canonical())
        };
        parse().ok_or_else(|| {
            let hint = "use an IP address or a network, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8";
            Rejected::new(format!("`{text}` is no address and no network"), hint)
        })
    }
}

text!(Connections, Network, Offsets);

/// The time in which a toxic acts, counted from the accept of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The start.
    pub after: Millis,
    /// The duration. `None` if the window never ends.
    pub lasts: Option<Timeout>,
}

impl Window {
    /// The start, as a duration after the accept.
    #[must_use]
    pub fn begins(self) -> Duration {
        self.after.duration()
    }

    /// The end, as a duration after the accept: the first time at which the toxic no longer acts.
    #[must_use]
    pub fn ends(self) -> Duration {
        self.lasts.map_or(Duration::MAX, |lasts| self.begins() + lasts.duration())
    }

    /// The time `after` the start, if it is before the end.
    #[must_use]
    pub fn moment(self, after: Millis) -> Option<Duration> {
        Some(self.begins() + after.duration()).filter(|&moment| self.contains(moment))
    }

    /// Whether `moment` is in the window.
    #[must_use]
    pub fn contains(self, moment: Duration) -> bool {
        (self.begins()..self.ends()).contains(&moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_ranges_or_every_nth() {
        for (text, expected) in [
            ("1-2,5,10-", vec![1, 2, 5, 10, 11, 12]),
            (" 3 , 4 - 5 ", vec![3, 4, 5]),
            ("*/3", vec![3, 6, 9, 12]),
            ("*/1", (1..=12).collect()),
            ("7", vec![7]),
        ] {
            let connections: Connections = text.parse().expect(text);
            assert_eq!(connections.to_string(), text.replace(' ', ""));
            let included: Vec<u64> = (1..=12).filter(|&number| connections.include(number)).collect();
            assert_eq!(included, expected, "{text}");
        }
        for text in ["", "0", "0-3", "5-2", "*/0", "*/", "1,,2", "-3", "a", "1-2-3", "*", "+1", "*/+3"] {
            assert!(text.parse::<Connections>().is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_are_ranges_from_0() {
        let offsets: Offsets = "0-2, 5,9-".parse().expect("offsets");
        assert_eq!(offsets.to_string(), "0-2,5,9-");
        let parts = [0, 2, 3, 5, 6, 9].map(|offset| offsets.part(offset));
        assert_eq!(parts, [(true, 3), (true, 3), (false, 5), (true, 6), (false, 9), (true, u64::MAX)]);
        assert!(Offsets::default().is_all() && "0-".parse::<Offsets>().is_ok_and(|all| all.is_all()));
        for text in ["", "-", "2-1", "a", "1,,2", "-1"] {
            assert!(text.parse::<Offsets>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_contains_addresses_with_its_prefix() {
        for (network, address, contained) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "fe80::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("::1", "::1", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("::ffff:0:0/96", "203.0.113.9", true),
            ("::ffff:10.0.0.0/104", "::ffff:10.9.9.9", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
        ] {
            let parsed: Network = network.parse().expect(network);
            assert_eq!(parsed.contains(address.parse().expect(address)), contained, "{network} {address}");
        }
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "::/129", "1.2.3"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
