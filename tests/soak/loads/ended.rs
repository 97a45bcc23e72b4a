//! Connections that toxics end: at the exact byte, and with the same FIN or RST at both ends.

use crate::failure::Outcome;
use crate::workers::Worker;

/// Limits on the bytes from the upstream, with a FIN and with a RST at the limit.
pub const CLOSED_AT_THE_LIMIT: &str = r#", "toxics": [{"type": "limit_data", "attributes": {"bytes": 5000}}, {"type": "slicer", "attributes": {"average_size": 700}}]"#;
pub const RESET_AT_THE_LIMIT: &str =
    r#", "toxics": [{"type": "limit_data", "attributes": {"bytes": 5000, "reset": true}}]"#;
const LIMIT: u64 = 5000;

pub const RESET_AFTER_A_TIME: &str =
    r#", "toxics": [{"type": "reset_peer", "stream": "both", "attributes": {"timeout": 30}}]"#;

const MAX_EXTRA: u64 = 20_000;

pub fn by_a_fin(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (mut client, mut upstream) = worker.route.open_pair()?;
    worker.step("sending beyond the limit");
    upstream.send(LIMIT + worker.rng.u64(..MAX_EXTRA))?;
    client.receive(LIMIT)?;
    client.expect_fin()?;
    upstream.expect_fin()
}

/// Sends no more than the limit, because the reset could fail the send.
pub fn by_a_reset(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (mut client, mut upstream) = worker.route.open_pair()?;
    worker.step("sending up to the limit");
    upstream.send(LIMIT)?;
    client.receive(LIMIT)?;
    client.expect_reset()?;
    upstream.expect_reset()
}

/// The reset may arrive in any phase, even during the connect.
pub fn in_the_middle(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let client = worker.route.connect_to_be_reset()?;
    let mut upstream = worker.route.accept()?;
    worker.step("waiting for the reset");
    let bytes = if worker.rng.bool() { worker.rng.u64(..MAX_EXTRA) } else { 0 };
    if let Some(mut client) = client {
        client.send_into_a_reset(bytes)?;
    }
    upstream.expect_reset()
}
