//! The W3C trace context's `traceparent`, as far as it is passed on.

/// Bytes of a `traceparent`: 2 + 32 + 16 + 2 digits and three dashes.
const LENGTH: usize = 55;

/// Whether the text is a usable `traceparent` (W3C Trace Context, §3.2): version, trace id, parent id, flags; in
/// lower case, no id all zeros. A text that passes cannot hide anything in a JSON string or a log line.
pub(crate) fn is_traceparent(text: &str) -> bool {
    if text.len() != LENGTH {
        return false;
    }
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next(), parts.next(), parts.next(), parts.next());
    let usable = |part: Option<&str>, length: usize| {
        part.is_some_and(|part| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    let named = |part: Option<&str>| part.is_some_and(|part| part.bytes().any(|byte| byte != b'0'));
    usable(version, 2)
        && version != Some("ff")
        && usable(trace, 32)
        && named(trace)
        && usable(parent, 16)
        && named(parent)
        && usable(flags, 2)
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_traceparent;

    #[track_caller]
    fn check(text: &str, expected: bool) {
        assert_eq!(is_traceparent(text), expected, "{text:?}");
    }

    #[test]
    fn only_the_w3c_form_is_passed_on() {
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true);
        check("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true);
        check("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false);
        check("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\"", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e47-36-00f067aa0ba902b7-01", false);
        check("", false);
    }
}
