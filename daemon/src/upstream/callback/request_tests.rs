//! The reader of request heads: what it takes and what it refuses, against a model that knows before.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn read(bytes: &[u8]) -> Option<Result<Request, Refused>> {
    Head::new().push(bytes)
}

fn refused(bytes: impl AsRef<[u8]>) -> Option<Refused> {
    read(bytes.as_ref()).and_then(Result::err)
}

#[test]
fn what_a_browser_sends_is_read() {
    let text = "GET /callback?code=a%20b&state=s?t HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: keep-alive\r\n\
                sec-ch-ua: \"Not)A;Brand\";v=\"8\"\r\nCookie:\t a=\u{e9}; b=c\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n";
    let request = read(text.as_bytes()).unwrap().unwrap();
    assert_eq!((request.method, request.host.as_str(), request.path.as_str()), (Method::Get, "127.0.0.1:8080", "/callback"));
    assert_eq!(request.query.expose(), "code=a%20b&state=s?t");
    assert!(!format!("{request:?}").contains("state"), "Debug tells no query");
    let post = read(b"POST / HTTP/1.1\r\nhOsT:x \t\r\n\r\n").unwrap().unwrap();
    assert_eq!((post.method, post.host.as_str(), post.query.expose()), (Method::Other, "x", ""));
    assert_eq!(read(b"get / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap().unwrap().method, Method::Other, "methods have one case");
}

#[test]
fn a_head_that_has_not_ended_is_waited_for() {
    let whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_none(), "{length}");
    }
    assert!(read(whole).unwrap().is_ok());
}

#[test]
fn whoever_speaks_something_else_is_refused_at_the_first_byte_that_tells() {
    for (bytes, length) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], 1),
        (b"\r\nGET / HTTP/1.1\r\n", 1),
        (b" GET / HTTP/1.1\r\n", 1),
        (b"GET / HTTP/1.1\nHost: x\n\n", 15),
        (b"GET / HTTP/1.1\rHost", 16),
        (b"GET /\0", 6),
        (b"GET /\x1b[2J", 6),
        (b"\xff\xfe", 1),
    ] {
        assert!(read(&bytes[..length - 1]).is_none(), "{}", bytes.escape_ascii());
        assert_eq!(refused(&bytes[..length]), Some(Refused::NotHttp), "{}", bytes.escape_ascii());
    }
    assert_eq!(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(Refused::RequestLine));
}

#[test]
fn a_request_line_has_three_parts_and_a_path() {
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.0",
        "GET / HTTP/1.2",
        "GET / HTTP/2",
        "GET / http/1.1",
        "GET",
        "GET / / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET http://127.0.0.1:8765/callback HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "G(T / HTTP/1.1",
        "CONNECT 127.0.0.1:1 HTTP/1.1",
        "GET callback HTTP/1.1",
        "GET ?state=s HTTP/1.1",
        "GET /#x HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
    ] {
        assert_eq!(refused(format!("{line}\r\nHost: x\r\n\r\n")), Some(Refused::RequestLine), "{line}");
    }
}

#[test]
fn there_is_one_host_and_no_malformed_field() {
    for (fields, why) in [
        ("", Refused::Host),
        ("Host: a\r\nHost: a\r\n", Refused::Host),
        ("Host: a\r\nhost: b\r\n", Refused::Host),
        ("Host:\r\n", Refused::Host),
        ("Host: a b\r\n", Refused::Host),
        ("Host: \u{e9}\r\n", Refused::Host),
        ("Host : a\r\n", Refused::Field),
        (" Host: a\r\n", Refused::Field),
        ("Host: a\r\n b\r\n", Refused::Field),
        ("Host: a\r\n\tX: b\r\n", Refused::Field),
        ("Host: a\r\nX\r\n", Refused::Field),
        ("Host: a\r\n: b\r\n", Refused::Field),
        ("Host: a\r\nX@: b\r\n", Refused::Field),
        ("Host: a\r\nContent-Length: 1\r\n", Refused::Body),
        ("Host: a\r\nContent-Length: 00\r\n", Refused::Body),
        ("Host: a\r\nContent-Length: 0, 5\r\n", Refused::Body),
        ("Host: a\r\nTransfer-Encoding: chunked\r\n", Refused::Body),
        ("Host: a\r\ntransfer-encoding: identity\r\n", Refused::Body),
    ] {
        assert_eq!(refused(format!("GET / HTTP/1.1\r\n{fields}\r\n")), Some(why), "{fields:?}");
    }
}

