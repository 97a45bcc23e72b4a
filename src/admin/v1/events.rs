//! The log as it happens, for any number of readers. Each has a bounded queue: one that does not read loses lines.

use std::time::Duration;

use crate::http::{Piece, Response, Status, Stream};
use crate::logging::{Follower, follow};

pub(super) fn stream() -> Response {
    Response::stream(Status::Ok, "application/x-ndjson", Events(follow()))
}

struct Events(Follower);

impl Stream for Events {
    fn next(&mut self, timeout: Duration) -> Piece {
        self.0.next_lines(timeout).map_or(Piece::Pending, Piece::Bytes)
    }
}
