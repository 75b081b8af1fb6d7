//! A loopback HTTP server with a script: it answers each request with the next of its replies.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status and body.
    Answer(u16, String),
    /// An exception: status, code, message.
    Exception(u16, &'static str, String),
    /// The request is read, then the connection is closed.
    Drop,
    /// Half of an answer, then the connection is closed.
    Half,
    /// The request is read and never answered.
    Hang,
}

impl Reply {
    /// An answer with rows in the JSON format.
    pub(crate) fn rows(rows: &Value) -> Self {
        Self::Answer(
            200,
            json!({"numberOfRecordsUpdated": 0, "formattedRecords": rows.to_string()}).to_string(),
        )
    }

    /// An answer to a statement that changed this many rows.
    pub(crate) fn changed(rows: i64) -> Self {
        Self::Answer(200, json!({"numberOfRecordsUpdated": rows, "generatedFields": []}).to_string())
    }

    /// PostgreSQL refuses, in the Data API's wording.
    pub(crate) fn sql(message: &str, state: &str) -> Self {
        Self::Exception(400, "DatabaseErrorException", format!("ERROR: {message}; SQLState: {state}"))
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
    /// Counts accepted connections, from 0.
    pub(crate) connection: usize,
}

type Script = Arc<Mutex<VecDeque<Reply>>>;

/// The server. Its threads end with the test's process; each connection's with the connection.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server for these replies. A request beyond them is not answered, and its connection closed.
    pub(crate) fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script: Script = Arc::new(Mutex::new(replies.into_iter().collect()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                std::thread::spawn(move || serve(connection, &stream, &script, &seen));
            }
        });
        Self { url, requests }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(connection: usize, stream: &TcpStream, script: &Script, seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(connection, &mut reader) {
        seen.lock().unwrap().push(request);
        let reply = script.lock().unwrap().pop_front();
        match reply {
            Some(Reply::Answer(status, body)) => write(stream, status, "", &body, body.len()),
            Some(Reply::Exception(status, code, message)) => {
                let body = json!({"message": message}).to_string();
                write(
                    stream,
                    status,
                    &format!("x-amzn-errortype: {code}:http://internal/\r\n"),
                    &body,
                    body.len(),
                );
            }
            Some(Reply::Half) => return write(stream, 200, "", "{\"numberOf", 1_000),
            // Ends when the client gives up and closes.
            Some(Reply::Hang) => drop(reader.read(&mut [0])),
            Some(Reply::Drop) | None => return,
        }
    }
}

fn read(connection: usize, reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => value.clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, authorization, body: serde_json::from_slice(&body).ok()?, connection })
}

/// A client that has gone away is what some tests are about.
fn write(mut stream: &TcpStream, status: u16, headers: &str, body: &str, length: usize) {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n"
    );
    drop(stream.write_all(format!("{head}{body}").as_bytes()));
}
