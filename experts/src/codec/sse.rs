//! Server-sent events, parsed as they arrive.
//!
//! Source: the event stream format of the WHATWG HTML standard, section 9.2.6. `retry` is ignored, since nothing here
//! reconnects.

/// Most bytes that one event or one line may hold: 1 MiB.
const MAX_EVENT_BYTES: usize = 1 << 20;
/// Most bytes kept of a line that is no field; enough for an error body.
const MAX_STRAY_BYTES: usize = 4096;
const BOM: &[u8] = "\u{feff}".as_bytes();

/// One dispatched event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event` field; empty when there was none.
    pub event: String,
    /// The `data` lines, joined with line feeds.
    pub data: String,
    /// The last `id` seen so far in the stream; empty when there was none.
    pub id: String,
}

/// The stream can't be parsed within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server-sent event is larger than {MAX_EVENT_BYTES} bytes")]
pub struct SseError;

/// An event stream in progress. It holds at most about 2 MiB, whatever is pushed.
#[derive(Debug, Default)]
pub struct SseParser {
    /// Bytes of the line that has not ended.
    line: Vec<u8>,
    /// The event being put together. Its data ends with a line feed that dispatch removes.
    pending: SseEvent,
    /// The last byte was a CR that ended a line: an LF right after it belongs to the same line end.
    after_cr: bool,
    /// The first line has ended, so no byte order mark can follow.
    past_start: bool,
    stray: String,
}

impl SseParser {
    /// A parser at the start of a stream.
    pub fn new() -> SseParser {
        SseParser::default()
    }

