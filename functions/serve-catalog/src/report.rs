//! What one request came to, as the one line that it leaves in the log.
//!
//! Counts and fixed words only: no path, no header, no address. What stands in a request is its sender's.

use std::time::Duration;

use catalog::{Listed, Source};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use telemetry::{fields, rfc3339};

use crate::answer::Answer;

/// What one request came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// `list` or `item`; empty for what was refused.
    pub route: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Bytes of the body.
    pub body_bytes: usize,
    /// Where the listing came from.
    pub source: Source,
    /// Whether the listing is older than it should be.
    pub stale: bool,
    /// How long ago the listing was read from the database.
    pub age: Duration,
    /// Commands sent to Redis.
    pub redis_calls: u64,
}

impl Report {
    pub(crate) fn note(&mut self, listed: &Listed) {
        let Listed { source, stale, age, redis_calls, .. } = *listed;
        *self = Self { source, stale, age, redis_calls, ..*self };
    }

    pub(crate) fn close(&mut self, answer: &Answer) {
        self.status = answer.status;
        self.body_bytes = answer.body.as_ref().map_or(0, String::len);
    }
}

/// The log line of one request: a report, and what only the invocation knows.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// What the request came to.
    pub report: Report,
    /// When it was answered, Unix milliseconds.
    pub now_ms: u64,
    /// From the event's arrival to its answer.
    pub duration: Duration,
    /// Data API calls of this invocation, second attempts included.
    pub data_api_calls: u64,
    /// Whether this was the instance's first request.
    pub cold_start: bool,
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = &self.report;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &rfc3339(self.now_ms))?;
        line.serialize_entry("level", "INFO")?;
        line.serialize_entry("message", "request answered")?;
        line.serialize_entry("function", "serve-catalog")?;
        line.serialize_entry("http.route", report.route)?;
        line.serialize_entry("http.status", &report.status)?;
        line.serialize_entry("http.body_bytes", &report.body_bytes)?;
        line.serialize_entry("listing.source", report.source.as_str())?;
        line.serialize_entry("listing.stale", &report.stale)?;
        line.serialize_entry("listing.age_ms", &report.age.as_millis())?;
        line.serialize_entry(fields::DURATION_MS, &self.duration.as_millis())?;
        line.serialize_entry(fields::DATA_API_CALLS, &self.data_api_calls)?;
        line.serialize_entry(fields::REDIS_CALLS, &report.redis_calls)?;
        line.serialize_entry("cold_start", &self.cold_start)?;
        line.end()
    }
}
