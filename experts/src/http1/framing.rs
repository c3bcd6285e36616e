//! Where a response's body ends, and what of its bytes are content (RFC 9112, sections 6 and 7).

use super::HttpError;
use bytes::{Buf as _, BytesMut};

/// How the rest of a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    Chunked(Chunked),
    /// Whatever comes until the connection is closed.
    UntilClosed,
    /// Nothing is to come.
    Done,
}

/// Where in its chunks a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// Before the line with a chunk's size.
    Size,
    /// Within a chunk, so many bytes before its end.
    Data(u64),
    /// After a chunk's bytes, before their line break.
    AfterData,
    /// After the last chunk; so many bytes of trailers have been passed over.
    Trailers(usize),
}

/// What there is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many bytes of content are at the front of what was read. They count as taken: they have to be removed before the
    /// next step.
    Piece(usize),
    /// More has to be read.
    More,
    End,
}

impl Framing {
    /// Takes what is no content from the front of what was read.
    pub(super) fn step(&mut self, read: &mut BytesMut) -> Result<Step, HttpError> {
        loop {
            match *self {
                Framing::Done => return Ok(Step::End),
                Framing::Length(0) => *self = Framing::Done,
                _ if read.is_empty() => return Ok(Step::More),
                Framing::UntilClosed => return Ok(Step::Piece(read.len())),
                Framing::Length(left) => {
                    let piece = within(read, left);
                    *self = Framing::Length(left - piece as u64);
                    return Ok(Step::Piece(piece));
                }
                Framing::Chunked(Chunked::Data(left)) => {
                    let piece = within(read, left);
                    let left = left - piece as u64;
                    *self =
                        Framing::Chunked(if left == 0 { Chunked::AfterData } else { Chunked::Data(left) });
                    return Ok(Step::Piece(piece));
                }
                Framing::Chunked(at) => match between_chunks(at, read)? {
                    Some(next) => *self = next,
                    None => return Ok(Step::More),
                },
            }
        }
    }

    /// Whether the body is whole when the connection is closed here.
    pub(super) fn may_end_here(self) -> bool {
        matches!(self, Framing::UntilClosed | Framing::Done)
    }
}

/// How many of the bytes that were read are among the next `left`.
fn within(read: &BytesMut, left: u64) -> usize {
    usize::try_from(left).map_or(read.len(), |left| read.len().min(left))
}

/// Past a line that is no content; `None` when it isn't there as a whole.
fn between_chunks(at: Chunked, read: &mut BytesMut) -> Result<Option<Framing>, HttpError> {
    let Some(length) = memchr::memchr(b'\n', read) else {
        return if read.len() > LONGEST_LINE {
            Err(HttpError::Malformed("a chunk's line is too long"))
        } else {
            Ok(None)
        };
    };
    let Some(line) = read[..length].strip_suffix(b"\r") else {
        return Err(HttpError::Malformed("a chunk's line ends without a carriage return"));
    };
    let next = match at {
        Chunked::AfterData if line.is_empty() => Framing::Chunked(Chunked::Size),
        Chunked::AfterData | Chunked::Data(_) => {
            return Err(HttpError::Malformed("a chunk is longer than it said"));
        }
        Chunked::Size => match size(line)? {
            0 => Framing::Chunked(Chunked::Trailers(0)),
            size => Framing::Chunked(Chunked::Data(size)),
        },
        Chunked::Trailers(_) if line.is_empty() => Framing::Done,
        Chunked::Trailers(passed) if passed + length > MOST_TRAILERS => {
            return Err(HttpError::Malformed("too many trailers"));
        }
        Chunked::Trailers(passed) => Framing::Chunked(Chunked::Trailers(passed + length)),
    };
    read.advance(length + 1);
    Ok(Some(next))
}

