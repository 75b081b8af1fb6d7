//! The golden table: one line for each signal, with what it means at authorize, capture, cancel, refund and look-up (one
//! word where it is the same at all of them), whether the key is sent again, and what the gate hears.

use super::{Again, End, Ruling, rule};
use crate::{Endpoint, Signal, Verdict};
use std::time::Duration;

const GOLDEN: &str = "
not_connected                  | later:not_connected | backoff | fault
certificate_invalid            | later:not_connected | never | fault
not_sendable                   | review:not_sendable, review:not_sendable, review:not_sendable, review:not_sendable, later:no_answer | never | neutral
closed_before_answer           | later:no_answer | at once | fault
timed_out                      | later:no_answer | backoff | fault
broken_answer                  | later:no_answer | backoff | fault
not_the_provider               | later:no_answer | never | fault
charge_held                    | authorized, review:still_held, review:still_held, review:not_asked_for, found | never | success
charge_captured                | captured, captured, captured, review:not_asked_for, found | never | success
charge_canceled                | canceled, canceled, canceled, review:not_asked_for, found | never | success
charge_processing              | awaits_provider, awaits_provider, awaits_provider, review:not_asked_for, found | never | success
charge_requires_action         | awaits_customer, review:not_held, review:not_canceled, review:not_asked_for, found | never | success
charge_not_held                | declined, review:not_held, review:not_canceled, review:not_asked_for, found | never | success
refund_succeeded               | review:not_asked_for, review:not_asked_for, review:not_asked_for, refunded, later:no_answer | never | success
refund_pending                 | review:not_asked_for, review:not_asked_for, review:not_asked_for, refunded, later:no_answer | never | success
refund_failed                  | review:not_asked_for, review:not_asked_for, review:not_asked_for, review:refund_failed, later:no_answer | never | success
page_read                      | review:not_asked_for, review:not_asked_for, review:not_asked_for, review:not_asked_for, found | never | success
parameter_refused              | review:parameter_refused, review:parameter_refused, review:parameter_refused, review:parameter_refused, later:no_answer | never | neutral
key_reused                     | unknown:key_conflict, unknown:key_conflict, unknown:key_conflict, unknown:key_conflict, later:no_answer | never | neutral
unexpected_state               | ask, ask, ask, review:unexpected_state, later:no_answer | never | neutral
already_captured               | ask, ask, ask, review:already_captured, later:no_answer | never | neutral
already_refunded               | ask, ask, ask, refunded_before, later:no_answer | never | neutral
unauthorized                   | later:unauthorized | never | neutral
forbidden                      | later:unauthorized | never | neutral
not_found                      | review:not_found, review:not_found, review:not_found, review:not_found, missing | never | neutral
declined                       | declined, ask, ask, review:refund_declined, later:no_answer | never | success
declined_for_good              | declined, ask, ask, review:refund_declined, later:no_answer | never | success
declined_soft                  | declined softly, ask, ask, review:refund_declined, later:no_answer | never | success
authentication_required        | awaits_customer, ask, ask, review:refund_declined, later:no_answer | never | success
in_flight                      | later:in_flight | backoff from 500ms | neutral
locked                         | later:in_flight | backoff from 200ms | neutral
throttled_global_rate          | later:throttled | soon | throttled:GlobalRate
throttled_endpoint_rate        | later:throttled | soon | throttled:EndpointRate
throttled_global_concurrency   | later:throttled | soon | throttled:GlobalConcurrency
throttled_endpoint_concurrency | later:throttled | soon | throttled:EndpointConcurrency
throttled_resource             | later:throttled | soon | throttled:ResourceSpecific
throttled_unnamed              | later:throttled | soon | throttled:EndpointRate
dependency_failed              | unknown:dependency_failed, ask or unknown:dependency_failed, ask or unknown:dependency_failed, unknown:dependency_failed, later:no_answer | never | fault
server_error                   | unknown:saved_failure, ask or unknown:saved_failure, ask or unknown:saved_failure, unknown:saved_failure, later:no_answer | never | fault
gateway_failed                 | later:no_answer | backoff | fault
failed_for_good                | unknown:saved_failure, ask or unknown:saved_failure, ask or unknown:saved_failure, unknown:saved_failure, later:no_answer | never | fault
refused                        | review:refused, review:refused, review:refused, review:refused, later:no_answer | never | neutral
";

#[test]
fn the_table_is_the_golden_one_row_by_row() {
    let golden: Vec<&str> = GOLDEN.trim().lines().collect();
    for (&signal, line) in Signal::ALL.iter().zip(&golden) {
        assert_eq!(row(signal), *line);
    }
    assert_eq!(golden.len(), Signal::ALL.len(), "a line for each signal, and no other");
}

fn row(signal: Signal) -> String {
    let rulings = Endpoint::ALL.map(|endpoint| rule(endpoint, signal));
    let Ruling { again, verdict, .. } = rulings[0];
    assert!(rulings.iter().all(|ruling| (ruling.again, ruling.verdict) == (again, verdict)));
    let mut ends: Vec<String> = rulings.iter().map(|ruling| end(ruling.end)).collect();
    if ends.iter().all(|end| *end == ends[0]) {
        ends.truncate(1);
    }
    format!("{:<30} | {} | {} | {}", signal.as_str(), ends.join(", "), again_word(again), heard(verdict))
}

fn end(end: End) -> String {
    match end {
        End::Authorized => "authorized".to_owned(),
        End::Captured => "captured".to_owned(),
        End::Canceled => "canceled".to_owned(),
        End::Refunded => "refunded".to_owned(),
        End::RefundedBefore => "refunded_before".to_owned(),
        End::Declined { soft: false } => "declined".to_owned(),
        End::Declined { soft: true } => "declined softly".to_owned(),
        End::AwaitsCustomer => "awaits_customer".to_owned(),
        End::AwaitsProvider => "awaits_provider".to_owned(),
        End::Ask(None) => "ask".to_owned(),
        End::Ask(Some(why)) => format!("ask or unknown:{}", why.as_str()),
        End::Found => "found".to_owned(),
        End::Missing => "missing".to_owned(),
        End::Later(why) => format!("later:{}", why.as_str()),
        End::Unknown(why) => format!("unknown:{}", why.as_str()),
        End::Review(why) => format!("review:{why}"),
    }
}

fn again_word(again: Again) -> String {
    match again {
        Again::Never => "never".to_owned(),
        Again::AtOnce => "at once".to_owned(),
        Again::Backoff(Duration::ZERO) => "backoff".to_owned(),
        Again::Backoff(least) => format!("backoff from {least:?}"),
        Again::Soon => "soon".to_owned(),
    }
}

fn heard(verdict: Verdict) -> String {
    match verdict {
        Verdict::Success => "success".to_owned(),
        Verdict::ProviderFault => "fault".to_owned(),
        Verdict::Throttled(throttle) => format!("throttled:{throttle:?}"),
        Verdict::Neutral => "neutral".to_owned(),
    }
}
