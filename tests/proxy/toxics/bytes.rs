//! Toxics that change bytes or their boundaries, `corrupt` and `slicer`, and chains of several toxics.

use std::io::Read;
use std::time::Instant;

use super::{End, STREAMS, assert_on_time, millis, noise, route, run, start, toxic, transfer};

const BYTES: usize = 30_000;

/// Sends [`BYTES`] bytes over the first connection of a run, and returns what arrives.
fn corrupted(stream: &str, seed: u64, write_size: usize) -> Vec<u8> {
    let run = start(route(&[toxic("corrupt", stream, r#""rate": 0.002"#)]).args(["--seed", &seed.to_string()]));
    let (bytes, end) = transfer(&run.endpoints(stream), &noise(BYTES), write_size);
    assert_eq!((bytes.len(), end), (BYTES, End::Fin));
    bytes
}

/// The mean is 30,000 * 0.002 = 60 hits with a standard deviation of 7.7. The bound is six standard deviations, 46. The
/// seed is fixed.
#[test]
fn flips_the_same_bits_for_every_write_size() {
    for stream in STREAMS {
        let once = corrupted(stream, 1, 65_536);
        assert!(
            [1, 1460, 65_536].map(|write_size| corrupted(stream, 1, write_size)).iter().all(|again| *again == once)
        );
        assert!(corrupted(stream, 2, 65_536) != once);

        let flipped = |(was, is): (&u8, &u8)| (was ^ is).count_ones();
        let hits: Vec<u32> = noise(BYTES).iter().zip(&once).map(flipped).filter(|bits| *bits > 0).collect();
        assert!(hits.iter().all(|bits| *bits == 1));
        assert!(hits.len().abs_diff(60) < 46, "{}", hits.len());
    }
}

#[test]
fn connections_and_directions_are_corrupted_differently() {
    let run = run(&[toxic("corrupt", "both", r#""rate": 0.01"#)]);
    let bytes = noise(BYTES);
    let [first, second, up] =
        ["downstream", "downstream", "upstream"].map(|way| transfer(&run.endpoints(way), &bytes, 1460).0);
    assert!(first != second && second != up && first != up);
}

/// The sizes of all reads until EOF.
fn reads(mut stream: &std::net::TcpStream) -> Vec<usize> {
    let (mut sizes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return sizes,
            read => sizes.push(read),
        }
    }
}

/// There are at least 800 / 150 pieces, with a pause after each except the last. A reader that is not scheduled during
/// a pause reads two pieces as one, so the best of five runs counts. If pieces were joined by design, all runs would
/// fail.
#[test]
fn slicer_sends_small_pieces_with_pauses() {
    const SLICER: &str = r#""average_size": 100, "size_variation": 50, "delay": 100000"#;
    for stream in STREAMS {
        let run = run(&[toxic("slicer", stream, SLICER)]);
        let sliced = |_| {
            let ((from, to), began) = (run.endpoints(stream), Instant::now());
            let sizes = std::thread::scope(|scope| {
                let reader = scope.spawn(|| reads(&to));
                std::io::Write::write_all(&mut &from, &noise(800)).unwrap();
                from.shutdown(std::net::Shutdown::Write).unwrap();
                reader.join().unwrap()
            });
            assert_eq!(sizes.iter().sum::<usize>(), 800);
            assert_on_time(began, millis(500));
            // The last piece may be shorter.
            sizes[..sizes.len() - 1].iter().all(|size| (50..=150).contains(size))
        };
        assert!((0..5).any(sliced));
    }
}

#[test]
fn slicer_keeps_all_bytes() {
    for stream in STREAMS {
        let run = run(&[toxic("slicer", stream, r#""average_size": 700, "size_variation": 699"#)]);
        let bytes = noise(1 << 20);
        assert!(transfer(&run.endpoints(stream), &bytes, 65_536) == (bytes, End::Fin));
    }
}

/// The corruption equals that of the toxic alone, and the time is the sum of latency and bandwidth.
#[test]
fn chained_toxics_all_take_effect() {
    for stream in STREAMS {
        let toxics = [
            toxic("latency", stream, r#""latency": 200, "jitter": 50"#),
            toxic("bandwidth", stream, r#""rate": 100"#),
            toxic("slicer", stream, r#""average_size": 500, "size_variation": 100"#),
            toxic("corrupt", stream, r#""rate": 0.002"#),
        ];
        let run = start(route(&toxics).args(["--seed", "1"]));
        let (endpoints, began) = (run.endpoints(stream), Instant::now());
        let (bytes, end) = transfer(&endpoints, &noise(BYTES), 1460);
        assert_on_time(began, millis(150 + 300));
        assert!(bytes == corrupted(stream, 1, 65_536) && end == End::Fin);
    }
}
