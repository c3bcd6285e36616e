//! A response's head: what it says of the body and of the connection.

use super::HttpError;
use super::framing::{Chunked, Framing};
use bytes::{Buf as _, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// The head of a response.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection may carry another request after the body.
    pub(super) keeps_alive: bool,
}

/// Takes a final response's head from the front of what was read; `None` when it isn't there as a whole.
///
/// Interim responses (100, 103) are passed over.
pub(super) fn take(read: &mut BytesMut) -> Result<Option<Head>, HttpError> {
    loop {
        match parse(read)? {
            Some((head, length)) => {
                read.advance(length);
                match head.status.as_u16() {
                    101 => return Err(HttpError::Malformed("an upgrade that nobody asked for")),
                    100..200 => {}
                    _ => return Ok(Some(head)),
                }
            }
            None if read.len() > LONGEST => return Err(HttpError::Malformed("the head is too long")),
            None => return Ok(None),
        }
    }
}

fn parse(read: &[u8]) -> Result<Option<(Head, usize)>, HttpError> {
    let mut lines = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut found = httparse::Response::new(&mut lines);
    let length = match found.parse(read).map_err(|error| HttpError::Malformed(words(error)))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let status = found.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(HttpError::Malformed("no status"))?;
    let mut headers = HeaderMap::with_capacity(found.headers.len());
    for line in &*found.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let value = HeaderValue::from_bytes(line.value);
        let (Ok(name), Ok(value)) = (name, value) else { return Err(HttpError::Malformed("invalid header")) };
        headers.append(name, value);
    }
    let framing = framing(status, &headers)?;
    let keeps_alive = keeps_alive(found.version == Some(1), &headers, framing);
    Ok(Some((Head { status, headers, framing, keeps_alive }, length)))
}

/// RFC 9112, section 6.3.
fn framing(status: StatusCode, headers: &HeaderMap) -> Result<Framing, HttpError> {
    if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Framing::Done);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
        // What else there is would have to be undone, and none of it was offered.
        return if is_chunked {
            Ok(Framing::Chunked(Chunked::Size))
        } else {
            Err(HttpError::Malformed("unknown coding"))
        };
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(Framing::UntilClosed) };
    let text = length.to_str().ok().filter(|text| text.bytes().all(|digit| digit.is_ascii_digit()));
    let number = text.and_then(|text| text.parse().ok());
    match number {
        Some(number) if lengths.all(|other| other == length) => Ok(Framing::Length(number)),
        _ => Err(HttpError::Malformed("invalid length")),
    }
}

fn keeps_alive(is_1_1: bool, headers: &HeaderMap, framing: Framing) -> bool {
    let says = |option: &str| {
        let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(option))
    };
    // With a length and chunks, one end may see another message than the other.
    let is_clear = !(headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH));
    let wanted = if is_1_1 { !says("close") } else { says("keep-alive") };
    wanted && is_clear && framing != Framing::UntilClosed
}

fn words(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::TooManyHeaders => "too many headers",
        httparse::Error::Version => "invalid version",
        httparse::Error::Status => "invalid status",
        _ => "invalid head",
    }
}

/// Longest head, in bytes.
pub(super) const LONGEST: usize = 64 * 1024;
const MOST_HEADERS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head>, HttpError> {
        take(&mut BytesMut::from(text))
    }

    fn check(lines: &str, framing: Framing, keeps_alive: bool) {
        let head = head(&format!("HTTP/1.1 {lines}\r\n\r\n")).expect("valid").expect("whole");
        assert_eq!((head.framing, head.keeps_alive), (framing, keeps_alive), "{lines}");
    }

    #[test]
    fn the_body_is_framed_as_the_head_says() {
        let chunked = Framing::Chunked(Chunked::Size);
        check("200 OK\r\ncontent-length: 12", Framing::Length(12), true);
        check("200 OK\r\nContent-Length: 12\r\ncontent-length: 12", Framing::Length(12), true);
        check("200 OK\r\ncontent-length: 12\r\nconnection: x, Close", Framing::Length(12), false);
        check("200 OK\r\nTransfer-Encoding: Chunked", chunked, true);
        check("200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3", chunked, false);
        check("200 OK", Framing::UntilClosed, false);
        check("204 No Content\r\ncontent-length: 12", Framing::Done, true);
        check(
            "100 Continue\r\n\r\nHTTP/1.1 103\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1",
            Framing::Length(1),
            true,
        );
        let old = head("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n").expect("valid").expect("whole");
        assert!(!old.keeps_alive);
    }

    #[test]
    fn a_head_may_come_in_pieces_and_leaves_what_follows() {
        let text = "HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 4\r\n\r\nbody";
        for end in 0..text.len() - 4 {
            assert!(head(&text[..end]).expect("so far").is_none(), "{end}");
        }
        let mut read = BytesMut::from(text);
        let head = take(&mut read).expect("valid").expect("whole");
        assert_eq!((head.headers["content-type"].as_bytes(), &read[..]), (&b"a/b"[..], &b"body"[..]));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for lines in [
            "HTTP/2.0 200 OK",
            "SSH-2.0-OpenSSH",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 101 Switching Protocols",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2",
            "HTTP/1.1 200 OK\r\ncontent-length: +1",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked",
            "HTTP/1.1 200 OK\r\na b: c",
        ] {
            let got = head(&format!("{lines}\r\n\r\n"));
            assert!(matches!(got, Err(HttpError::Malformed(_))), "{lines}: {got:?}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(LONGEST));
        assert!(matches!(head(&endless), Err(HttpError::Malformed(_))));
    }
}
