//! Connections that are over before they have begun, as those of a health check.

use super::close_in_order;
use crate::crew::Worker;
use crate::wrong::Outcome;

pub fn question_and_answer(worker: &mut Worker) -> Outcome {
    worker.step("meeting");
    let (mut client, mut upstream) = worker.lane.meet()?;
    worker.step("asking");
    client.tell(&mut upstream, worker.rng.u64(..1000))?;
    upstream.tell(&mut client, worker.rng.u64(..20_000))?;
    worker.step("closing");
    let (first, second) = worker.either_first(client, upstream);
    close_in_order(first, second)
}
