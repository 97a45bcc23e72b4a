//! Bulk transfers in both directions at the same time.

use std::thread;

use super::close_in_order;
use crate::failure::{Failure, Outcome};
use crate::peer::Peer;
use crate::workers::Worker;

const MAX_BYTES: u64 = 16 << 20;

pub fn both_ways(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (mut client, mut upstream) = worker.route.open_pair()?;
    worker.step("sending both ways");
    let (up, down) = (worker.rng.u64(..MAX_BYTES), worker.rng.u64(..MAX_BYTES));
    exchange(&mut client, up, &mut upstream, down)?;
    worker.step("closing");
    let (first, second) = worker.in_random_order(client, upstream);
    close_in_order(first, second)
}

fn exchange(client: &mut Peer, up: u64, upstream: &mut Peer, down: u64) -> Outcome {
    let ((mut client_out, mut client_in), (mut upstream_out, mut upstream_in)) = (client.halves(), upstream.halves());
    thread::scope(|scope| {
        let others = [
            scope.spawn(move || client_out.send(up)),
            scope.spawn(move || upstream_out.send(down)),
            scope.spawn(move || upstream_in.receive(up)),
        ];
        let received = client_in.receive(down);
        let panicked = |_| Err(Failure::new("this program panicked"));
        others.into_iter().map(|other| other.join().unwrap_or_else(panicked)).fold(received, Outcome::and)
    })
}
