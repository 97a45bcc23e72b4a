//! Ends live connections. A number can be the id of a connection or the name of a route; the server's list decides.

use serde_json::Value;

use super::client::Client;
use super::request::Request;
use super::{CtlError, Format, Victims, print};
use crate::value::CloseMode;

pub(super) fn kill(client: &Client, victims: Victims, mode: CloseMode, format: Format) -> Result<(), CtlError> {
    let victims = identified(client, victims, format)?;
    let response = client.send(&Request::kill(&victims, mode))?.accepted(format)?;
    match (format, &victims) {
        (Format::Json, _) => print(&response.text),
        (Format::Text, Victims::Route(route)) => {
            print(&format!("{} {} of route {route}", done(mode), counted(&response.json()?["closed"])));
        }
        (Format::Text, Victims::Connection(id) | Victims::RouteOrConnection(id)) => {
            print(&format!("{} connection {id}", done(mode)));
        }
    }
    Ok(())
}

/// Finds out what a number stands for.
fn identified(client: &Client, victims: Victims, format: Format) -> Result<Victims, CtlError> {
    let Victims::RouteOrConnection(number) = victims else { return Ok(victims) };
    let routes = client.send(&Request::new("GET", "/v1/routes"))?.accepted(format)?.json()?;
    let name = number.to_string();
    let is_route = routes.as_array().into_iter().flatten().any(|route| route["name"] == *name);
    Ok(match name.parse() {
        Ok(route) if is_route => Victims::Route(route),
        _ => Victims::Connection(number),
    })
}

fn done(mode: CloseMode) -> &'static str {
    match mode {
        CloseMode::Close => "closed",
        CloseMode::Reset => "reset",
    }
}

fn counted(closed: &Value) -> String {
    match closed.as_u64() {
        Some(1) => "1 connection".to_owned(),
        Some(count) => format!("{count} connections"),
        None => "the connections".to_owned(),
    }
}
