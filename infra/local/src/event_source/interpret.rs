//! What a function's answer means for the messages of its batch: AWS's documented table, as a pure function.
//!
//! | the answer (with `ReportBatchItemFailures`) | what is deleted |
//! |---|---|
//! | empty, `null`, `{}`, or `batchItemFailures` that is null or empty | all |
//! | ids of the batch | all others |
//! | no JSON, no object, a list of something else | nothing |
//! | an item with another key, or an id that is empty, null or not of the batch | nothing |
//!
//! Without that setting every answer of a function that did not fail deletes all.

use std::collections::BTreeSet;

use serde_json::Value;

/// What to do with a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every message is done.
    DeleteAll,
    /// These failed and come again; the others are done.
    DeleteExcept(BTreeSet<String>),
    /// The batch failed as a whole: every message comes again. Why, in words.
    KeepAll(&'static str),
}

/// Interprets the answer of a function that reports item failures; `batch_ids` are the message ids it was
/// handed.
#[must_use]
pub fn interpret(response: &[u8], batch_ids: &[&str]) -> Verdict {
    if response.trim_ascii().is_empty() {
        return Verdict::DeleteAll;
    }
    let failures = match serde_json::from_slice(response) {
        Ok(Value::Null) => return Verdict::DeleteAll,
        Ok(Value::Object(mut answer)) => answer.remove("batchItemFailures"),
        Ok(_) => return Verdict::KeepAll("the answer is no JSON object"),
        Err(_) => return Verdict::KeepAll("the answer is no JSON"),
    };
    let failures = match failures {
        None | Some(Value::Null) => return Verdict::DeleteAll,
        Some(Value::Array(failures)) => failures,
        Some(_) => return Verdict::KeepAll("batchItemFailures is no list"),
    };
    let mut failed = BTreeSet::new();
    for failure in &failures {
        match failure.get("itemIdentifier") {
            None => return Verdict::KeepAll("an item has no itemIdentifier"),
            Some(Value::String(id)) if id.is_empty() => {
                return Verdict::KeepAll("an itemIdentifier is empty");
            }
            Some(Value::String(id)) if batch_ids.contains(&id.as_str()) => failed.insert(id.clone()),
            Some(Value::String(_)) => return Verdict::KeepAll("an itemIdentifier is not of the batch"),
            Some(_) => return Verdict::KeepAll("an itemIdentifier is no string"),
        };
    }
    if failed.is_empty() { Verdict::DeleteAll } else { Verdict::DeleteExcept(failed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BATCH: [&str; 3] = ["a", "b", "c"];

    #[track_caller]
    fn check(response: &str, expected: &Verdict) {
        assert_eq!(&interpret(response.as_bytes(), &BATCH), expected, "{response}");
    }

    #[track_caller]
    fn check_keeps_all(response: &str) {
        let verdict = interpret(response.as_bytes(), &BATCH);
        assert!(matches!(verdict, Verdict::KeepAll(_)), "{response}: {verdict:?}");
    }

    fn except(ids: &[&str]) -> Verdict {
        Verdict::DeleteExcept(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn an_empty_batch_item_failures_list_is_success() {
        check(r#"{"batchItemFailures":[]}"#, &Verdict::DeleteAll);
    }

    #[test]
    fn a_null_batch_item_failures_list_is_success() {
        check(r#"{"batchItemFailures":null}"#, &Verdict::DeleteAll);
    }

    #[test]
    fn an_empty_response_is_success() {
        check("", &Verdict::DeleteAll);
        check(" \n", &Verdict::DeleteAll);
        check("{}", &Verdict::DeleteAll);
        check(r#"{"statusCode":200}"#, &Verdict::DeleteAll);
    }

    #[test]
    fn a_null_response_is_success() {
        check("null", &Verdict::DeleteAll);
    }

    #[test]
    fn listed_messages_come_again_and_the_others_are_deleted() {
        check(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, &except(&["b"]));
        check(
            r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a"}]}"#,
            &except(&["a", "b"]),
        );
    }

    #[test]
    fn a_message_listed_twice_counts_once() {
        check(r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"b"}]}"#, &except(&["b"]));
    }

    #[test]
    fn an_invalid_json_response_fails_the_whole_batch() {
        check_keeps_all(r#"{"batchItemFailures":["#);
        check_keeps_all("ok");
        check_keeps_all(r#""ok""#);
        check_keeps_all("[]");
        check_keeps_all("7");
    }

    #[test]
    fn an_empty_item_identifier_fails_the_whole_batch() {
        check_keeps_all(r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":""}]}"#);
    }

    #[test]
    fn a_null_item_identifier_fails_the_whole_batch() {
        check_keeps_all(r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#);
        check_keeps_all(r#"{"batchItemFailures":[{"itemIdentifier":7}]}"#);
    }

    #[test]
    fn an_item_identifier_with_a_bad_key_name_fails_the_whole_batch() {
        check_keeps_all(r#"{"batchItemFailures":[{"itemidentifier":"a"}]}"#);
        check_keeps_all(r#"{"batchItemFailures":[{}]}"#);
        check_keeps_all(r#"{"batchItemFailures":["a"]}"#);
        check_keeps_all(r#"{"batchItemFailures":[null]}"#);
        check_keeps_all(r#"{"batchItemFailures":{"itemIdentifier":"a"}}"#);
    }

    #[test]
    fn an_id_that_is_not_of_the_batch_fails_the_whole_batch() {
        check_keeps_all(r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}"#);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_keep_a_message_that_was_not_sent(response in any::<Vec<u8>>()) {
            if let Verdict::DeleteExcept(ids) = interpret(&response, &BATCH) {
                prop_assert!(ids.iter().all(|id| BATCH.contains(&id.as_str())));
            }
        }
    }
}
