//! What is printed for an answer of the server: a table, a sentence, or the reason for which it refused.

use serde_json::Value;

use super::client::Response;
use super::{Action, CtlError, TOKEN_VARIABLE, layout};
use crate::columns::printable;
use crate::plan::RouteState;
use crate::table::{Columns, rendered};

const ROUTES: Columns = &[
    "name",
    "listen",
    "upstream",
    "enabled",
    "generation",
    "accepted",
    "active",
    "dropped",
    "failedDials",
    "bytesUp",
    "bytesDown",
];

const CONNECTIONS: Columns =
    &["id", "route", "number", "client", "upstream", "state", "ageMs", "bytesUp", "bytesDown", "toxics"];

impl Response {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value, CtlError> {
        serde_json::from_str(&self.text)
            .map_err(|error| CtlError::Refused(format!("the answer of {} is not JSON: {error}", self.url)))
    }
}

/// The text for people of an answer to `action`.
pub(super) fn text(action: &Action, response: &Response) -> Result<String, CtlError> {
    Ok(match action {
        Action::Routes => table(ROUTES, response)?,
        Action::Connections(_) => table(CONNECTIONS, response)?,
        Action::AddToxic(route, toxic) => format!("added {} to {route}", toxic.name),
        Action::UpdateToxic(route, name, _) => format!("updated {name} on {route}"),
        Action::RemoveToxic(route, name) => format!("removed {name} from {route}"),
        Action::Switch(route, RouteState::Enabled) => format!("enabled {route}"),
        Action::Switch(route, RouteState::Disabled) => format!("disabled {route}"),
        Action::Reset => "enabled every route and removed every toxic".to_owned(),
        Action::Reload => changes(&response.json()?),
        Action::Health => printable(response.json()?["status"].as_str().unwrap_or("ok")),
        Action::Config | Action::Events | Action::Kill(..) => response.text.clone(),
    })
}

fn table(columns: Columns, response: &Response) -> Result<String, CtlError> {
    match response.json()? {
        Value::Array(objects) => Ok(rendered(columns, &objects, layout())),
        _ => Err(CtlError::Refused(format!("the answer of {} is not a list", response.url))),
    }
}

/// The changes of a reload, one on each line.
fn changes(answer: &Value) -> String {
    let changes: Vec<String> = answer["changes"].as_array().into_iter().flatten().map(change).collect();
    if changes.is_empty() { "no changes".to_owned() } else { changes.join("\n") }
}

/// `web: changed, 2 live connections`.
fn change(change: &Value) -> String {
    let [route, what] = ["route", "change"].map(|key| printable(change[key].as_str().unwrap_or("-")));
    match change["connections"].as_u64() {
        None | Some(0) => format!("{route}: {what}"),
        Some(1) => format!("{route}: {what}, 1 live connection"),
        Some(count) => format!("{route}: {what}, {count} live connections"),
    }
}

/// Why the server refused: its error, its hint, and each problem of a config file.
pub(super) fn refusal(response: &Response) -> CtlError {
    let Response { url, status, text } = response;
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    // Not every server answers in JSON.
    let first_line = text.lines().next().unwrap_or_default();
    let reason = ["error", "status"].into_iter().find_map(|key| answer[key].as_str()).unwrap_or(first_line);
    let mut lines = vec![format!("{} (status {status} of {url})", printable(reason)).trim_start().to_owned()];
    lines.extend(answer["problems"].as_array().into_iter().flatten().map(problem));
    lines.extend(answer["hint"].as_str().map(printable));
    if *status == 401 {
        lines.push(format!("give the token of the server with --token TOKEN or {TOKEN_VARIABLE}"));
    }
    CtlError::Refused(lines.join("\n"))
}

/// `3:12: what; hint`. A problem of the file as a whole has no position.
fn problem(problem: &Value) -> String {
    let position = match (&problem["line"], &problem["column"]) {
        (Value::Number(line), Value::Number(column)) => format!("{line}:{column}: "),
        _ => String::new(),
    };
    let parts = ["what", "hint"].into_iter().filter_map(|key| problem[key].as_str()).map(printable);
    format!("{position}{}", parts.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, text: &str) -> Response {
        Response { url: "http://h:1/x".to_owned(), status, text: text.to_owned() }
    }

    #[test]
    fn a_reload_lists_its_changes() {
        let text = |body| text(&Action::Reload, &response(200, body));
        let two = r#"{"changes":[{"route":"web","change":"changed","connections":2},{"route":"db","change":"removed","connections":0}]}"#;
        assert_eq!(text(two), Ok("web: changed, 2 live connections\ndb: removed".to_owned()));
        assert_eq!(text(r#"{"changes":[]}"#), Ok("no changes".to_owned()));
        let expected = "the answer of http://h:1/x is not JSON: expected value at line 1 column 1";
        assert_eq!(text("<html>"), Err(CtlError::Refused(expected.to_owned())));
    }

    #[test]
    fn a_refusal_has_the_reason_the_problems_and_the_hint() {
        for (status, body, expected) in [
            (404, r#"{"error":"proxy not found","status":404}"#, "proxy not found (status 404 of http://h:1/x)"),
            (400, r#"{"error":"no","status":400,"hint":"use 1"}"#, "no (status 400 of http://h:1/x)\nuse 1"),
            (
                400,
                r#"{"error":"2 problems","status":400,"problems":[
                    {"line":3,"column":12,"what":"port 0","hint":"use 1"},
                    {"line":null,"column":null,"what":"empty","hint":"write"}]}"#,
                "2 problems (status 400 of http://h:1/x)\n3:12: port 0; use 1\nempty; write",
            ),
            (
                401,
                r#"{"error":"a token is needed"}"#,
                "a token is needed (status 401 of http://h:1/x)\n\
                 give the token of the server with --token TOKEN or CHAOS_PROXY_ADMIN_TOKEN",
            ),
            (503, r#"{"status":"draining"}"#, "draining (status 503 of http://h:1/x)"),
            (404, "404 page\u{1b} not found\n", "404 page\\u{1b} not found (status 404 of http://h:1/x)"),
            (405, "", "(status 405 of http://h:1/x)"),
        ] {
            assert_eq!(refusal(&response(status, body)), CtlError::Refused(expected.to_owned()), "{body}");
        }
    }
}
