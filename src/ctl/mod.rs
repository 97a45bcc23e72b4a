//! The client side of `chaos-proxy ctl`: sends what the command line asks for to the admin server of a running proxy,
//! and prints the answer. The command line itself is parsed in `cli`.

mod address;
mod answer;
mod client;
mod events;
mod kill;
mod request;

use std::env;
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;

use serde_json::{Map, Value};

pub use address::{Address, Token};
use client::{Client, Response};
use request::Request;

use crate::plan::RouteState;
use crate::table::Layout;
use crate::toxic::Toxic;
use crate::value::{CloseMode, RouteName, ToxicName};

/// The environment variable with the address of the admin server, unless a flag has it.
pub const ADDRESS_VARIABLE: &str = "CHAOS_PROXY_ADMIN";

/// The environment variable with the token of the admin server, unless a flag has it.
pub const TOKEN_VARIABLE: &str = "CHAOS_PROXY_ADMIN_TOKEN";

/// What to do, and at which server.
#[derive(Debug)]
pub struct Invocation {
    /// The server. `None` leaves it to the environment.
    pub address: Option<Address>,
    /// The token of the server. `None` leaves it to the environment.
    pub token: Option<Token>,
    /// What is printed.
    pub format: Format,
    /// What to do.
    pub action: Action,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tables and sentences.
    Text,
    /// The server's JSON, unchanged.
    Json,
}

/// A command of `chaos-proxy ctl`.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Lists the routes.
    Routes,
    /// Lists the live connections of one route, or of all.
    Connections(Option<RouteName>),
    /// Adds a toxic to a route.
    AddToxic(RouteName, Box<Toxic>),
    /// Changes keys and attributes of a toxic.
    UpdateToxic(RouteName, ToxicName, Map<String, Value>),
    /// Removes a toxic from a route.
    RemoveToxic(RouteName, ToxicName),
    /// Opens or closes the port of a route.
    Switch(RouteName, RouteState),
    /// Ends live connections.
    Kill(Victims, CloseMode),
    /// Enables every route, and removes every toxic.
    Reset,
    /// Reads the config file again.
    Reload,
    /// Prints the present state as a config file.
    Config,
    /// Prints log lines as they happen.
    Events,
    /// Checks that every enabled route accepts.
    Health,
}

/// The connections that end.
#[derive(Debug, PartialEq, Eq)]
pub enum Victims {
    /// The connection with this id.
    Connection(u64),
    /// All of this route.
    Route(RouteName),
    /// Those of the route with this number as its name, if there is one. Otherwise the connection with this id. An
    /// unnamed route has its port as its name.
    RouteOrConnection(u64),
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CtlError {
    /// The environment has an invalid value.
    Usage(String),
    /// The server refused, or can't be reached.
    Refused(String),
}

/// Executes a command and prints its answer.
///
/// # Errors
/// The server refused, or can't be reached.
pub fn execute(invocation: Invocation) -> Result<(), CtlError> {
    let address = given(invocation.address, ADDRESS_VARIABLE)?.unwrap_or_default();
    let client = Client { address, token: given(invocation.token, TOKEN_VARIABLE)? };
    match invocation.action {
        Action::Events => events::follow(&client),
        Action::Kill(victims, mode) => kill::kill(&client, victims, mode, invocation.format),
        action => ask(&client, &action, invocation.format),
    }
}

/// The value of a flag, or that of the variable that stands for it. An empty variable counts as none.
fn given<T: FromStr<Err = String>>(flag: Option<T>, variable: &str) -> Result<Option<T>, CtlError> {
    let value = env::var_os(variable).filter(|value| flag.is_none() && !value.is_empty());
    let Some(value) = value else { return Ok(flag) };
    let text = value.to_str().ok_or_else(|| CtlError::Usage(format!("the value of {variable} is not UTF-8")))?;
    text.parse().map(Some).map_err(|error| CtlError::Usage(format!("{variable}={text}: {error}")))
}

fn ask(client: &Client, action: &Action, format: Format) -> Result<(), CtlError> {
    let response = client.send(&Request::of(action))?.accepted(format)?;
    match format {
        Format::Json => print(&response.text),
        Format::Text => print(&answer::text(action, &response)?),
    }
    Ok(())
}

impl Response {
    /// Returns the response, unless the server refused the request. A program gets the JSON of a refusal too.
    fn accepted(self, format: Format) -> Result<Self, CtlError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        if format == Format::Json {
            print(&self.text);
        }
        Err(answer::refusal(&self))
    }
}

/// Prints to stdout, as a whole number of lines.
fn print(text: &str) {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let mut out = io::stdout().lock();
    // A closed stdout is not an error: `chaos-proxy ctl routes | head -1` closes it early.
    let _ = write!(out, "{text}{end}").and_then(|()| out.flush());
}

/// How tables are printed.
fn layout() -> Layout {
    if io::stdout().is_terminal() { Layout::Aligned } else { Layout::TabSeparated }
}
