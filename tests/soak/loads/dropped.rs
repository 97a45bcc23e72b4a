//! Connections that the dice drop, in each of the modes, and their neighbours that are forwarded.

use std::time::Duration;

use super::close_in_order;
use crate::failure::{Outcome, ensure};
use crate::peer::Peer;
use crate::route::Decision;
use crate::workers::Worker;

const MOST: u64 = 64 * 1024;

/// How long a hanging client is listened to. It is no proof of silence for ever; many clients together come near it.
const SILENCE: Duration = Duration::from_millis(100);

/// A clean FIN, also behind data that nobody read.
pub fn closed(worker: &mut Worker) -> Outcome {
    worker.pause_briefly();
    worker.step("connecting");
    let mut client = worker.route.connect()?;
    let sent = client.send_some(worker.rng.u64(..MOST))?;
    worker.step("hearing of its fate");
    match worker.route.decision(&client)? {
        Decision::Forwarded(upstream) => forwarded(worker, client, upstream, sent),
        Decision::Dropped => {
            client.expect_fin()?;
            if worker.rng.bool() { client.reset() } else { Ok(()) }
        }
    }
}

/// A RST. It may be quicker than anything that the client could send, so that nothing is sent.
pub fn reset(worker: &mut Worker) -> Outcome {
    worker.pause_briefly();
    worker.step("connecting");
    let Some(mut client) = worker.route.connect_to_be_reset()? else { return Ok(()) };
    worker.step("hearing of its fate");
    match worker.route.decision(&client)? {
        Decision::Forwarded(upstream) => forwarded(worker, client, upstream, 0),
        Decision::Dropped => client.expect_reset(),
    }
}

/// Silence, however the client leaves in the end.
pub fn hanging(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let mut client = worker.route.connect()?;
    client.send_some(worker.rng.u64(..MOST))?;
    if worker.rng.bool() {
        client.send_fin()?;
    }
    worker.step("listening to the silence");
    client.expect_silence(SILENCE)?;
    let dialled = worker.route.accept_waiting()?;
    ensure(dialled.is_empty(), || "the upstream of a dropped connection was dialled".to_owned())?;
    if worker.rng.bool() { client.reset() } else { Ok(()) }
}

fn forwarded(worker: &Worker, mut client: Peer, mut upstream: Peer, sent: u64) -> Outcome {
    worker.step("talking, as it was not dropped");
    upstream.receive(sent)?;
    upstream.send_to(&mut client, MOST)?;
    close_in_order(client, upstream)
}
