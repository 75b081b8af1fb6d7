//! What functions print: every line of every instance, as written, into one file per function.
//!
//! A line is one write, so lines of several instances never mix. The end of each instance's output is kept
//! for the Invoke API's `LogType=Tail`.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    sync::mpsc,
};

use crate::{error::Error, metrics::Metrics};

/// A longer line is cut into several, as CloudWatch cuts events.
const LINE_BYTES_MAX: u64 = 256 * 1024;
/// The Invoke API answers the last 4 KiB of the log.
const TAIL_BYTES_MAX: usize = 4 * 1024;
/// Lines on the way to the file; a function that prints faster than the disk waits.
const LINES_QUEUED_MAX: usize = 1_024;
/// Lines of one write.
const LINES_PER_WRITE: usize = 256;

/// The log file of one function.
#[derive(Debug, Clone)]
pub(super) struct Log {
    lines: mpsc::Sender<Vec<u8>>,
    metrics: Arc<Metrics>,
}

impl Log {
    /// Opens `path` for appending; metrics in the lines go to `metrics` as well.
    pub(super) async fn open(path: PathBuf, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let opened = tokio::fs::OpenOptions::new().create(true).append(true).open(&path).await;
        let file = opened.map_err(|source| Error::File { what: "open the log", path, source })?;
        let (lines, queue) = mpsc::channel(LINES_QUEUED_MAX);
        tokio::spawn(write(file, queue));
        Ok(Self { lines, metrics })
    }

    /// Copies one stream of an instance until it ends.
    pub(super) fn follow(&self, stream: impl AsyncRead + Unpin + Send + 'static, tail: Tail) {
        let Self { lines, metrics } = self.clone();
        tokio::spawn(async move {
            let mut reader = BufReader::new(stream);
            loop {
                let mut line = Vec::new();
                let read = (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await;
                if !matches!(read, Ok(1..)) {
                    return;
                }
                if line.last() != Some(&b'\n') {
                    line.push(b'\n');
                }
                tail.push(&line);
                metrics.line(&line);
                if lines.send(line).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn write(mut file: File, mut queue: mpsc::Receiver<Vec<u8>>) {
    let mut lines = Vec::with_capacity(LINES_PER_WRITE);
    while queue.recv_many(&mut lines, LINES_PER_WRITE).await > 0 {
        let bytes = lines.concat();
        lines.clear();
        let written = file.write_all(&bytes).await;
        if let Err(error) = written.and(file.flush().await) {
            tracing::warn!(%error, "a function's log could not be written: is the disk full?");
        }
    }
}

/// The end of what an instance printed.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    /// The last lines, at most 4 KiB.
    pub(super) fn read(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn push(&self, line: &[u8]) {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend(line);
        let excess = bytes.len().saturating_sub(TAIL_BYTES_MAX);
        bytes.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_last_bytes() {
        let tail = Tail::default();
        tail.push(&[b'a'; TAIL_BYTES_MAX]);
        tail.push(b"end\n");
        let bytes = tail.read();
        assert_eq!(bytes.len(), TAIL_BYTES_MAX);
        assert!(bytes.ends_with(b"aend\n"));
    }
}
