//! A small HTTP client for the stack's own JSON endpoints: one connection a call, everything bounded.

use crate::Error;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;

/// Longest time for one call; an invocation of a function is the slowest of them.
const LIMIT: Duration = Duration::from_secs(330);

/// Longest part of an answer that an error quotes.
const QUOTED_CHARS: usize = 300;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Sends a request with a JSON body and returns the JSON of the answer; `null` for an empty one.
///
/// # Errors
/// [`Error::Http`] when nothing answers, [`Error::Refused`] for a status of 400 and more, [`Error::Unreadable`]
/// for an answer that is no JSON.
pub async fn call(method: &'static str, url: &str, body: &Value) -> Result<Value, Error> {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let answer = exchange(method, url, headers, body).await?;
    let (status, answer) = (answer.status().as_u16(), answer.into_body());
    if status >= 400 {
        let text: String = String::from_utf8_lossy(&answer).chars().take(QUOTED_CHARS).collect();
        return Err(Error::Refused { method, url: url.to_owned(), status, body: text });
    }
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer)
        .map_err(|source| Error::Unreadable { what: format!("the answer of {url}"), source })
}

/// Sends a request without a body and returns the answer as it is, whatever its status.
///
/// # Errors
/// [`Error::Http`] when nothing answers.
pub async fn fetch(method: &'static str, url: &str, headers: HeaderMap) -> Result<Response<Bytes>, Error> {
    exchange(method, url, headers, Bytes::new()).await
}

async fn exchange(
    method: &'static str,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Bytes>, Error> {
    let failed = |source: Failure| Error::Http { method, url: url.to_owned(), source };
    let sent = tokio::time::timeout(LIMIT, send(method, url, headers, body)).await;
    sent.map_err(|late| failed(late.into()))?.map_err(failed)
}

async fn send(
    method: &'static str,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Bytes>, Failure> {
    let (address, path) = split(url).ok_or("the URL is not of the form http://host:port/path")?;
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends by itself with the exchange; its error reaches the sender.
    tokio::spawn(connection);
    let request =
        Request::builder().method(method).uri(path).header("host", address).header("connection", "close");
    let mut request = request.body(Full::new(body))?;
    request.headers_mut().extend(headers);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

/// `http://host:port/path` as address and path.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let end = rest.find('/').unwrap_or(rest.len());
    let path = rest.get(end..).filter(|path| !path.is_empty()).unwrap_or("/");
    Some((rest.get(..end)?, path))
}

#[cfg(test)]
mod tests {
    use super::{call, split};
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Answers one connection with `answer` and returns the URL.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/status", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        url
    }

    #[track_caller]
    fn check(url: &str, expected: Option<(&str, &str)>) {
        assert_eq!(split(url), expected, "{url}");
    }

    #[test]
    fn urls_are_split_into_address_and_path() {
        check("http://127.0.0.1:80/a/b", Some(("127.0.0.1:80", "/a/b")));
        check("http://127.0.0.1:80", Some(("127.0.0.1:80", "/")));
        check("https://127.0.0.1:80/", None);
    }

    #[tokio::test]
    async fn answers_are_json_or_nothing() {
        let url = server("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\":1}").await;
        assert_eq!(call("GET", &url, &Value::Null).await.unwrap(), json!({"a": 1}));
        let url = server("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(call("POST", &url, &json!({})).await.unwrap(), Value::Null);
    }

    #[tokio::test]
    async fn refusals_and_silence_are_errors_with_the_url() {
        let url = server("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope").await;
        let error = call("GET", &url, &Value::Null).await.unwrap_err();
        assert_eq!(error.to_string(), format!("GET {url} was answered with 404: nope"));
        let error = call("GET", "http://127.0.0.1:1/x", &Value::Null).await.unwrap_err();
        assert!(error.to_string().starts_with("GET http://127.0.0.1:1/x failed"), "{error}");
    }
}
