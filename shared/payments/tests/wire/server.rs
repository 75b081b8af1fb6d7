//! A loopback HTTP server with a script: it answers each request with the next of its replies.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status, header lines and body.
    Answer(u16, String, String),
    /// The request is read, then the connection is closed.
    Close,
    /// The request is not read, and the connection is reset.
    Reset,
    /// The head of an answer and half of its body, then the connection is closed.
    Half,
    /// The head of an answer and half of its body, and then nothing.
    Stall,
    /// Bytes that are no HTTP.
    Garbage,
    /// The request is read and never answered.
    Hang,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::with(status, "", body)
    }

    /// With one more header, `name: value`.
    pub(crate) fn with(status: u16, header: &str, body: &str) -> Self {
        let end = if header.is_empty() { "" } else { "\r\n" };
        let headers = format!("content-type: application/json\r\nrequest-id: req_1\r\n{header}{end}");
        Self::Answer(status, headers, body.to_owned())
    }

    /// A refusal in Stripe's form.
    pub(crate) fn refusal(status: u16, fields: &str) -> Self {
        Self::json(status, &format!("{{\"error\":{{\"message\":\"canary words\",{fields}}}}}"))
    }

    /// A refusal for this code.
    pub(crate) fn code(status: u16, code: &str) -> Self {
        Self::refusal(status, &format!("\"type\":\"invalid_request_error\",\"code\":\"{code}\""))
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    /// Method, path and version.
    pub(crate) line: String,
    /// Names in lower case, with their values.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Counts accepted connections, from 0.
    pub(crate) connection: usize,
}

impl Arrived {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(named, _)| named == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

type Replies = Arc<Mutex<VecDeque<Reply>>>;

/// The server. Its threads end with the test's process; each connection's with the connection.
pub(crate) struct Server {
    pub(crate) url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Server {
    /// Starts a server for these replies. A request beyond them is not answered, and its connection closed.
    pub(crate) fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let replies: Replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&arrived);
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let (replies, seen) = (Arc::clone(&replies), Arc::clone(&seen));
                std::thread::spawn(move || serve(connection, &stream, &replies, &seen));
            }
        });
        Self { url, arrived }
    }

    /// The requests so far, those that were reset unread not counted.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// The keys of the requests so far.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.arrived().iter().map(|arrived| arrived.header("idempotency-key").to_owned()).collect()
    }
}

fn serve(connection: usize, stream: &TcpStream, replies: &Replies, seen: &Mutex<Vec<Arrived>>) {
    let mut reader = BufReader::new(stream);
    // Wakes when a request begins, without reading any of it.
    while stream.peek(&mut [0]).is_ok_and(|peeked| peeked > 0) {
        let reply = replies.lock().unwrap().pop_front();
        if matches!(reply, Some(Reply::Reset)) {
            // Closing a socket with unread bytes resets the connection.
            return;
        }
        let Some(arrived) = read(connection, &mut reader) else { return };
        seen.lock().unwrap().push(arrived);
        match reply {
            Some(Reply::Answer(status, headers, body)) => write(stream, status, &headers, &body, body.len()),
            Some(Reply::Half) => return write(stream, 200, "", "{\"id\":", 1_000),
            Some(Reply::Stall) => {
                write(stream, 200, "", "{\"id\":", 1_000);
                drop(reader.read(&mut [0]));
            }
            Some(Reply::Garbage) => return write_all(stream, "EHLO there\r\n\r\n"),
            // Ends when the client gives up and closes.
            Some(Reply::Hang) => drop(reader.read(&mut [0])),
            Some(Reply::Close | Reply::Reset) | None => return,
        }
    }
}

fn read(connection: usize, reader: &mut BufReader<&TcpStream>) -> Option<Arrived> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Arrived { line: line.trim_end().to_owned(), headers, body, connection })
}

fn write(stream: &TcpStream, status: u16, headers: &str, body: &str, length: usize) {
    write_all(stream, &format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}"));
}

/// A client that has gone away is what some tests are about.
fn write_all(mut stream: &TcpStream, text: &str) {
    drop(stream.write_all(text.as_bytes()));
}
