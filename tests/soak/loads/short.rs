//! Short connections with one request and one response, such as health checks.

use super::close_in_order;
use crate::failure::Outcome;
use crate::workers::Worker;

pub fn request_and_response(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (mut client, mut upstream) = worker.route.open_pair()?;
    worker.step("sending the request");
    client.send_to(&mut upstream, worker.rng.u64(..1000))?;
    upstream.send_to(&mut client, worker.rng.u64(..20_000))?;
    worker.step("closing");
    let (first, second) = worker.in_random_order(client, upstream);
    close_in_order(first, second)
}
