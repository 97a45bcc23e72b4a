//! Log lines about toxics: each fault with its offset and amount, repeated faults at powers of two, and the sums in the
//! closing line.

use std::io::Write;
use std::net::Shutdown;

use super::{End, HOUR, STREAMS, noise, read_all, read_exactly, run, toxic, transfer};

/// The offsets and amounts of the logged faults, in order.
fn logged_faults(run: &super::Run, toxic: &str, parts: &[&str]) -> Vec<String> {
    let name = format!("toxic={toxic} ");
    let lines = run.proxy.lines(&[&["fault injected", "conn=1 ", name.as_str()], parts].concat());
    lines.iter().map(|line| line[line.find("offset=").unwrap()..].to_owned()).collect()
}

#[test]
fn logs_repeated_faults_at_powers_of_two() {
    for stream in STREAMS {
        let run = run(&[toxic("corrupt", stream, r#""rate": 1"#)]);
        transfer(&run.endpoints(stream), &noise(20), 1);
        let name = format!("corrupt_{stream}");
        run.proxy.logged(&["connection closed", &format!("toxics=\"{name}=20,20B\"")]);
        let expected = [1, 2, 4, 8, 16].map(|times| format!("offset={} bytes=1 times={times}", times - 1));
        assert_eq!(logged_faults(&run, &name, &["fault=corrupt", &format!("stream={stream}")]), expected);
    }
}

#[test]
fn logs_the_first_fault_of_each_toxic() {
    for (kind, attributes, expected) in [
        ("latency", r#""latency": 5"#, "offset=0 delay_us=5000 times=1"),
        ("slicer", r#""average_size": 10"#, "offset=0 bytes=10 times=1"),
        ("limit_data", r#""bytes": 20"#, "offset=20 bytes=20 times=1"),
        ("limit_time", r#""time": 1000"#, "offset=30 delay_us=1000000 times=1"),
        ("reset_peer", r#""timeout": 1000"#, "offset=30 delay_us=1000000 times=1"),
        ("timeout", r#""timeout": 1000"#, "offset=0 bytes=30 times=1"),
        ("packet_loss", r#""loss_rate": 1"#, "offset=0 held=forever times=1"),
        ("bandwidth", r#""rate": 0"#, "offset=0 held=forever times=1"),
        ("stall", "", "offset=0 held=forever times=1"),
    ] {
        for stream in STREAMS {
            let run = run(&[toxic(kind, stream, attributes)]);
            let (mut from, _to) = run.endpoints(stream);
            from.write_all(&noise(30)).unwrap();
            let (fault, way) = (format!("fault={kind} "), format!("stream={stream} "));
            let line =
                run.proxy.logged(&["fault injected", "conn=1 ", &fault, &way, &format!("toxic={kind}_{stream} ")]);
            assert!(line.ends_with(expected), "{line}");
        }
    }
}

#[test]
fn logs_slow_close_with_the_stream_length() {
    for stream in STREAMS {
        let run = run(&[toxic("slow_close", stream, &format!(r#""delay": {HOUR}"#))]);
        let (mut from, _to) = run.endpoints(stream);
        from.write_all(&noise(30)).unwrap();
        from.shutdown(Shutdown::Write).unwrap();
        run.proxy.logged(&["fault=slow_close", "offset=30 delay_us=3600000000 times=1"]);
    }
}

/// The sum of a toxic covers both directions. Toxics without faults are left out.
#[test]
fn closing_line_sums_faults_by_toxic() {
    let limit =
        toxic("limit_data", "upstream", r#""bytes": 1000"#).replace("limit_data\"", "limit_data\", \"name\": \"cap\"");
    let run =
        run(&[toxic("corrupt", "both", r#""rate": 1"#), limit, toxic("slicer", "downstream", r#""average_size": 2"#)]);
    let (mut client, mut server) = run.pair();
    client.write_all(&noise(7)).unwrap();
    read_exactly(&server, 7);
    server.write_all(&noise(6)).unwrap();
    drop(server);
    assert_eq!(read_all(&client).1, End::Fin);
    drop(client);
    let closed = run.proxy.logged(&["connection closed"]);
    assert!(closed.ends_with("toxics=\"corrupt_both=13,13B slicer_downstream=3,6B\""), "{closed}");
}

/// Delays are counted per segment, independent of the write size: 3,000 bytes are two segments of 1,448 bytes and a
/// part of a third.
#[test]
fn closing_line_reports_the_longest_delay() {
    for write_size in [1, 1000, 3000] {
        let run = run(&[toxic("latency", "downstream", r#""latency": 5"#)]);
        transfer(&run.endpoints("downstream"), &noise(3000), write_size);
        run.proxy.logged(&["connection closed", "toxics=\"latency_downstream=3,5000us\""]);
    }
}
