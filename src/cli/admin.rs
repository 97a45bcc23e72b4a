//! The flags about the admin server, and Toxiproxy's spelling of them: `-host` and `-port`.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};

use pico_args::Arguments;

use super::flags::{parsed_values, value};
use super::values::{admin_address, host_name};
use super::{Parsed, usage_error};
use crate::ctl::{TOKEN_VARIABLE, Token};
use crate::plan::{Bind, ListenAddress, Plan};
use crate::value::Port;

/// The admin server to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminOptions {
    /// The address to listen on.
    pub addr: SocketAddr,
    /// The bearer token that requests need.
    pub token: Option<String>,
    /// Host names, in lower case, that requests may be sent to in addition to `localhost` and IP addresses.
    pub hosts: Vec<String>,
}

/// What the command line has about the admin server. A config file may name its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminFlags {
    addr: Option<SocketAddr>,
    token: Option<String>,
    hosts: Vec<String>,
    /// The first flag that has no effect without an admin server.
    needs_server: Option<&'static str>,
}

impl AdminFlags {
    /// The admin server of a run that begins with `plan`. A flag overrides the address in the file.
    #[must_use]
    pub fn options(&self, plan: &Plan) -> Option<AdminOptions> {
        let addr = self.addr.or(plan.admin())?;
        Some(AdminOptions { addr, token: self.token.clone(), hosts: self.hosts.clone() })
    }

    /// The warning about a flag that has no effect, because neither the command line nor `plan` has an admin server.
    #[must_use]
    pub fn warning(&self, plan: &Plan) -> Option<String> {
        let flag = self.needs_server.filter(|_| self.options(plan).is_none())?;
        Some(format!("{flag} has no effect: add --admin, or `admin` to the config"))
    }

    /// Whether the command line asks for an admin server.
    pub(super) fn opens_server(&self) -> bool {
        self.addr.is_some()
    }

    pub(super) fn needs_server(&self) -> Option<&'static str> {
        self.needs_server
    }

    /// The token is that of the flag, or else that of the environment.
    pub(super) fn take_from(args: &mut Arguments, variable: Option<OsString>) -> Parsed<Self> {
        let addr = address(args)?;
        let flag = value(args, "--admin-token", str::parse::<String>)?;
        let hosts = parsed_values(args, "--admin-host", host_name)?;
        let given = [("--admin-token", flag.is_some()), ("--admin-host", !hosts.is_empty())];
        let needs_server = given.into_iter().find_map(|(flag, given)| given.then_some(flag));
        let token = match flag {
            Some(token) => Some(checked("--admin-token", token)?),
            None => of_environment(variable)?,
        };
        Ok(Self { addr, token, hosts, needs_server })
    }
}

/// The address of `--admin`, or that of `--host` and `--port`, of which each has a default.
fn address(args: &mut Arguments) -> Parsed<Option<SocketAddr>> {
    let admin = value(args, "--admin", admin_address)?.map(ListenAddress::addr);
    let host = value(args, "--host", Bind::of_host)?.map(Bind::ip);
    let port = value(args, "--port", str::parse::<Port>)?;
    match (admin, host, port) {
        (None, None, None) => Ok(None),
        (None, host, port) => {
            let ip = host.unwrap_or(Ipv4Addr::LOCALHOST.into());
            Ok(Some(SocketAddr::new(ip, port.map_or(ListenAddress::ADMIN_PORT, Port::get))))
        }
        (admin, None, None) => Ok(admin),
        (_, Some(_), _) => usage_error("--admin and --host exclude each other: --admin IP:PORT has both"),
        (_, None, Some(_)) => usage_error("--admin and --port exclude each other: --admin IP:PORT has both"),
    }
}

fn of_environment(variable: Option<OsString>) -> Parsed<Option<String>> {
    match variable.map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(token)) if token.is_empty() => Ok(None),
        Some(Ok(token)) => checked(TOKEN_VARIABLE, token).map(Some),
        Some(Err(_)) => usage_error(format!("{TOKEN_VARIABLE} is not UTF-8")),
    }
}

/// A token that a client can send. The error does not show it.
fn checked(source: &str, token: String) -> Parsed<String> {
    match token.parse::<Token>() {
        Ok(_) => Ok(token),
        Err(what) => usage_error(format!("{source}: {what}")),
    }
}
