//! Routes that drop some connections, in each drop mode, and forward the others.

use std::time::Duration;

use super::close_in_order;
use crate::failure::{Outcome, ensure};
use crate::peer::Peer;
use crate::route::Decision;
use crate::workers::Worker;

const MAX_BYTES: u64 = 64 * 1024;

/// How long a hanging client must receive nothing. Short for one client, but there are many of them.
const SILENCE: Duration = Duration::from_millis(100);

/// Drop mode `close`: a clean FIN, even if the client sent data that the proxy did not read.
pub fn closed(worker: &mut Worker) -> Outcome {
    worker.pause_briefly();
    worker.step("connecting");
    let mut client = worker.route.connect()?;
    let sent = client.send_some(worker.rng.u64(..MAX_BYTES))?;
    worker.step("waiting for forward or drop");
    match worker.route.wait_for_decision(&client)? {
        Decision::Forwarded(upstream) => forwarded(worker, client, upstream, sent),
        Decision::Dropped => {
            client.expect_fin()?;
            if worker.rng.bool() { client.reset() } else { Ok(()) }
        }
    }
}

/// Drop mode `reset`: a RST. The client sends nothing, because the RST may arrive first and fail the send.
pub fn reset(worker: &mut Worker) -> Outcome {
    worker.pause_briefly();
    worker.step("connecting");
    let Some(mut client) = worker.route.connect_to_be_reset()? else { return Ok(()) };
    worker.step("waiting for forward or drop");
    match worker.route.wait_for_decision(&client)? {
        Decision::Forwarded(upstream) => forwarded(worker, client, upstream, 0),
        Decision::Dropped => client.expect_reset(),
    }
}

/// Drop mode `hang`: silence until the client leaves.
pub fn hanging(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let mut client = worker.route.connect()?;
    client.send_some(worker.rng.u64(..MAX_BYTES))?;
    if worker.rng.bool() {
        client.send_fin()?;
    }
    worker.step("expecting silence");
    client.expect_silence(SILENCE)?;
    let dialled = worker.route.accept_waiting()?;
    ensure(dialled.is_empty(), || "the upstream of a dropped connection was dialled".to_owned())?;
    if worker.rng.bool() { client.reset() } else { Ok(()) }
}

fn forwarded(worker: &Worker, mut client: Peer, mut upstream: Peer, sent: u64) -> Outcome {
    worker.step("exchanging data after the forward");
    upstream.receive(sent)?;
    upstream.send_to(&mut client, MAX_BYTES)?;
    close_in_order(client, upstream)
}
