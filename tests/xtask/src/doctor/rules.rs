//! What the settings have to keep, one pure function a rule: a stage in, findings out.
//!
//! AWS's own rules hold to the letter for `dev` and `prod`. The stages of this machine, `local` and `test`, are faster
//! than AWS allows on purpose (visibility of 12 s, runs every second); for them a rule keeps what would break here too,
//! and its documentation says what that is.

use crate::doctor::finding::Finding;
use crate::doctor::stage::Stage;

pub mod cdn;
pub mod environment;
pub mod file;
pub mod functions;
pub mod payments;
pub mod queues;
pub mod triggers;

/// A rule.
pub type Rule = fn(&Stage) -> Vec<Finding>;

/// All rules over one stage, in the order in which a message meets them.
pub const RULES: [Rule; 24] = [
    queues::visibility_outlives_the_function,
    queues::dead_letters_have_a_queue,
    queues::dead_letters_outlive_their_source,
    queues::receives_are_enough,
    queues::limits,
    triggers::queue_exists,
    triggers::batch_and_window,
    triggers::one_way_to_scale,
    triggers::failures_are_reported_one_by_one,
    triggers::reserved_covers_maximum,
    functions::limits,
    functions::account_keeps_a_reserve,
    functions::runs_end_before_the_next_begins,
    functions::database_answers_within_the_timeout,
    functions::redis_answers_in_time,
    cdn::public_functions_are_bounded,
    cdn::a_shown_price_is_young,
    payments::quota,
    payments::timeouts_are_in_order,
    payments::attempts_fit_into_the_function,
    payments::instances_follow_the_quota,
    payments::every_instance_has_a_share,
    payments::keys_are_younger_than_the_provider_remembers,
    payments::comparison_waits_for_the_rows,
];

/// A finding at `path`, if the value is outside what is allowed; `whose` names who says so.
fn within(path: String, value: u64, allowed: std::ops::RangeInclusive<u64>, whose: &str) -> Option<Finding> {
    let (least, most) = (allowed.start(), allowed.end());
    (!allowed.contains(&value)).then(|| {
        Finding::error(path, format!("{value} is outside what {whose} allows: choose {least} to {most}"))
    })
}

#[cfg(test)]
mod tests {
    use super::RULES;
    use crate::doctor::stage::tests::ours;
    use crate::doctor::stage::{STAGES, Stage};

    #[test]
    fn our_settings_keep_every_rule_in_every_stage() {
        for name in STAGES {
            let stage = Stage::read(&ours(), name).unwrap();
            let findings: Vec<String> =
                RULES.iter().flat_map(|rule| rule(&stage)).map(|finding| finding.to_string()).collect();
            assert!(findings.is_empty(), "{name}:\n{}", findings.join("\n"));
        }
    }
}
