//! The log: its events, both formats, levels, and that a slow reader never blocks the proxy.

use std::io::Write;

use crate::harness::{Setup, StreamEnd, accept, echoes, one_route, read_to_end, serve_echo};

/// Parses a logfmt line into keys and values. A quoted value is a JSON string.
fn logfmt(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while let Some((key, after)) = rest.split_once('=') {
        let length = if after.starts_with('"') {
            serde_json::Deserializer::from_str(after).into_iter::<String>().next().unwrap().unwrap();
            let mut stream = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let _ = stream.next();
            stream.byte_offset()
        } else {
            after.find(' ').unwrap_or(after.len())
        };
        let raw = &after[..length];
        let value = serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned());
        pairs.push((key.trim_start().to_owned(), value));
        rest = &after[length..];
    }
    assert_eq!(rest, "", "{line}");
    pairs
}

fn value<'a>(pairs: &'a [(String, String)], key: &str) -> &'a str {
    let found = pairs.iter().find(|(name, _)| name == key);
    &found.unwrap_or_else(|| panic!("no {key} in {pairs:?}")).1
}

const NAME: &str = r#"a "b" = c\\d é"#;

#[test]
fn logs_every_event_of_a_connection() {
    let setup = one_route(&format!(r#""latencyMs": 100, "name": {}"#, serde_json::Value::from(NAME)));
    let upstream = setup.upstream();
    let mut proxy = setup.args(["--verbose", "--seed", "5", "--max-connections", "9"]).start();
    let client = proxy.connect();
    let mut server = accept(&upstream);
    server.write_all(b"hello").unwrap();
    drop(server);
    assert_eq!(read_to_end(&client), StreamEnd::Fin(b"hello".to_vec()));
    let from = client.local_addr().unwrap().to_string();
    drop(client);
    proxy.logged(&["connection closed"]);
    assert_eq!(proxy.stop(), 0);

    let lines: Vec<_> = proxy.log_text().lines().map(logfmt).collect();
    let messages: Vec<_> = lines.iter().map(|pairs| value(pairs, "msg")).collect();
    let expected = [
        "starting",
        "listening",
        "connection opened",
        "dialling",
        "upstream connected",
        "fault injected",
        "forwarding",
        "forwarding",
        "connection closed",
        "draining, no new connections",
        "drained",
        "route totals",
        "to repeat this run",
    ];
    assert_eq!(messages, expected);
    for pairs in &lines {
        assert!(value(pairs, "time").ends_with('Z'));
    }
    for pairs in &lines[2..9] {
        assert_eq!((value(pairs, "route"), value(pairs, "conn"), value(pairs, "client")), (NAME, "1", &*from));
    }
    let (start, closed) = (&lines[0], &lines[8]);
    assert_eq!(value(start, "version"), env!("CARGO_PKG_VERSION"));
    assert_eq!((value(start, "seed"), value(start, "max_connections")), ("5", "9"));
    assert_eq!((value(closed, "bytes_up"), value(closed, "bytes_down")), ("0", "5"));
    assert!(value(closed, "duration_us").parse::<u64>().unwrap() >= 100_000);
}

/// An IPv6 listener sees the addresses of IPv4 clients as IPv4-mapped ones, here as on `::`.
#[test]
fn ipv4_clients_are_logged_as_ipv4() {
    let setup = Setup::new();
    let ip = setup.ip();
    let route = format!(r#"{{"localPort": 8180, "bind": "::ffff:{ip}", "upstream": "{ip}:9090", "dropRate": 1}}"#);
    let proxy = setup.raw_route(&route).start();
    let client = proxy.connect();
    proxy.logged(&["connection opened", &format!("client={}", client.local_addr().unwrap())]);
}

#[test]
fn json_format_is_valid_json() {
    let setup = one_route(&format!(r#""name": {}, "dropRate": 1"#, serde_json::Value::from(NAME)));
    let mut proxy = setup.args(["--log-format", "json"]).start();
    assert_eq!(read_to_end(&proxy.connect()), StreamEnd::Fin(Vec::new()));
    proxy.logged(&["connection closed"]);
    assert_eq!(proxy.stop(), 0);
    let lines: Vec<serde_json::Value> =
        proxy.log_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fault = lines.iter().find(|line| line["msg"] == "fault injected").unwrap();
    assert_eq!((&fault["route"], &fault["conn"], &fault["fault"]), (&NAME.into(), &1.into(), &"drop".into()));
    assert!(lines.iter().all(|line| line["time"].is_string() && line["level"].is_string()));
}

#[test]
fn level_is_set_by_flag_or_environment() {
    let log_of = |flags: &[&str], rust_log: Option<&str>| {
        let mut setup = one_route(r#""dropRate": 1"#).args(flags);
        if let Some(level) = rust_log {
            setup = setup.env("RUST_LOG", level);
        }
        let mut proxy = setup.start();
        assert_eq!(proxy.stop(), 0);
        proxy.log_text()
    };
    assert!(log_of(&[], None).contains("listening"));
    assert_eq!(log_of(&["--quiet"], None), "");
    // A RUST_LOG for another program must not change the level.
    assert!(log_of(&[], Some("")).contains("listening"));
    assert!(log_of(&[], Some("my_app=debug")).contains("listening"));
    assert_eq!(log_of(&[], Some("error")), "");
    assert!(log_of(&["--verbose"], Some("error")).contains("listening"));
    assert_eq!(log_of(&["--quiet", "--verbose"], None), "chaos-proxy: warning: --quiet wins over --verbose");
}

/// Draws with their values, the paths of both directions, and each act of a toxic: the 3rd one is logged with
/// `--verbose` only.
#[test]
fn debug_lines_explain_a_connection() {
    let toxics = r#""dropRate": 1e-300, "toxics": [
        { "type": "corrupt", "stream": "upstream", "toxicity": 0.999999, "attributes": { "rate": 1 } },
        { "type": "noop", "name": "elsewhere", "connections": "2" }
    ]"#;
    for flags in [&["--verbose"][..], &[]] {
        let setup = one_route(toxics).args(flags).args(["--seed", "7"]);
        serve_echo(setup.upstream());
        let proxy = setup.start();
        echoes(&proxy.connect(), b"abc");
        proxy.logged(&["connection closed"]);
        let third = proxy.lines(&["fault injected", "fault=corrupt", "times=3"]);
        if flags.is_empty() {
            assert!(third.is_empty() && proxy.lines(&["level=debug"]).is_empty());
            continue;
        }
        assert!(third.len() == 1 && third[0].contains("level=debug"));
        for (message, fields) in [
            ("drop drawn", " drop_rate=0.000"),
            ("dialling", "timeout_us=10000000"),
            ("toxicity drawn", "toxic=corrupt_upstream draw=0."),
            ("toxicity drawn", " toxicity=0.999999"),
            ("forwarding", "stream=upstream path=toxic"),
            ("forwarding", "stream=downstream path=plain"),
        ] {
            proxy.logged(&["level=debug", message, fields]);
        }
        assert!(proxy.lines(&["toxic=elsewhere"]).is_empty());
    }
}

#[test]
fn faults_can_be_logged_alone() {
    let setup = one_route(r#""dropRate": 1"#).args(["--log", "faults"]);
    let mut proxy = setup.start();
    assert_eq!(read_to_end(&proxy.connect()), StreamEnd::Fin(Vec::new()));
    proxy.logged(&["level=info", "fault injected", "fault=drop"]);
    assert_eq!(proxy.stop(), 0);
    assert_eq!(proxy.lines(&[]).len(), 1, "{}", proxy.log_text());
}

/// The pipe holds 64 KiB and the queue 4,096 lines. 3,000 connections log three lines each, which is more than both
/// hold.
#[test]
fn counts_lines_lost_to_a_stopped_reader() {
    let setup = one_route("").args(["--verbose"]);
    serve_echo(setup.upstream());
    let (mut proxy, unread) = setup.start_unread();
    for _ in 0..3000 {
        assert!(echoes(&proxy.connect(), b"x"));
    }
    proxy.read_log(unread);
    let line = proxy.logged(&["log lines lost"]);
    let lost: usize = line.split("lost=").nth(1).unwrap().parse().unwrap();
    assert_eq!(proxy.stop(), 0);
    let logged = proxy.lines(&["conn="]).len();
    assert!(lost > 0 && logged > 0 && lost + logged >= 9000, "{lost} lost, {logged} logged");
}

#[test]
fn closed_stderr_does_no_harm() {
    let setup = one_route("");
    serve_echo(setup.upstream());
    let (mut proxy, unread) = setup.start_unread();
    drop(unread);
    assert!(echoes(&proxy.connect(), b"x"));
    assert_eq!(proxy.stop(), 0);
}
