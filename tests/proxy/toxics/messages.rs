//! Each message meets a draw of its own: jitter and loss of small round trips and of a feed with pauses, and of a bulk
//! stream however it is written.
//!
//! What was drawn is read from the log. Measured times are only compared where a busy machine can't change the outcome:
//! a message is never earlier than drawn, and may be late.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{End, Run, STREAMS, millis, noise, read_all, read_exactly, route, start, toxic, wait_until_acknowledged};
use crate::harness::serve_echo;

/// A fault from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Injected {
    offset: usize,
    delay: Duration,
    times: usize,
}

/// Starts a route with one toxic, which is named `kind_stream`, and an upstream that echoes.
fn start_echo(kind: &str, stream: &str, attributes: &str, seed: &str) -> Run {
    let run = start(route(&[toxic(kind, stream, attributes)]).args(["--seed", seed]));
    serve_echo(run.upstream.try_clone().unwrap());
    run
}

/// The logged faults of a connection, in order: the 1st, 2nd, 4th and so on.
fn injected(run: &Run, connection: usize) -> Vec<Injected> {
    let lines = run.proxy.lines(&["fault injected", &format!("conn={connection} ")]);
    let injected = lines.iter().map(|line| Injected {
        offset: number(line, "offset="),
        delay: Duration::from_micros(number(line, "delay_us=") as u64),
        times: number(line, "times="),
    });
    injected.collect()
}

