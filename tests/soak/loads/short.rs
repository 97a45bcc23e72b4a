//! Connections that are over before they have begun, as those of a health check.

use super::close_in_order;
use crate::failure::Outcome;
use crate::workers::Worker;

pub fn question_and_answer(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (mut client, mut upstream) = worker.route.open_pair()?;
    worker.step("asking");
    client.send_to(&mut upstream, worker.rng.u64(..1000))?;
    upstream.send_to(&mut client, worker.rng.u64(..20_000))?;
    worker.step("closing");
    let (first, second) = worker.in_random_order(client, upstream);
    close_in_order(first, second)
}
