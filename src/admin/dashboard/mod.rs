//! The dashboard: a page for browsers that shows what the API answers, and changes it. Its files are part of the binary,
//! and it loads nothing from elsewhere.
//!
//! | file | contents |
//! |---|---|
//! | `page.html`, `style.css` | what is there before any data is |
//! | `main.js` | what is asked for, and how often |
//! | `api.js` | requests, the token, the stream of events |
//! | `routes.js`, `toxic_form.js` | the routes; the form of a toxic, made from the JSON Schema of config files |
//! | `connections.js`, `faults.js`, `scenario.js` | the other parts of the page |
//! | `elements.js`, `units.js` | elements of the page and plots, numbers with their units |

use crate::http::{Request, Response, Status};

/// The path, the media type and the content of each file.
const FILES: [(&str, &str, &str); 11] = [
    ("", "text/html; charset=utf-8", include_str!("page.html")),
    ("dashboard/style.css", "text/css; charset=utf-8", include_str!("style.css")),
    ("dashboard/main.js", JAVASCRIPT, include_str!("main.js")),
    ("dashboard/api.js", JAVASCRIPT, include_str!("api.js")),
    ("dashboard/routes.js", JAVASCRIPT, include_str!("routes.js")),
    ("dashboard/toxic_form.js", JAVASCRIPT, include_str!("toxic_form.js")),
    ("dashboard/connections.js", JAVASCRIPT, include_str!("connections.js")),
    ("dashboard/faults.js", JAVASCRIPT, include_str!("faults.js")),
    ("dashboard/scenario.js", JAVASCRIPT, include_str!("scenario.js")),
    ("dashboard/elements.js", JAVASCRIPT, include_str!("elements.js")),
    ("dashboard/units.js", JAVASCRIPT, include_str!("units.js")),
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The page may load its own files and ask its own server, and nothing else. No other page may frame it and so let the user
/// click what it does not show.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether a file of the dashboard is requested.
pub(super) fn has(request: &Request) -> bool {
    file(request).is_some()
}

/// Answers a request for a file of the dashboard.
pub(super) fn respond(request: &Request) -> Option<Response> {
    let (media_type, content) = file(request)?;
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Some(super::answer::method_not_allowed(&request.method, "GET, HEAD"));
    }
    let response = Response::new(Status::Ok, media_type, content.as_bytes().to_vec());
    Some(response.with_header("Content-Security-Policy", POLICY).with_header("Cache-Control", "no-cache"))
}

fn file(request: &Request) -> Option<(&'static str, &'static str)> {
    let path = request.target.path().join("/");
    FILES.iter().find(|(known, ..)| *known == path).map(|(_, media_type, content)| (*media_type, *content))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It has to load at once over a slow connection too.
    #[test]
    fn the_files_are_small() {
        let bytes: usize = FILES.iter().map(|(.., content)| content.len()).sum();
        assert!(bytes <= 60_000, "{bytes}");
    }
}
