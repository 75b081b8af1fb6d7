//! Which records of a batch run together, and in which order.

use crate::Record;

/// From this receive on a record runs alone: it has failed twice, so it may be what fails its neighbours.
pub const RUNS_ALONE_FROM_RECEIVE: u32 = 3;

/// Groups of positions into `records`: first one group of all that are fresh, then each suspect by itself, in order.
///
/// Every position occurs exactly once; no group is empty.
#[must_use]
pub fn plan(records: &[Record]) -> Vec<Vec<usize>> {
    let (suspects, fresh): (Vec<usize>, Vec<usize>) = (0..records.len()).partition(|&position| {
        records.get(position).is_some_and(|r| r.receive_count >= RUNS_ALONE_FROM_RECEIVE)
    });
    let together = (!fresh.is_empty()).then_some(fresh);
    together.into_iter().chain(suspects.into_iter().map(|position| vec![position])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn records(receive_counts: &[u32]) -> Vec<Record> {
        receive_counts
            .iter()
            .enumerate()
            .map(|(n, &receive_count)| Record {
                message_id: format!("m{n}"),
                receipt_handle: String::new(),
                body: None,
                receive_count,
                sent_ms: None,
                traceparent: None,
            })
            .collect()
    }

    #[track_caller]
    fn check(receive_counts: &[u32], expected: &[&[usize]]) {
        assert_eq!(plan(&records(receive_counts)), expected);
    }

    #[test]
    fn suspects_run_alone_and_last() {
        check(&[], &[]);
        check(&[1, 1, 2], &[&[0, 1, 2]]);
        check(&[3], &[&[0]]);
        check(&[3, 1, 7, 2], &[&[1, 3], &[0], &[2]]);
        check(&[3, 4], &[&[0], &[1]]);
    }

    proptest::proptest! {
        #[test]
        fn every_record_runs_exactly_once(counts in proptest::collection::vec(1u32..9, 0..10)) {
            let mut seen: Vec<usize> = plan(&records(&counts)).concat();
            seen.sort_unstable();
            proptest::prop_assert_eq!(seen, (0..counts.len()).collect::<Vec<_>>());
        }
    }
}
