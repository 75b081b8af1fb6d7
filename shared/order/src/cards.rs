//! Recognizes what must not be kept: digits that look like a card number, and fields made for card data.
//!
//! Only tokens of the payment provider may enter. A false alarm costs an order (its body is replaced by a hash), so
//! the rules keep clear of what identifiers really look like: Unix times, UUIDs, trace ids, hashes.

/// Card numbers have 13 to 19 digits (ISO/IEC 7812-1; 13 is an old Visa).
const MIN_DIGITS: usize = 13;
/// See [`MIN_DIGITS`].
const MAX_DIGITS: usize = 19;

/// Of the numbers that begin with 2.
const TWO_SERIES_DIGITS: usize = 16;

/// The longest group of a card number written with spaces or dashes (19 digits as 4-4-4-7).
const MAX_GROUP: usize = 7;

/// A span id: the shortest hexadecimal identifier in use.
const SPAN_ID_LENGTH: usize = 16;

/// Hexadecimal words of this length and longer are ids and hashes (24: an object id, 32: a trace id or a bare UUID).
const MIN_HEX_ID: usize = 24;

/// Keys, reduced to letters and digits, that say what they hold wherever the word stands in them.
const CARD_KEYS: [&str; 6] =
    ["cardnumber", "ccnumber", "securitycode", "primaryaccountnumber", "trackdata", "magstripe"];

/// Keys that say it at their end or alone: these words would be found inside harmless ones.
const CARD_KEY_ENDINGS: [&str; 7] = ["cvc", "cvv", "cvc2", "cvv2", "cardno", "cardpin", "cardpan"];

/// Keys that say it only alone.
const CARD_KEYS_EXACT: [&str; 3] = ["pan", "csc", "cvn"];

/// Whether some digits of the text could be a card number: 13 to 19 of them in one run, or in groups parted by
/// single spaces or dashes, that some network issues and whose check digit (Luhn) is right.
pub(crate) fn looks_like_card(text: &str) -> bool {
    // Nearly every text ends here.
    text.bytes().filter(u8::is_ascii_digit).count() >= MIN_DIGITS
        && (card_in_a_word(text.as_bytes()) || card_in_groups(text.as_bytes()))
}

/// Whether a key is made for card data, however it is cased or punctuated: `cvc`, `cardNumber`, `card-number`. `reduced` is
/// room to work in, which a caller with many keys brings: an order has forty.
pub(crate) fn is_card_key(key: &str, reduced: &mut Vec<u8>) -> bool {
    // Every such word has one of these letters; most keys of the contract do too, but most others end here.
    if !key.bytes().any(|byte| matches!(byte, b'c' | b'C' | b'p' | b'P' | b'k' | b'K')) {
        return false;
    }
    reduced.clear();
    reduced.extend(key.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()));
    CARD_KEYS.iter().any(|word| reduced.windows(word.len()).any(|part| part == word.as_bytes()))
        || CARD_KEY_ENDINGS.iter().any(|word| reduced.ends_with(word.as_bytes()))
        || CARD_KEYS_EXACT.iter().any(|word| reduced.as_slice() == word.as_bytes())
}

fn card_in_a_word(text: &[u8]) -> bool {
    let words = text.split(|byte| !byte.is_ascii_alphanumeric());
    let mut runs =
        words.filter(|word| !is_hex_id(word)).flat_map(|word| word.split(|byte| !byte.is_ascii_digit()));
    runs.any(|run| is_card_number(run.iter()))
}

/// One in a thousand random hexadecimal ids of 32 characters contains a run that passes for a card number.
fn is_hex_id(word: &[u8]) -> bool {
    (word.len() == SPAN_ID_LENGTH || word.len() >= MIN_HEX_ID)
        && word.iter().all(u8::is_ascii_hexdigit)
        && word.iter().any(u8::is_ascii_alphabetic)
}

/// Groups are whole words: a group beside a letter is a part of an identifier (a UUID), not of a written number.
fn card_in_groups(text: &[u8]) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-');
    text.split(|byte| !part(byte)).any(|phrase| {
        let groups: Vec<&[u8]> = phrase.split(|byte| !byte.is_ascii_alphanumeric()).collect();
        (0..groups.len()).any(|first| card_from(groups.get(first..).unwrap_or_default()))
    })
}

/// Whether the first few of these groups make a card number: so that a number before or after it hides nothing.
fn card_from(groups: &[&[u8]]) -> bool {
    let mut digits = Vec::new();
    for group in groups {
        if group.is_empty() || group.len() > MAX_GROUP || !group.iter().all(u8::is_ascii_digit) {
            return false;
        }
        digits.extend_from_slice(group);
        if digits.len() > MAX_DIGITS || !is_issued(digits.iter()) {
            return false;
        }
        if is_card_number(digits.iter()) {
            return true;
        }
    }
    false
}