#[test]
fn d30_a_head_of_8_kib_is_read_and_one_byte_more_is_not() {
    let of = |length: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: x\r\nCookie: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "c".repeat(length - frame))
    };
    assert_eq!((of(8192).len(), of(8193).len()), (8192, 8193));
    assert!(read(of(8192).as_bytes()).unwrap().is_ok());
    assert_eq!(refused(of(8193)), Some(Refused::TooLong));
    assert_eq!(refused("G".repeat(8193)), Some(Refused::TooLong));
    assert!(read("G".repeat(8192).as_bytes()).is_none());
}

/// A line of a head, and whether it may stand there: the model.
fn line() -> impl Strategy<Value = (String, bool)> {
    let name = "[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,12}".prop_filter("told apart", |name| {
        !["host", "content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str())
    });
    prop_oneof![
        8 => (name, "[\t ]{0,2}", "[!-~\u{80}-\u{ff}]?[ -~\u{80}-\u{ff}\t]{0,20}").prop_map(|(name, space, value)| (format!("{name}:{space}{value}"), true)),
        1 => Just(("Content-Length: 0".to_owned(), true)),
        1 => select(vec![" folded", "\tfolded: x", "no colon", ": nameless", "Na me: x", "Name : x", "N\u{e9}: x", "(x): y",
            "Content-Length: 7", "content-length: -0", "Transfer-Encoding: gzip", "Host: ", "Host: a, b", "X: \0", "X: \x7f", "X: \r", "X: \n"])
            .prop_map(|bad| (bad.to_owned(), false)),
    ]
}

proptest! {
    #[test]
    fn a_head_is_read_exactly_where_every_line_of_it_may_stand_there(
        mut lines in proptest::collection::vec(line(), 0..8), hosts in 0..3usize, at in any::<prop::sample::Index>(),
        (path, query) in ("/[!-\"$->@-~]{0,30}", proptest::option::of("[!-\"$-~]{0,30}")),
    ) {
        for host in 0..hosts {
            let index = (at.index(lines.len() + 1) + host * 3) % (lines.len() + 1);
            lines.insert(index, (format!("{}:h{host}:1", ["Host", "hOST"][host]), true));
        }
        let target = query.as_ref().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        let fields: String = lines.iter().map(|(line, _)| format!("{line}\r\n")).collect();
        let text = format!("GET {target} HTTP/1.1\r\n{fields}\r\n");
        let may_be_read = hosts == 1 && lines.iter().all(|(_, fine)| *fine);
        match read(text.as_bytes()) {
            Some(Ok(request)) => {
                prop_assert!(may_be_read, "read: {:?}", text);
                prop_assert_eq!(request.host, "h0:1");
                prop_assert_eq!(request.path, path);
                prop_assert_eq!(request.query.expose(), query.unwrap_or_default());
            }
            Some(Err(_)) => prop_assert!(!may_be_read, "refused: {:?}", text),
            None => prop_assert!(false, "waits for more: {:?}", text),
        }
    }

    #[test]
    fn no_bytes_panic_and_how_they_come_in_pieces_does_not_count(
        any in proptest::collection::vec(any::<u8>(), 0..200),
        near in "(GET|PRI|\\*)? ?/?[a-z?=&]{0,5} (HTTP/1.1)?(\r\n|\n|\r)?((Host|X|\u{e9}| )?:? ?[a-z]{0,3}(\r\n|\r\n|\n)){0,4}(\r\n)?[a-z]{0,3}",
        pieces in proptest::collection::vec(1..9usize, 1..40),
    ) {
        for bytes in [any.as_slice(), near.as_bytes()] {
            let at_once = read(bytes).map(|read| read.map(|request| (request.host, request.path, request.query)));
            let (mut head, mut rest, mut in_pieces) = (Head::new(), bytes, None);
            for piece in pieces.iter().cycle() {
                if rest.is_empty() || in_pieces.is_some() {
                    break;
                }
                let (now, later) = rest.split_at((*piece).min(rest.len()));
                in_pieces = head.push(now).map(|read| read.map(|request| (request.host, request.path, request.query)));
                rest = later;
            }
            prop_assert_eq!(&at_once, &in_pieces);
            if let Some(Ok((host, path, _))) = at_once {
                let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
                let head = text.split("\r\n\r\n").next().unwrap();
                prop_assert_eq!(head.lines().filter(|line| line.starts_with("host:")).count(), 1);
                prop_assert!(path.starts_with('/') && !host.is_empty());
                prop_assert!(head.lines().skip(1).all(|line| line.contains(':') && !line.starts_with([' ', '\t'])));
            }
        }
    }
}
