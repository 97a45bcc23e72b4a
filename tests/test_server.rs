//! The test server over real sockets, with bytes as they are and with curl where it is installed. How heads and bodies
//! are parsed is tested in `http`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod http_client;

use std::io::{self, Read, Write, stderr};
use std::net::{Shutdown, SocketAddr};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chaos_proxy::test_server::{self, TestServer};
use http_client::{Answer, Client, HANGS};
use proptest::prelude::*;

fn serve() -> SocketAddr {
    let server = TestServer::bind("127.0.2.4:0".parse().unwrap()).unwrap();
    let addr = server.local_addr();
    server.serve().unwrap();
    addr
}

#[test]
fn serves_every_address_and_answers_with_it() {
    let addrs = ["127.0.2.5:0", "127.0.2.6:0"].map(|it| TestServer::bind(it.parse().unwrap()).unwrap().local_addr());
    test_server::start(addrs).unwrap();
    for addr in addrs {
        let answer = Client::connect(addr).send("GET /?x=y HTTP/1.1\r\nHost: a\r\n\r\n").answer();
        assert_eq!((answer.status, answer.text()), (200, format!("{addr}\n").as_str()));
    }
}

#[test]
fn bytes_has_the_length_and_the_pattern() {
    let mut client = Client::connect(serve());
    for length in [0, 1, 64_256, 1_000_000] {
        let answer = client.send(format!("GET /bytes/{length} HTTP/1.1\r\nHost: a\r\n\r\n")).answer();
        assert_eq!((answer.status, answer.body.len()), (200, length));
        assert!(answer.body.iter().enumerate().all(|(offset, &byte)| usize::from(byte) == offset % 251));
    }
}

#[test]
fn streams_the_largest_length() {
    let mut client = Client::connect(serve());
    let answer = client.send(format!("GET /bytes/{} HTTP/1.1\r\nHost: a\r\n\r\n", u64::MAX)).head();
    assert_eq!(answer.header("Content-Length"), Some("18446744073709551615"));
    let mut start = vec![0; 1 << 20];
    client.0.read_exact(&mut start).unwrap();
}

#[test]
fn echoes_ten_mebibytes_to_a_client_that_sends_before_it_reads() {
    let body: Vec<u8> = (0_u32..10 << 18).flat_map(u32::to_le_bytes).collect();
    let mut client = Client::connect(serve());
    client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len())).send(&body);
    let answer = client.answer();
    assert_eq!(answer.header("Content-Type"), Some("application/octet-stream"));
    assert!(answer.body == body);
}

#[test]
fn an_echo_keeps_the_content_type() {
    let request = "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Type: text/x; q=\"\u{e9}\"\r\nContent-Length: 2\r\n\r\nhi";
    let answer = Client::connect(serve()).send(request).answer();
    assert_eq!(answer.header("Content-Type"), Some("text/x; q=\"\u{e9}\""));
    assert_eq!(answer.text(), "hi");
}

#[test]
fn reads_chunked_requests_one_byte_at_a_time() {
    let request = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: z\r\n\r\n";
    let mut client = Client::connect(serve());
    for _ in 0..2 {
        for byte in request.bytes() {
            client.send([byte]);
        }
        assert_eq!(client.answer().text(), "hello world");
    }
}

#[test]
fn answers_pipelined_requests_in_order() {
    let mut client = Client::connect(serve());
    client.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none\
         GET /bytes/2 HTTP/1.1\r\nHost: a\r\n\r\n\
         \r\nPOST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n\
         GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\
         GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(client.answer().text(), "one");
    assert_eq!(client.answer().body, [0, 1]);
    assert_eq!(client.answer().text(), "three");
    assert_eq!(client.answer().status, 404);
    client.assert_end();
}

#[test]
fn head_is_get_without_content() {
    let mut client = Client::connect(serve());
    for path in ["/", "/bytes/700", "/echo", "/none"] {
        let get = client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).answer();
        let head = client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n")).head();
        assert_eq!((head.status, head.headers), (get.status, get.headers), "{path}");
    }
}

#[test]
fn http_1_0_closes_unless_it_asks_for_keep_alive() {
    let mut client = Client::connect(serve());
    let kept = client.send("GET /bytes/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer();
    assert_eq!(kept.header("Connection"), Some("keep-alive"));
    let closed = client.send("GET /bytes/1 HTTP/1.0\r\n\r\n").answer();
    assert_eq!(closed.header("Connection"), Some("close"));
    client.assert_end();
}

#[test]
fn sends_100_continue_to_a_client_that_waits_for_it() {
    let mut client = Client::connect(serve());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head(), Answer { status: 100, headers: Vec::new(), body: Vec::new() });
    assert_eq!(client.send("hi").answer().text(), "hi");
}

#[test]
fn lists_the_allowed_methods_for_another_method() {
    let mut client = Client::connect(serve());
    for (request, allow) in [("BREW /", "GET, HEAD"), ("DELETE /echo", "GET, HEAD, POST, PUT, PATCH")] {
        let answer = client.send(format!("{request} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")).answer();
        assert_eq!((answer.status, answer.header("Allow")), (405, Some(allow)));
    }
}

