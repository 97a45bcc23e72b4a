//! What is served: the paths, the methods that they take, the answers. No I/O.

use std::net::SocketAddr;

use super::head::Head;
use super::response::{Content, Response, Status};

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Address,
    Bytes(u64),
    Echo,
}

/// The answer to a request with this `head` and `body` that came to the address `here`.
pub(super) fn answer(head: &Head, body: Vec<u8>, here: SocketAddr) -> Response {
    let response = answer_in_full(head, body, here);
    if head.method == "HEAD" { response.without_content() } else { response }
}

fn answer_in_full(head: &Head, body: Vec<u8>, here: SocketAddr) -> Response {
    let Some(resource) = Resource::at(&head.path) else {
        return Response::text(Status::NotFound, "try /, /bytes/N or /echo");
    };
    let methods = resource.methods();
    if !methods.split(", ").any(|method| method == head.method) {
        return Response { allow: Some(methods), ..Response::text(Status::MethodNotAllowed, methods) };
    }
    match resource {
        Resource::Address => Response::text(Status::Ok, &here.to_string()),
        Resource::Bytes(length) => ok(None, Content::Pattern(length)),
        Resource::Echo => ok(head.content_type.clone(), Content::Bytes(body)),
    }
}

impl Resource {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Address),
            "/echo" => Some(Self::Echo),
            _ => path.strip_prefix("/bytes/").and_then(number).map(Self::Bytes),
        }
    }

    /// As the Allow header lists them.
    fn methods(self) -> &'static str {
        match self {
            Self::Address | Self::Bytes(_) => "GET, HEAD",
            Self::Echo => "GET, HEAD, POST, PUT, PATCH",
        }
    }
}

/// `str::parse` alone would take `+5`.
fn number(text: &str) -> Option<u64> {
    text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())?
}

fn ok(content_type: Option<Vec<u8>>, content: Content) -> Response {
    let content_type = content_type.unwrap_or_else(|| b"application/octet-stream".to_vec());
    Response { status: Status::Ok, content_type, content, allow: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        for (path, resource) in [
            ("/", Some(Resource::Address)),
            ("/echo", Some(Resource::Echo)),
            ("/bytes/0", Some(Resource::Bytes(0))),
            ("/bytes/18446744073709551615", Some(Resource::Bytes(u64::MAX))),
            ("/bytes/18446744073709551616", None),
            ("/bytes/+1", None),
            ("/bytes/", None),
            ("/bytes", None),
            ("/bytes/1/", None),
            ("/echo/", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(Resource::at(path), resource, "{path}");
        }
    }
}
