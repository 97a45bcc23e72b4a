//! The resources: paths, their methods and their responses. No I/O.

use super::pattern::Pattern;
use crate::http::{Request, Response, Status};

/// The resource at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Address,
    Bytes(u64),
    Echo,
}

pub(super) fn respond(request: Request) -> Response {
    let Some(resource) = Resource::at(&request.target.path()) else {
        return Response::text(Status::NotFound, "try /, /bytes/N or /echo");
    };
    let methods = resource.methods();
    if !methods.split(", ").any(|method| method == request.method) {
        return Response::text(Status::MethodNotAllowed, methods).with_header("Allow", methods);
    }
    match resource {
        Resource::Address => Response::text(Status::Ok, &request.server.to_string()),
        Resource::Bytes(length) => Response::new(Status::Ok, BINARY, Pattern(length)),
        Resource::Echo => {
            let media_type = request.headers.get("Content-Type").cloned();
            Response::new(Status::Ok, media_type.unwrap_or_else(|| BINARY.into()), request.body)
        }
    }
}

const BINARY: &str = "application/octet-stream";

impl Resource {
    fn at(path: &[&str]) -> Option<Self> {
        match path {
            [""] => Some(Self::Address),
            ["bytes", length] => number(length).map(Self::Bytes),
            ["echo"] => Some(Self::Echo),
            _ => None,
        }
    }

    /// The methods, in the format of the Allow header.
    fn methods(self) -> &'static str {
        match self {
            Self::Address | Self::Bytes(_) => "GET, HEAD",
            Self::Echo => "GET, HEAD, POST, PUT, PATCH",
        }
    }
}

/// Accepts digits only: `str::parse` would accept `+5`.
fn number(text: &str) -> Option<u64> {
    text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_paths() {
        for (path, resource) in [
            (&[""][..], Some(Resource::Address)),
            (&["echo"], Some(Resource::Echo)),
            (&["bytes", "0"], Some(Resource::Bytes(0))),
            (&["bytes", "18446744073709551615"], Some(Resource::Bytes(u64::MAX))),
            (&["bytes", "18446744073709551616"], None),
            (&["bytes", "+1"], None),
            (&["bytes", ""], None),
            (&["bytes"], None),
            (&["bytes", "1", ""], None),
            (&["echo", ""], None),
            (&["", "echo"], None),
            (&[], None),
        ] {
            assert_eq!(Resource::at(path), resource, "{path:?}");
        }
    }
}
