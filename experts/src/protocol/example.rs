//! The dialect of `docs/adding/protocol.md`: a prompt as one line over TCP, an answer as lines, a line with a dot ends it.

use crate::call::{Call, Endpoint, Engine, Event, Events, Finish};
use crate::channel::address;
use crate::error::{ErrorKind, ExpertError};
use crate::patience::Patience;
use crate::protocol::{EndpointError, Row};
use futures::future::BoxFuture;
use futures::stream::{StreamExt as _, once, try_unfold};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

pub(super) const ROW: Row = Row {
    name: "lines",
    connect: |endpoint| Ok(Arc::new(Lines { host: host(&endpoint)?, endpoint })),
    about: "one line in, lines out, over plain TCP",
};

/// Longer lines than this are no answer: memory stays bounded whatever the engine sends.
const MAX_LINE_BYTES: u64 = 1 << 20;

#[derive(Clone)]
struct Lines {
    host: String,
    endpoint: Endpoint,
}

fn host(endpoint: &Endpoint) -> Result<String, EndpointError> {
    Ok(address(endpoint)?.authority().map(ToString::to_string).unwrap_or_default())
}

impl Engine for Lines {
    fn generate(&self, call: Call) -> BoxFuture<'static, Result<Events, ExpertError>> {
        let lines = self.clone();
        Box::pin(async move { lines.generate(call).await })
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), ExpertError>> {
        let lines = self.clone();
        Box::pin(async move { lines.connect().await.map(drop) })
    }
}

impl Lines {
    async fn connect(&self) -> Result<TcpStream, ExpertError> {
        let unreachable =
            |why: String| ExpertError::new(ErrorKind::Unreachable, format!("{}: {why}", self.host));
        match tokio::time::timeout(self.endpoint.connect_timeout, TcpStream::connect(&self.host)).await {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_) => Err(unreachable("no connection in time".to_owned())),
        }
    }

    async fn generate(self, call: Call) -> Result<Events, ExpertError> {
        let mut patience = Patience::for_call(&self.endpoint, call.time_left)?;
        let mut socket = self.connect().await?;
        patience.connected();
        let prompt: Vec<&str> = call.body.messages.iter().map(|message| message.content.as_str()).collect();
        let line = format!("{}\n", prompt.join(" ").replace('\n', " "));
        patience.wait(socket.write_all(line.as_bytes())).await?.map_err(broken)?;
        let mut reading = Reading { socket: BufReader::new(socket), patience, begun: false, ended: false };
        // The first event before the stream: until here the gateway may try another engine.
        let first = reading.next().await?;
        reading.begun = true;
        let rest = try_unfold(reading, |mut reading| async move {
            Ok(if reading.ended { None } else { Some((reading.next().await?, reading)) })
        });
        Ok(once(std::future::ready(Ok(first))).chain(rest).boxed())
    }
}

struct Reading {
    socket: BufReader<TcpStream>,
    patience: Patience,
    begun: bool,
    ended: bool,
}

impl Reading {
    async fn next(&mut self) -> Result<Event, ExpertError> {
        if self.begun {
            self.patience.alive();
        }
        let mut text = String::new();
        let mut line = (&mut self.socket).take(MAX_LINE_BYTES);
        self.patience.wait(line.read_line(&mut text)).await?.map_err(broken)?;
        match text.trim_end_matches(['\r', '\n']) {
            "." => {
                self.ended = true;
                // This dialect counts nothing, so the gateway counts for it.
                Ok(Event::Finished(Finish { reason: "stop".to_owned(), usage: None, simulated: false }))
            }
            _ if text.ends_with('\n') => Ok(Event::Delta { text, json: String::new() }),
            _ => Err(ExpertError::new(ErrorKind::Truncated, "the answer ended without its dot")),
        }
    }
}

fn broken(error: std::io::Error) -> ExpertError {
    match error.kind() {
        std::io::ErrorKind::InvalidData => ExpertError::new(ErrorKind::Protocol, "the answer is not UTF-8"),
        _ => ExpertError::new(ErrorKind::Truncated, format!("the connection broke: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_proto::v1::{GenerateRequest, Message};
    use std::time::Duration;
    use tokio::net::TcpListener;

    /// Answers one call with these bytes and closes.
    async fn outcome(answer: &[u8]) -> (String, Result<Event, ErrorKind>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint {
            url: format!("http://{}", listener.local_addr().unwrap()),
            model: String::new(),
            api_key: None,
            headers: Vec::new(),
            dial: crate::Tcp::shared(),
            connect_timeout: Duration::from_secs(2),
            first_token_timeout: Duration::from_millis(300),
            idle_timeout: Duration::from_secs(2),
        };
        let peer = async {
            let mut socket = BufReader::new(listener.accept().await.unwrap().0);
            let mut line = String::new();
            socket.read_line(&mut line).await.unwrap();
            assert_eq!(line, "hi\n");
            socket.write_all(answer).await.unwrap();
        };
        let message = Message { content: "hi".into(), ..Message::default() };
        let engine = (ROW.connect)(endpoint).unwrap_or_else(|error| panic!("{error}"));
        let ask = async {
            let mut text = String::new();
            let body = GenerateRequest { messages: vec![message], ..GenerateRequest::default() };
            let call = Call { body: Arc::new(body), ..Call::default() };
            let mut events = match engine.generate(call).await {
                Ok(events) => events,
                Err(error) => return (text, Err(error.kind)),
            };
            loop {
                match events.next().await.expect("a stream says how it ended") {
                    Ok(Event::Delta { text: more, .. }) => text.push_str(&more),
                    end => return (text, end.map_err(|error| error.kind)),
                }
            }
        };
        tokio::join!(ask, peer).0
    }

    #[tokio::test]
    async fn the_example_keeps_the_contract() {
        let finish = Finish { reason: "stop".into(), usage: None, simulated: false };
        assert_eq!(outcome(b"a\nb\n.\n").await, ("a\nb\n".into(), Ok(Event::Finished(finish))));
        assert_eq!(outcome(b"a\nb").await, ("a\n".into(), Err(ErrorKind::Truncated)));
        assert_eq!(outcome(b"").await, (String::new(), Err(ErrorKind::Truncated)));
        assert_eq!(outcome(b"\xff\n").await, (String::new(), Err(ErrorKind::Protocol)));
    }

    #[test]
    fn the_page_shows_this_file() {
        let file = include_str!("example.rs");
        let shown = &file[..file.find("\n#[cfg(test)]").unwrap()];
        let page = include_str!("../../../docs/adding/protocol.md");
        assert!(
            page.contains(shown),
            "docs/adding/protocol.md must show the code of experts/src/protocol/example.rs"
        );
    }
}
