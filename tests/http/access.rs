//! Denied requests, as an admin server answers them.

use chaos_proxy::admin::Access;
use chaos_proxy::http::Response;

use super::http_client::{Answer, Client};
use super::{greet, serve};

/// The answer to a request with these header lines.
fn answer(access: Access, lines: &str) -> Answer {
    let addr = serve(move |request| match access.check(&request) {
        Ok(()) => greet(request),
        Err(denied) => Response::from(denied),
    });
    Client::connect(addr).send(format!("GET /v1/seed HTTP/1.1\r\n{lines}\r\n")).answer()
}

#[test]
fn a_permitted_request_is_answered() {
    assert_eq!(answer(Access::default(), "Host: localhost\r\n").status, 200);
}

#[test]
fn a_denied_request_gets_an_error_that_clients_of_toxiproxy_decode() {
    let denied = answer(Access::default(), "Host: chaos.test\r\n");
    assert_eq!((denied.status, denied.header("Content-Type")), (403, Some("application/json")));
    let expected = "{\"error\":\"this host name is unknown: connect by IP address or localhost, or start chaos-proxy \
                    with --admin-host NAME\",\"status\":403}\n";
    assert_eq!(denied.text(), expected);
}

#[test]
fn a_request_without_the_token_is_challenged() {
    let access = Access { token: Some("s3cret".to_owned()), ..Access::default() };
    let denied = answer(access.clone(), "Host: localhost\r\n");
    assert_eq!((denied.status, denied.header("WWW-Authenticate")), (401, Some("Bearer")));
    assert!(denied.text().ends_with(",\"status\":401}\n"), "{}", denied.text());
    assert_eq!(answer(access, "Host: chaos.test\r\nAuthorization: Bearer s3cret\r\n").status, 200);
}