/// The size in hex, up to an extension.
fn size(line: &[u8]) -> Result<u64, HttpError> {
    let wrong = HttpError::Malformed("a chunk has no size");
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii_end();
    if !(1..=16).contains(&digits.len()) {
        return Err(wrong);
    }
    digits.iter().try_fold(0, |size, &digit| match char::from(digit).to_digit(16) {
        Some(digit) => Ok(size << 4 | u64::from(digit)),
        None => Err(HttpError::Malformed("a chunk has no size")),
    })
}

/// Longest line between chunks, extensions included.
const LONGEST_LINE: usize = 4_096;
/// Most bytes of trailers, which are passed over.
const MOST_TRAILERS: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of `wire`, which comes in pieces of so many bytes, and what is left of it.
    fn content(
        mut framing: Framing,
        wire: &[u8],
        piece: usize,
    ) -> Result<(Vec<u8>, usize, Framing), HttpError> {
        let (mut read, mut out, mut rest) = (BytesMut::new(), vec![], wire);
        loop {
            match framing.step(&mut read)? {
                Step::Piece(length) => {
                    out.extend_from_slice(&read[..length]);
                    read.advance(length);
                }
                Step::End => return Ok((out, read.len() + rest.len(), framing)),
                Step::More if rest.is_empty() => return Ok((out, 0, framing)),
                Step::More => {
                    let (next, later) = rest.split_at(piece.min(rest.len()));
                    read.extend_from_slice(next);
                    rest = later;
                }
            }
        }
    }

    #[test]
    fn content_is_the_same_however_it_comes() {
        let chunks = Framing::Chunked(Chunked::Size);
        for (framing, wire, want, left) in [
            (chunks, &b"4\r\nabcd\r\n0\r\n\r\n"[..], "abcd", 0),
            (chunks, b"4;x=\"y\"\r\nabcd\r\n1 \r\ne\r\n00\r\nt: u\r\n\r\nnext", "abcde", 4),
            (chunks, b"00000a\r\n0\r\n\r\nab\r\nc\r\n0\r\n\r\n", "0\r\n\r\nab\r\nc", 0),
            (Framing::Length(3), b"abcd", "abc", 1),
            (Framing::Length(0), b"abcd", "", 4),
            (Framing::Done, b"abcd", "", 4),
        ] {
            for piece in 1..=wire.len() {
                let (out, rest, end) = content(framing, wire, piece).expect("well formed");
                assert_eq!(
                    (String::from_utf8_lossy(&out).as_ref(), rest),
                    (want, left),
                    "{wire:?} by {piece}"
                );
                assert_eq!(end, Framing::Done);
            }
        }
        let (out, _, end) = content(Framing::UntilClosed, b"abcd", 3).expect("well formed");
        assert_eq!((out.as_slice(), end.may_end_here()), (&b"abcd"[..], true));
    }

    #[test]
    fn a_body_that_breaks_off_is_not_whole() {
        let whole = b"4\r\nabcd\r\n0\r\n\r\n";
        for end in 0..whole.len() {
            let (_, _, framing) = content(Framing::Chunked(Chunked::Size), &whole[..end], 3).expect("so far");
            assert!(!framing.may_end_here(), "after {end} bytes");
        }
        let (_, _, framing) = content(Framing::Length(5), b"abcd", 9).expect("so far");
        assert!(!framing.may_end_here());
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = [b"4;".to_vec(), vec![b'x'; LONGEST_LINE + 1]].concat();
        let trailers = [b"0\r\n".to_vec(), b"a: 123456789012345678901234567890\r\n".repeat(600)].concat();
        for wire in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"0x4\r\nabcd\r\n",
            b"4\nabcd\r\n",
            b"4\r\nabcde\r\n",
            b"11112222333344445\r\n",
            &long,
            &trailers,
        ] {
            let got = content(Framing::Chunked(Chunked::Size), wire, 7);
            assert!(
                matches!(got, Err(HttpError::Malformed(_))),
                "{:?}",
                String::from_utf8_lossy(&wire[..9.min(wire.len())])
            );
        }
    }
}