    /// Takes the next bytes, split anywhere, and appends the events that they complete to `out`.
    ///
    /// # Errors
    /// [`SseError`] when a line or an event grows beyond 1 MiB; the stream is then of no more use.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut impl Extend<SseEvent>) -> Result<(), SseError> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr::memchr2(b'\r', b'\n', bytes) {
            self.check_room(end)?;
            self.end_line(&bytes[..end], out)?;
            let rest = &bytes[end + 1..];
            self.after_cr = bytes[end] == b'\r' && rest.is_empty();
            let swallow = bytes[end] == b'\r' && rest.first() == Some(&b'\n');
            bytes = &rest[usize::from(swallow)..];
        }
        self.check_room(bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// What is left of a stream that closed and looks like a bare JSON object: engines that fail in the middle may
    /// send their error body without `data:`. The standard drops such lines, and an event that no blank line ended.
    pub fn stray(&self) -> String {
        let line = String::from_utf8_lossy(&self.line[..self.line.len().min(MAX_STRAY_BYTES)]);
        if line.starts_with('{') { line.into_owned() } else { self.stray.clone() }
    }

    fn check_room(&self, more: usize) -> Result<(), SseError> {
        let bytes = self.line.len() + self.pending.data.len() + more;
        if bytes > MAX_EVENT_BYTES { Err(SseError) } else { Ok(()) }
    }

    /// A line ends with these bytes. Most come whole, and are read where they are.
    fn end_line(&mut self, last: &[u8], out: &mut impl Extend<SseEvent>) -> Result<(), SseError> {
        if self.line.is_empty() {
            return self.whole_line(last, out);
        }
        let mut bytes = std::mem::take(&mut self.line);
        bytes.extend_from_slice(last);
        let end = self.whole_line(&bytes, out);
        bytes.clear();
        self.line = bytes;
        end
    }

    fn whole_line(&mut self, bytes: &[u8], out: &mut impl Extend<SseEvent>) -> Result<(), SseError> {
        let bytes = if self.past_start { bytes } else { bytes.strip_prefix(BOM).unwrap_or(bytes) };
        self.past_start = true;
        // A line feed is never part of a longer UTF-8 sequence, so decoding line by line equals decoding it all.
        match std::str::from_utf8(bytes) {
            Ok(line) => self.field(line, out),
            Err(_) => self.field(&String::from_utf8_lossy(bytes), out),
        }
    }

    fn field(&mut self, line: &str, out: &mut impl Extend<SseEvent>) -> Result<(), SseError> {
        if line.is_empty() {
            self.dispatch(out);
            return Ok(());
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                // Replacement characters may have made the text longer than the bytes that were counted.
                if self.pending.data.len() + value.len() >= MAX_EVENT_BYTES {
                    return Err(SseError);
                }
                self.pending.data.reserve_exact(value.len() + 1);
                self.pending.data.push_str(value);
                self.pending.data.push('\n');
            }
            "event" => value.clone_into(&mut self.pending.event),
            "id" if !value.contains('\0') => value.clone_into(&mut self.pending.id),
            _ if line.starts_with('{') => self.stray = line.chars().take(MAX_STRAY_BYTES).collect(),
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, out: &mut impl Extend<SseEvent>) {
        let mut event = std::mem::take(&mut self.pending);
        event.id.clone_into(&mut self.pending.id);
        if event.data.pop().is_some() {
            out.extend(Some(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut parser = SseParser::new();
        let mut out = Vec::new();
        for chunk in chunks {
            parser.push(chunk, &mut out).unwrap();
        }
        out
    }

    fn check(stream: &str, data: &[&str]) {
        let got: Vec<String> = parse(&[stream.as_bytes()]).into_iter().map(|event| event.data).collect();
        assert_eq!(got, data, "{stream:?}");
    }

    #[test]
    fn the_standards_examples_parse_as_it_says() {
        check("data: YHOO\ndata: +2\ndata: 10\n\n", &["YHOO\n+2\n10"]);
        check(": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third", &["first", "second"]);
        check("data\n\ndata\ndata\n\ndata:", &["", "\n"]);
        check("data:test\n\ndata: test\n\n", &["test", "test"]);
    }

    #[test]
    fn every_line_end_works_and_a_mark_at_the_start_is_dropped() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = format!("\u{feff}data: a{end}data: b{end}{end}data: c{end}{end}");
            check(&stream, &["a\nb", "c"]);
        }
        check("data: a\n\n\u{feff}data: b\n\n", &["a"]);
        check("\n\u{feff}data: b\n\n", &[]);
    }

    #[test]
    fn ids_last_and_a_bad_one_is_ignored() {
        let events = parse(&[b"id: 7\nevent: x\ndata: a\n\nid: b\0d\ndata: b\n\nid\ndata: c\n\n"]);
        let got: Vec<(&str, &str)> = events.iter().map(|event| (&*event.id, &*event.event)).collect();
        assert_eq!(got, [("7", "x"), ("7", ""), ("", "")]);
    }

    #[test]
    fn broken_utf8_becomes_replacement_characters() {
        let events = parse(&[b"data: \xe4\xb8\ndata: \xff\n\n"]);
        assert_eq!(events[0].data, "\u{fffd}\n\u{fffd}");
    }

    #[test]
    fn an_endless_line_and_an_oversized_event_are_errors() {
        for line in [
            &b"data: xxxxxxxxxxxxxxxxxxxx"[..],
            b": comment without an end",
            b"data: many\n",
            b"data: \xff\n",
        ] {
            let mut parser = SseParser::new();
            let mut out = Vec::new();
            let pushed = (0..MAX_EVENT_BYTES).position(|_| parser.push(line, &mut out).is_err());
            assert!(pushed.is_some_and(|n| n * 3 < MAX_EVENT_BYTES), "{pushed:?}");
            assert!(parser.line.len() + parser.pending.data.len() <= MAX_EVENT_BYTES);
            assert!(out.is_empty());
        }
    }

    #[test]
    fn an_error_body_without_data_is_found_when_the_stream_closes() {
        for tail in ["{\"error\":{}}", "{\"error\":{}}\n", "{\"error\":{}}\n\n"] {
            let mut parser = SseParser::new();
            let mut out = Vec::new();
            parser.push(format!("data: a\n\n{tail}").as_bytes(), &mut out).unwrap();
            assert_eq!(parser.stray(), "{\"error\":{}}");
        }
        assert_eq!(SseParser::new().stray(), "");
    }

    const SAMPLES: &[&str] = &[
        "\u{feff}data: {\"a\":\"法律\"}\r\n\r\n: ping\r\n\r\ndata: [DONE]\n\n",
        "event: e\rid: 1\rdata: é\rdata: 🙂🙂\r\r\r\ndata\n\n\r\ndata: x\r\n\r",
        "\r\n\n\rdata:a\r\rdata: b\n\r\ndata:c\r\n\n",
        "\u{feff}",
        "retry: 5\ndata:\u{feff}\n\nid: z\n\n{\"error\":1}\n\ndata: tail",
    ];

    #[test]
    fn any_split_of_the_bytes_gives_the_same_events() {
        for sample in SAMPLES {
            let bytes = sample.as_bytes();
            let whole = parse(&[bytes]);
            for i in 0..=bytes.len() {
                for j in i..=bytes.len() {
                    assert_eq!(
                        parse(&[&bytes[..i], &bytes[i..j], &bytes[j..]]),
                        whole,
                        "{sample:?} at {i} and {j}"
                    );
                }
            }
            assert_eq!(parse(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{sample:?} byte by byte");
        }
    }

    #[test]
    fn random_bytes_in_random_splits_give_the_same_events() {
        const ALPHABET: &[&[u8]] =
            &[b"\r", b"\n", b"data", b":", b" ", b"id", b"\xe4", b"\xb8\x8d", b"\0", b"{", b"x", BOM];
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..5_000 {
            let bytes: Vec<u8> =
                (0..random(60)).flat_map(|_| ALPHABET[random(ALPHABET.len())].to_vec()).collect();
            let whole = parse(&[&bytes]);
            let mut pieces = Vec::new();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (head, tail) = rest.split_at(1 + random(rest.len()));
                pieces.push(head);
                rest = tail;
            }
            assert_eq!(parse(&pieces), whole, "{bytes:?} as {pieces:?}");
        }
    }
}