#[test]
fn a_refusal_arrives_before_the_connection_closes() {
    let addr = serve();
    let refused: &[(u16, &[u8])] = &[
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01"),
        (400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        (400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
        (400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
        (413, b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 67108865\r\n\r\n"),
        (400, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
        (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ];
    // More than socket buffers hold (6 + 4 MiB by default, tcp_rmem and tcp_wmem): an immediate close resets the
    // upload.
    let more = vec![b'x'; 24 << 20];
    for (status, request) in refused {
        let mut client = Client::connect(addr);
        let answer = client.send(request).send(&more).answer();
        assert_eq!((answer.status, answer.header("Connection")), (*status, Some("close")));
        client.assert_end();
    }
    let endless_header = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(1 << 20));
    assert_eq!(Client::connect(addr).send(endless_header).answer().status, 431);
}

#[test]
fn refuses_a_chunked_body_over_64_mib() {
    let mut client = Client::connect(serve());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mebibyte = [b"100000\r\n".to_vec(), vec![b'x'; 1 << 20], b"\r\n".to_vec()].concat();
    for _ in 0..65 {
        client.send(&mebibyte);
    }
    assert_eq!(client.answer().status, 413);
    client.assert_end();
}

#[test]
fn answers_half_a_request_after_a_half_close() {
    let addr = serve();
    for half in ["GET / HT", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"] {
        let mut client = Client::connect(addr);
        client.send(half).0.get_mut().shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.answer().status, 400);
        client.assert_end();
    }
}

#[test]
fn closes_an_idle_connection_after_5_s() {
    let mut client = Client::connect(serve());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer();
    let idle = Instant::now();
    client.assert_end();
    assert!(idle.elapsed() >= Duration::from_millis(4_900), "{:?}", idle.elapsed());
}

#[test]
fn gives_up_a_head_after_10_s_although_bytes_keep_arriving() {
    let mut client = Client::connect(serve());
    let begun = Instant::now();
    let mut trickle = client.send("GET / HTTP/1.1\r\n").0.get_ref().try_clone().unwrap();
    let trickling = thread::spawn(move || {
        while begun.elapsed() < HANGS && trickle.write_all(b"X: y\r\n").is_ok() {
            thread::sleep(Duration::from_millis(500));
        }
    });
    assert_eq!(client.answer().status, 408);
    assert!(begun.elapsed() >= Duration::from_millis(9_900), "{:?}", begun.elapsed());
    client.assert_end();
    client.0.get_ref().shutdown(Shutdown::Both).unwrap();
    trickling.join().unwrap();
}

#[test]
fn keeps_a_new_connection_open_for_latency_before_the_first_request() {
    let mut silent = Client::connect(serve());
    silent.0.get_mut().set_read_timeout(Some(Duration::from_secs(7))).unwrap();
    let error = silent.0.read(&mut [0]).expect_err("neither a byte nor an end");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    silent.0.get_mut().set_read_timeout(Some(HANGS)).unwrap();
    assert_eq!(silent.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 200);
}

#[test]
fn answers_any_bytes_and_closes() {
    let addr = serve();
    proptest!(ProptestConfig::with_cases(500), |(bytes in any_bytes())| {
        let answered = converse(addr, &bytes).expect("an end in time, and no reset");
        prop_assert!(answered.starts_with(b"HTTP/1.1 ") || bytes.is_empty());
    });
    assert_eq!(Client::connect(addr).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 200);
}

/// Sends `bytes` and the end of stream; reads to the end.
fn converse(addr: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut client = Client::connect(addr).0;
    client.get_mut().write_all(bytes)?;
    client.get_mut().shutdown(Shutdown::Write)?;
    let mut answered = Vec::new();
    client.read_to_end(&mut answered).map(|_| answered)
}

/// Noise, and pieces of requests in any order with noise between them.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "GET / HTTP/1.1\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\n",
        "HEAD /bytes/99 HTTP/1.0\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Connection: keep-alive\r\n",
        "\r\n",
        "abc",
        "3\r\nabc\r\n",
        "0\r\n",
    ];
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    let piece = prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec());
    prop::collection::vec(prop_oneof![1 => noise, 6 => piece], 0..12).prop_map(|parts| parts.concat())
}

/// The output of curl, or `None` where it is not installed.
fn curl(args: &[&str], input: &[u8]) -> Option<Output> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "30"]).args(args);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    // The test harness captures the print macros, and shows their output only for failed tests.
    let report = |error: &io::Error| stderr().write_all(format!("skipped: curl can't be run: {error}\n").as_bytes());
    let mut child = spawned.inspect_err(|error| report(error).unwrap()).ok()?;
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        Some(child.wait_with_output().unwrap())
    })
}

#[test]
fn curl_reuses_its_connection() {
    let url = format!("http://{}/bytes/9", serve());
    let Some(output) = curl(&["-o", "/dev/null", "-w", "%{num_connects} ", &url, "-o", "/dev/null", &url], b"") else {
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 0 ");
}

#[test]
fn curl_gets_a_head() {
    let Some(output) = curl(&["--head", &format!("http://{}/bytes/1000000", serve())], b"") else { return };
    assert!(String::from_utf8_lossy(&output.stdout).contains("Content-Length: 1000000\r\n"));
}

#[test]
fn curl_uploads_in_chunks_after_100_continue() {
    let sent: Vec<u8> = (0_u32..1 << 18).flat_map(u32::to_le_bytes).collect();
    let url = format!("http://{}/echo", serve());
    let Some(output) = curl(&["-v", "-T", "-", "-H", "Expect: 100-continue", &url], &sent) else { return };
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout == sent, "{log}");
    assert!(log.contains("> Transfer-Encoding: chunked") && log.contains("< HTTP/1.1 100 Continue"), "{log}");
}