fn number(line: &str, key: &str) -> usize {
    let value = line.split(key).nth(1).unwrap_or_else(|| panic!("no {key} in {line}"));
    value.split(|end: char| !end.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Runs `drawn` with the same seed twice, and with another one.
fn assert_seed_repeats<T: PartialEq + Debug + Send>(drawn: fn(&str) -> T) {
    let [first, again, other] = thread::scope(|scope| {
        ["7", "7", "8"].map(|seed| scope.spawn(move || drawn(seed))).map(|drawn| drawn.join().unwrap())
    });
    assert_eq!(again, first);
    assert_ne!(other, first);
}

/// The number of faults in the closing line of a connection with one toxic.
fn times(run: &Run, connection: usize) -> usize {
    let closed = run.proxy.logged(&["connection closed", &format!("conn={connection} ")]);
    closed.split_once("toxics=").map_or(0, |(_, toxics)| number(toxics, "="))
}

/// Sends bytes one by one, each after the echo of the one before. Returns the time that each took.
fn round_trips(mut client: &TcpStream, count: usize) -> Vec<Duration> {
    let round_trip = |_| {
        let began = Instant::now();
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
        began.elapsed()
    };
    (0..count).map(round_trip).collect()
}

const CONNECTIONS: usize = 25;

/// The 1st, 2nd, 4th, ... 128th message of each connection are logged: eight, and 200 in all.
const ROUND_TRIPS: usize = 128;

/// What was drawn for the logged messages, and what each message took.
fn jittered(stream: &str, seed: &str) -> Vec<(Vec<Injected>, Vec<Duration>)> {
    let run = start_echo("latency", stream, r#""latency": 10, "jitter": 10"#, seed);
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| run.proxy.connect()).collect();
    let took: Vec<Vec<Duration>> = thread::scope(|scope| {
        let threads: Vec<_> = clients.iter().map(|client| scope.spawn(|| round_trips(client, ROUND_TRIPS))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    drop(clients);
    let closed = |(connection, took)| {
        // A FIN takes a draw of its own, except right after the last message.
        assert!([ROUND_TRIPS, ROUND_TRIPS + 1].contains(&times(&run, connection)));
        (injected(&run, connection), took)
    };
    (1..).zip(took).map(closed).collect()
}

/// The distance between the shares of `delays` below some value and the uniform distribution over 0 to 20 ms.
#[expect(clippy::cast_precision_loss, reason = "counts of some hundreds")]
fn distance_from_uniform(mut delays: Vec<Duration>) -> f64 {
    delays.sort();
    let (count, share) = (delays.len() as f64, |delay: &Duration| delay.as_secs_f64() / 0.02);
    let distance = |(index, delay)| (share(delay) - index as f64 / count).abs();
    delays.iter().enumerate().map(distance).fold(0.0, f64::max)
}

/// Dvoretzky, Kiefer, Wolfowitz (with Massart's constant): the distance is above e with a chance of at most
/// 2 exp(-2 n e²). For n = 200 and e = 0.2 that is 2e-7. The seed is fixed, so the test passes always or never.
#[test]
fn jitter_is_drawn_for_each_small_message() {
    for stream in STREAMS {
        let connections = jittered(stream, "7");
        for (injected, took) in &connections {
            let places: Vec<_> = injected.iter().map(|it| (it.offset, it.times)).collect();
            assert_eq!(places, [1, 2, 4, 8, 16, 32, 64, 128].map(|times| (times - 1, times)));
            assert!(injected.iter().all(|it| took[it.offset] >= it.delay), "{injected:?}");
            // Only if each message of the connection came 10 ms late, this would fail for lack of speed.
            assert!(took.iter().min() < Some(&millis(10)), "{took:?}");
        }
        let delays = connections.iter().flat_map(|(injected, _)| injected.iter().map(|it| it.delay)).collect();
        let distance = distance_from_uniform(delays);
        assert!(distance < 0.2, "{distance}");
    }
}

#[test]
fn seed_repeats_the_jitter_of_each_message() {
    assert_seed_repeats(|seed| {
        jittered("upstream", seed).into_iter().map(|(injected, _)| injected).collect::<Vec<_>>()
    });
}

/// Loses a tenth of 200 messages, each of which comes 50 ms late at least. Returns their logged losses, the number of
/// all losses, and whether each message took that long.
fn lossy(stream: &str, seed: &str) -> (Vec<Injected>, usize, Vec<bool>) {
    let run = start_echo("packet_loss", stream, r#""loss_rate": 0.1, "retransmit": 50"#, seed);
    let client = run.proxy.connect();
    let took = round_trips(&client, 200);
    drop(client);
    let times = times(&run, 1);
    let of_messages = injected(&run, 1).into_iter().filter(|loss| loss.offset < took.len());
    (of_messages.collect(), times, took.iter().map(|took| *took >= millis(50)).collect())
}

/// 201 draws at 0.1, that of the FIN among them, have a mean of 20 and a standard deviation of sqrt(201 * 0.1 * 0.9) =
/// 4.3. The bound is four standard deviations, 17. The seed is fixed. A run of 20 losses has a chance of 1e-20; a
/// machine that is too slow adds single late messages, and each of them only once.
#[test]
fn losses_hit_single_messages() {
    let losses =
        thread::scope(|scope| STREAMS.map(|stream| scope.spawn(|| lossy(stream, "7"))).map(|it| it.join().unwrap()));
    for (losses, times, is_late) in losses {
        assert!(times.abs_diff(20) <= 17, "{times}");
        assert!(losses.iter().all(|loss| is_late[loss.offset]), "{losses:?}");
        let late = is_late.iter().filter(|late| **late).count();
        assert!((times - 1..100).contains(&late), "{late} messages came late, and {times} were lost");
        let longest = is_late.split(|late| !late).map(<[bool]>::len).max();
        assert!(longest < Some(20), "{longest:?}");
    }
}

#[test]
fn seed_repeats_the_losses() {
    assert_seed_repeats(|seed| {
        let (losses, times, _) = lossy("upstream", seed);
        (losses, times)
    });
}

/// No reply ends a message of a feed, and the pause after it does: also while the messages before it are still held.
/// The pauses are ten times as long as needed. On a busy machine a message may be read so late that none is left of its
/// pause, and two are drawn for as one; but not most.
#[test]
fn a_pause_ends_a_message() {
    const MESSAGES: usize = 10;
    let feed = |stream: &str| {
        let run = start(route(&[toxic("latency", stream, r#""latency": 1500, "jitter": 500"#)]));
        let (mut from, to) = run.endpoints(stream);
        for _ in 0..MESSAGES {
            from.write_all(b"x").unwrap();
            thread::sleep(millis(100));
        }
        from.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&to), (vec![b'x'; MESSAGES], End::Fin));
        drop((from, to));
        let times = times(&run, 1);
        // A FIN after a pause takes a draw of its own.
        assert!((MESSAGES / 2..=MESSAGES + 1).contains(&times), "{times}");
    };
    thread::scope(|scope| STREAMS.map(|stream| scope.spawn(move || feed(stream))).map(|feed| feed.join().unwrap()));
}

/// The proxy is stopped while the stream is written, so that a slow writer makes no pause.
#[test]
fn a_bulk_stream_has_the_same_draws_however_it_is_written() {
    // It fits into the kernel's buffers: 64 KiB are the least that Linux advertises on loopback.
    let bytes = noise(40 * 1448);
    for (kind, attributes) in
        [("latency", r#""latency": 10, "jitter": 10"#), ("packet_loss", r#""loss_rate": 0.3, "retransmit": 10"#)]
    {
        for stream in STREAMS {
            let drawn = |write_size| {
                let run = start(route(&[toxic(kind, stream, attributes)]).args(["--seed", "7"]));
                let (mut from, to) = run.endpoints(stream);
                // The server's kernel may have accepted before the proxy has taken the connection up.
                run.proxy.logged(&["upstream connected"]);
                run.proxy.signal(Signal::SIGSTOP);
                bytes.chunks(write_size).for_each(|piece| from.write_all(piece).unwrap());
                from.shutdown(Shutdown::Write).unwrap();
                wait_until_acknowledged(&from);
                run.proxy.signal(Signal::SIGCONT);
                assert_eq!(read_exactly(&to, bytes.len()), bytes);
                drop((from, to));
                (times(&run, 1), injected(&run, 1))
            };
            let whole = drawn(bytes.len());
            assert!(whole.0 >= 4, "{whole:?}");
            for write_size in [100, 1448, 5000] {
                assert_eq!(drawn(write_size), whole, "{kind} {stream} {write_size}");
            }
        }
    }
}
