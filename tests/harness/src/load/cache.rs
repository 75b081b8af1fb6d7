//! What the cache spares the database: the same orders without Redis and with it, counted at the calls that read.

use super::leg::Leg;
use super::measured::accepted_ms;
use crate::figures::{Batch, Percentiles};
use crate::report::float;
use serde::Serialize;

/// One of the two runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Half {
    /// Messages in batches.
    pub(super) messages: u64,
    /// Batches, each of which looks its products up once.
    pub(super) look_ups: u64,
    /// Data API calls that read the catalog.
    pub(super) reads: u64,
    /// The same by a thousand messages.
    pub(super) reads_per_thousand: f64,
    /// All Data API calls of the function, as the server counted them.
    pub(super) data_api_calls: u64,
    /// How long orders took.
    pub(super) accepted_ms: Percentiles,
    /// How long the look-ups took.
    pub(super) look_up_ms: Percentiles,
}

/// Both runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Cache {
    /// Without Redis; what each instance remembers for half a second stays.
    pub(super) without: Half,
    /// With it.
    pub(super) with: Half,
    /// Which share of the reads was spared, from 0 to 1.
    pub(super) spared: f64,
}

impl Cache {
    pub(super) fn new(without: &Leg, with: &Leg) -> Self {
        let half = |leg: &Leg| half(&leg.batches, leg.status.data_api_calls("process-orders"));
        Self::of(half(without), half(with))
    }

    fn of(without: Half, with: Half) -> Self {
        let spared = 1.0 - with.reads_per_thousand / without.reads_per_thousand.max(0.001);
        Self { spared: (spared * 10_000.0).round() / 10_000.0, without, with }
    }
}

fn half(batches: &[Batch], data_api_calls: u64) -> Half {
    let messages = batches.iter().map(|batch| batch.size).sum();
    let reads = batches.iter().map(|batch| batch.catalog_reads).sum();
    Half {
        messages,
        look_ups: u64::try_from(batches.len()).unwrap_or(u64::MAX),
        reads,
        reads_per_thousand: (float(reads) / float(messages).max(1.0) * 100_000.0).round() / 100.0,
        data_api_calls,
        accepted_ms: accepted_ms(batches),
        look_up_ms: Percentiles::of(batches.iter().flat_map(|batch| batch.looked_up_ms.clone()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, half};
    use crate::figures::Batch;

    #[test]
    fn what_is_spared_is_counted_by_message() {
        let batch = |size, catalog_reads| Batch { size, catalog_reads, ..Batch::default() };
        let without = half(&[batch(10, 1), batch(10, 1), batch(5, 2)], 7);
        let with = half(&[batch(10, 0), batch(10, 1), batch(10, 0), batch(10, 0), batch(10, 0)], 6);
        assert_eq!((without.reads_per_thousand, with.reads_per_thousand), (160.0, 20.0));
        assert_eq!(Cache::of(without, with).spared, 0.875);
    }
}
