//! What one request came to, as the one line that it leaves in the log.
//!
//! Counts and fixed words only: no path, no header, no address. What stands in a request is its sender's.

use std::time::Duration;

use catalog::{Listed, Source};
use telemetry::{Emf, Field, catalogue};

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
#[derive(Debug, Clone)]
pub struct Line {
    /// What the request came to.
    pub report: Report,
    /// When it was answered, Unix milliseconds.
    pub now_ms: u64,
    /// From the event's arrival to its answer.
    pub duration: Duration,
    /// Data API calls since the line before, second attempts included.
    pub data_api: data_api::Counts,
    /// Whether this was the instance's first request.
    pub cold_start: bool,
}

impl From<&Line> for Emf {
    fn from(line: &Line) -> Self {
        let report = &line.report;
        let mut emf = Self::new("request answered", line.now_ms);
        emf.field("http.route", Field::Word(report.route));
        emf.field("http.status", Field::Number(report.status.into()));
        emf.field("http.body_bytes", Field::Number(u64::try_from(report.body_bytes).unwrap_or(u64::MAX)));
        emf.field("listing.source", Field::Word(report.source.as_str()));
        emf.field("listing.stale", Field::Flag(report.stale));
        emf.invocation(line.duration, line.cold_start);
        emf.observe(&catalogue::HTTP_DURATION, [line.duration]);
        emf.count_by(&catalogue::HTTP_RESPONSES, status_class(report.status), 1_u64);
        emf.count_by(&catalogue::LISTINGS, report.source.as_str(), 1_u64);
        emf.gauge(&catalogue::LISTING_AGE, report.age.as_secs());
        line.data_api.write(&mut emf);
        emf.count(&catalogue::REDIS_CALLS, report.redis_calls);
        emf
    }
}

/// The first digit of a status code, as metrics say it.
const fn status_class(status: u16) -> &'static str {
    match status {
        ..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500.. => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use catalog::Source;
    use telemetry::catalogue;

    use super::status_class;

    #[test]
    fn the_catalogue_of_metrics_knows_every_source_and_class() {
        let sources =
            [Source::Snapshot, Source::Redis, Source::Database, Source::Nowhere].map(Source::as_str);
        assert_eq!(catalogue::LISTINGS.attribute.unwrap().values, sources);
        assert_eq!(
            catalogue::HTTP_RESPONSES.attribute.unwrap().values,
            [200, 304, 404, 503].map(status_class)
        );
    }
}
