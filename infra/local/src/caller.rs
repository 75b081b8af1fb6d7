//! Who calls: each function signs with an access key of its own, so that a server can count calls by caller.
//!
//! Signatures are not checked (there is no secret worth guarding on one machine); the key id in the
//! `Authorization` header is only a name.

/// Before the function's name in an access key id, as in AWS's long-term keys.
const PREFIX: &str = "AKIA";

/// The caller of whom nothing is known: no signature, or a key that is no function's.
pub const UNKNOWN: &str = "other";

/// The access key id that `function` signs with: its name in capitals, with `0` for each dash.
#[must_use]
pub fn access_key_id(function: &str) -> String {
    format!("{PREFIX}{}", function.to_ascii_uppercase().replace('-', "0"))
}

/// The function that signed a request, from its `Authorization` header; [`UNKNOWN`] for anybody else.
///
/// The header's form is `AWS4-HMAC-SHA256 Credential=<key id>/<date>/<region>/<service>/aws4_request, …`.
#[must_use]
pub fn of(authorization: Option<&str>) -> String {
    let key_id = authorization
        .and_then(|header| header.split_once("Credential="))
        .and_then(|(_, scope)| scope.split_once('/'))
        .map(|(key_id, _)| key_id);
    match key_id.and_then(|key_id| key_id.strip_prefix(PREFIX)) {
        Some(name) if !name.is_empty() => name.to_ascii_lowercase().replace('0', "-"),
        _ => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authorization: Option<&str>, expected: &str) {
        assert_eq!(of(authorization), expected);
    }

    #[test]
    fn a_function_is_named_by_the_key_it_signs_with() {
        let key_id = access_key_id("process-orders");
        assert_eq!(key_id, "AKIAPROCESS0ORDERS");
        let header = format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/20261123/eu-central-1/sqs/aws4_request, Signature=00"
        );
        check(Some(&header), "process-orders");
    }

    #[test]
    fn anybody_else_is_other() {
        check(None, UNKNOWN);
        check(Some("Bearer token"), UNKNOWN);
        check(Some("AWS4-HMAC-SHA256 Credential=test/20261123/eu-central-1/sqs/aws4_request"), UNKNOWN);
        check(Some("AWS4-HMAC-SHA256 Credential=AKIA/20261123"), UNKNOWN);
    }
}
