//! Connections that toxics end: exactly where, and both ends are told how.

use crate::failure::Outcome;
use crate::workers::Worker;

/// A limit on what the upstream may say, and how it ends.
pub const CLOSED_AT_THE_LIMIT: &str = r#", "toxics": [{"type": "limit_data", "attributes": {"bytes": 5000}}, {"type": "slicer", "attributes": {"average_size": 700}}]"#;
pub const RESET_AT_THE_LIMIT: &str =
    r#", "toxics": [{"type": "limit_data", "attributes": {"bytes": 5000, "reset": true}}]"#;
const LIMIT: u64 = 5000;

pub const RESET_AFTER_A_TIME: &str =
    r#", "toxics": [{"type": "reset_peer", "stream": "both", "attributes": {"timeout": 30}}]"#;

const MORE: u64 = 20_000;

pub fn by_a_fin(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (mut client, mut upstream) = worker.route.open_pair()?;
    worker.step("sending beyond the limit");
    upstream.send(LIMIT + worker.rng.u64(..MORE))?;
    client.receive(LIMIT)?;
    client.expect_fin()?;
    upstream.expect_fin()
}

/// More than the limit is not sent: the reset might meet the sender at it.
pub fn by_a_reset(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (mut client, mut upstream) = worker.route.open_pair()?;
    worker.step("sending up to the limit");
    upstream.send(LIMIT)?;
    client.receive(LIMIT)?;
    client.expect_reset()?;
    upstream.expect_reset()
}

/// Whatever either of them is at, connecting included.
pub fn in_the_middle(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let client = worker.route.connect_to_be_reset()?;
    let mut upstream = worker.route.accept()?;
    worker.step("waiting for the reset");
    let bytes = if worker.rng.bool() { worker.rng.u64(..MORE) } else { 0 };
    if let Some(mut client) = client {
        client.send_into_a_reset(bytes)?;
    }
    upstream.expect_reset()
}
