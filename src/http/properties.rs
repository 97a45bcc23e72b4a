//! Properties for any input: a request is read or refused, and its end depends only on the bytes before it.

use std::io::{BufRead, BufReader};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::head::{self, Head};
use super::limits::Limits;
use super::refusal::Refusal;
use super::{body, status::Status};

/// Method, path and body.
type Read = (String, Vec<String>, Vec<u8>);

fn read(input: &mut impl BufRead) -> Result<Read, Refusal> {
    let Head { method, target, framing, .. } = head::read(input, &Limits::SMALL)?;
    let body = body::read(input, framing, Limits::SMALL.body_bytes)?;
    Ok((method, target.path().into_iter().map(str::to_owned).collect(), body))
}

/// The requests at the start of `bytes`, which arrive in pieces of this size, and the refusal that ends them.
fn read_all(bytes: &[u8], piece: usize) -> (Vec<Read>, Refusal) {
    let mut input = BufReader::with_capacity(piece, bytes);
    let mut requests = Vec::new();
    loop {
        match read(&mut input) {
            Ok(request) => requests.push(request),
            Err(refusal) => return (requests, refusal),
        }
    }
}

/// Fragments of requests in any order, with noise between them.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "GET /a%20b HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /c?d HTTP/1.1\r\nHost: a\r\n",
        "PUT http://h/ HTTP/1.0\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\r\n",
        "\n",
        "abc",
        "3\r\nabc\r\n",
        "2;x=y\r\nde\r\n",
        "0\r\n",
        "Trailer: x\r\n",
    ];
    let noise = vec(any::<u8>(), 0..40);
    let piece = select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec());
    vec(prop_oneof![1 => noise, 12 => piece], 0..16).prop_map(|parts| parts.concat())
}

/// A body, and the size of its chunks if it is chunked.
fn sent() -> impl Strategy<Value = (Vec<u8>, Option<usize>)> {
    (vec(any::<u8>(), 0..200), proptest::option::of(1..50_usize))
}

fn written(body: &[u8], chunk: Option<usize>) -> Vec<u8> {
    let head = "POST /a HTTP/1.1\r\nHost: a\r\n";
    let Some(size) = chunk else {
        return [format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    };
    let chunks = body.chunks(size).map(|chunk| [format!("{:X}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    let start = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    [start].into_iter().chain(chunks).chain([b"0\r\n\r\n".to_vec()]).collect::<Vec<_>>().concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_size_of_pieces_does_not_change_what_is_read(bytes in any_bytes(), piece in 1..50_usize) {
        prop_assert_eq!(read_all(&bytes, piece), read_all(&bytes, bytes.len() + 1));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..2000)) {
        read_all(&bytes, 100);
    }

    #[test]
    fn pipelined_requests_are_read_as_they_were_sent(sent in vec(sent(), 0..5), piece in 1..100_usize) {
        let bytes: Vec<u8> = sent.iter().flat_map(|(body, chunk)| written(body, *chunk)).collect();
        let expected: Vec<Read> =
            sent.into_iter().map(|(body, _)| ("POST".to_owned(), vec!["a".to_owned()], body)).collect();
        let (requests, end) = read_all(&bytes, piece);
        prop_assert_eq!(requests, expected);
        prop_assert_eq!(end.status, Status::BadRequest);
    }

    #[test]
    fn a_body_is_framed_by_one_line_at_most(lines in vec(select(FRAMING_LINES.to_vec()), 0..4)) {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{}\r\n0\r\n\r\n", lines.concat());
        let accepted = read(&mut bytes.as_bytes()).is_ok();
        prop_assert_eq!(accepted, lines.len() < 2);
    }
}

const FRAMING_LINES: [&str; 4] = [
    "Content-Length: 3\r\n",
    "content-length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "TRANSFER-ENCODING: CHUNKED\r\n",
];
