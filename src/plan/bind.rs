//! The address that a listener binds, with hints for invalid ones.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::value::{Rejected, text};

/// An IP address that a listener can bind: one of this machine's, or `0.0.0.0` or `::` for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind(IpAddr);

impl Bind {
    /// Parses the host of an address to listen on: an IP address, or `localhost`.
    ///
    /// # Errors
    /// It is another name, or the address of a group.
    pub fn of_host(host: &str) -> Result<Self, Rejected> {
        if host.eq_ignore_ascii_case("localhost") { Ok(Self(Ipv4Addr::LOCALHOST.into())) } else { host.parse() }
    }

    /// The IP address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

impl FromStr for Bind {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        match text.parse::<IpAddr>() {
            Ok(ip) if ip.is_multicast() || ip == Ipv4Addr::BROADCAST => Err(Rejected::new(
                format!("{ip} is the address of a group, which TCP can't listen on"),
                "use 127.0.0.1 for this machine alone, 0.0.0.0 for every address",
            )),
            Ok(ip) => Ok(Self(ip)),
            Err(_) => Err(Rejected::new(format!("`{text}` is not an IP address"), hint(text))),
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text!(Bind);

fn hint(text: &str) -> String {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(Ok(ip)) = bracketed.map(str::parse::<IpAddr>) {
        return format!("write {ip}, without the brackets");
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return format!("write {}, without the port: that is `localPort`", address.ip());
    }
    if text.eq_ignore_ascii_case("localhost") {
        return "use 127.0.0.1".to_owned();
    }
    "use 127.0.0.1 for this machine alone, 0.0.0.0 for every address".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_addresses_and_gives_a_hint_for_other_texts() {
        for ip in ["127.0.0.1", "0.0.0.0", "::", "10.0.0.7"] {
            assert_eq!(ip.parse::<Bind>().map(|bind| bind.ip().to_string()).as_deref(), Ok(ip));
        }
        for (text, hint) in [
            ("[::1]", "write ::1, without the brackets"),
            ("127.0.0.1:80", "write 127.0.0.1, without the port: that is `localPort`"),
            ("localhost", "use 127.0.0.1"),
            ("", "use 127.0.0.1 for this machine alone, 0.0.0.0 for every address"),
            ("eth0", "use 127.0.0.1 for this machine alone, 0.0.0.0 for every address"),
            ("224.0.0.1", "use 127.0.0.1 for this machine alone, 0.0.0.0 for every address"),
        ] {
            assert_eq!(text.parse::<Bind>().expect_err(text).hint, hint, "{text}");
        }
    }
}
