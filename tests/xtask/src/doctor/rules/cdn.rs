//! The catalog on its way to a browser: how old a price may be there, and what the public may ask for.

use crate::doctor::finding::Finding;
use crate::doctor::stage::Stage;

/// An order at a price that has changed is rejected, so a shown price is at most so old, before the few seconds that the
/// function itself remembers it.
const PRICE_AGE_S_MAX: u64 = 120;

/// Whoever knows the address of a public function could otherwise take every instance that the account may run.
pub fn public_functions_are_bounded(stage: &Stage) -> Vec<Finding> {
    let unbounded = stage
        .functions
        .iter()
        .filter(|(_, function)| function.has_url && function.reserved_concurrency.is_none());
    let sentence = "is missing: a function with a URL takes the account's whole concurrency without it";
    unbounded
        .map(|(name, _)| Finding::error(format!("functions.{name}.reserved_concurrency"), sentence))
        .collect()
}

/// A cache nearer to the reader keeps less, absence is remembered for less than presence, and no price is shown that is
/// older than orders can bear.
pub fn a_shown_price_is_young(stage: &Stage) -> Vec<Finding> {
    let number = |field: &str| stage.number(&format!("cdn.{field}"));
    let (browser, shared) = (number("max_age_s"), number("shared_max_age_s"));
    let (stale, absent) = (number("stale_while_revalidate_s"), number("not_found_max_age_s"));
    let mut findings = Vec::new();
    for (field, value) in [("max_age_s", browser), ("not_found_max_age_s", absent)] {
        if value > shared {
            let sentence =
                format!("{value} s is more than the {shared} s of cdn.shared_max_age_s: set at most that");
            findings.push(Finding::error(format!("cdn.{field}"), sentence));
        }
    }
    if shared + stale > PRICE_AGE_S_MAX {
        let sentence = format!(
            "{shared} s and {stale} s of stale_while_revalidate_s let a price be shown that is older than {PRICE_AGE_S_MAX} s: shorten one"
        );
        findings.push(Finding::error("cdn.shared_max_age_s", sentence));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{a_shown_price_is_young, public_functions_are_bounded};
    use crate::doctor::stage::tests::check;
    use serde_json::json;

    #[test]
    fn a_function_that_anybody_may_call_leaves_room_for_the_others() {
        let (rule, url) = (public_functions_are_bounded as _, "/functions/migrate-schema/function_url");
        check(rule, "prod", (url, json!(true)), "functions.migrate-schema.reserved_concurrency");
        check(rule, "prod", (url, json!(false)), "");
    }

    #[test]
    fn a_price_is_at_most_two_minutes_old() {
        let rule = a_shown_price_is_young as _;
        check(rule, "prod", ("/cdn/max_age_s", json!(31)), "cdn.max_age_s");
        check(rule, "prod", ("/cdn/not_found_max_age_s", json!(31)), "cdn.not_found_max_age_s");
        check(rule, "prod", ("/cdn/stale_while_revalidate_s", json!(91)), "cdn.shared_max_age_s");
        check(rule, "prod", ("/cdn/stale_while_revalidate_s", json!(90)), "");
    }
}