fn is_card_number<'a>(digits: impl DoubleEndedIterator<Item = &'a u8> + Clone) -> bool {
    let count = digits.clone().take(MAX_DIGITS.saturating_add(1)).count();
    (MIN_DIGITS..=MAX_DIGITS).contains(&count)
        && is_issued(digits.clone())
        && (count == TWO_SERIES_DIGITS || digits.clone().next() != Some(&b'2'))
        && luhn(digits.rev())
}

/// No network issues numbers that begin with 0, 1, 7, 8 or 9 (ISO/IEC 7812-1, major industry identifiers), and those
/// that begin with 2 are 22… to 27… with 16 digits. So no Unix time in milliseconds, and no date.
fn is_issued<'a>(mut digits: impl Iterator<Item = &'a u8>) -> bool {
    match (digits.next(), digits.next()) {
        (Some(b'2'), second) => second.is_none_or(|digit| (b'2'..=b'7').contains(digit)),
        (Some(b'3'..=b'6'), _) => true,
        _ => false,
    }
}

/// The check of ISO/IEC 7812-1, annex B, over the digits from the last to the first.
fn luhn<'a>(reversed: impl Iterator<Item = &'a u8>) -> bool {
    // At most 19 digits of at most 9 each: nothing saturates.
    let weighed = reversed.enumerate().map(|(at, digit)| {
        let digit = u32::from(digit.saturating_sub(b'0'));
        match at % 2 {
            0 => digit,
            _ if digit >= 5 => digit.saturating_mul(2).saturating_sub(9),
            _ => digit.saturating_mul(2),
        }
    });
    weighed.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::{is_card_key, looks_like_card};

    #[track_caller]
    fn check(text: &str, expected: bool) {
        assert_eq!(looks_like_card(text), expected, "{text:?}");
    }

    #[test]
    fn the_networks_test_numbers_are_found() {
        for card in [
            "4111111111111111",    // Visa.
            "4222222222222",       // Visa, 13 digits.
            "5555555555554444",    // Mastercard.
            "2223003122003222",    // Mastercard, 2-series.
            "378282246310005",     // American Express, 15 digits.
            "6011111111111117",    // Discover.
            "36227206271667",      // Diners, 14 digits.
            "3566002020360505",    // JCB.
            "6205500000000000004", // UnionPay, 19 digits.
            "6759649826438453",    // Maestro.
        ] {
            check(card, true);
            check(&format!("card {card}, thanks"), true);
            check(&format!("ref_{card}"), true);
            check(&format!("card{card}"), true);
        }
    }

    #[test]
    fn written_in_groups_they_are_found() {
        check("4111-1111-1111-1111", true);
        check("4111 1111 1111 1111", true);
        check("3782 822463 10005", true);
        check("no. 4111 1111-1111 1111.", true);
        check("23 4111111111111111", true);
        check("12 4111 1111 1111 1111 123", true);
    }

    #[test]
    fn other_numbers_are_left_alone() {
        check("", false);
        check("4111111111111112", false); // Check digit.
        check("411111111111", false); // 12 digits.
        check("41111111111111111111", false); // 20 digits.
        check("1764000000006", false); // Unix time in ms with a valid check digit.
        check("2026112310150015", false); // A date and time; networks issue no 20….
        check("9999999999999995", false); // Not issued.
        check("2026-11-23T10:15:00.123Z", false);
        check("4111  1111  1111  1111", false); // More than one space: a table, not a card.
        check("2,4,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", false);
    }

    #[test]
    fn identifiers_that_contain_such_runs_are_left_alone() {
        check("a4111111111111111bcdef0123456789", false); // 32 hexadecimal digits.
        check("00-a4111111111111111bcdef0123456789-411111111111111a-01", false);
        check("55555555-5555-4444-8444-abcdefabcdef", false);
        check("abcd5555-5555-4555-5444-4abcdefabcde", false);
        check("4111-1111-1111-1111a", false);
    }

    #[test]
    fn fields_for_card_data_are_found_however_they_are_written() {
        for key in [
            "cvc",
            "CVV",
            "card_cvc",
            "cardNumber",
            "card-number",
            "Card No.",
            "paymentCvv2",
            "PAN",
            "ccNumber",
        ] {
            assert!(is_card_key(key, &mut Vec::new()), "{key}");
        }
        for key in [
            "sku",
            "customerRef",
            "specversion",
            "cvcCheck",
            "company",
            "panel",
            "placedAt",
            "kind",
            "cardNote",
            "",
        ] {
            assert!(!is_card_key(key, &mut Vec::new()), "{key}");
        }
    }
}
