//! The texts of types that the Data API has no kind for, as PostgreSQL itself writes them.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use jiff::{SignedDuration, civil};
use tokio_postgres::types::Type;

use super::Reader;

/// The day that dates and times are counted from.
const EPOCH: civil::Date = civil::date(2000, 1, 1);
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Signs in the header of a numeric.
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITE: u16 = 0xD000;
const NEGATIVE_INFINITE: u16 = 0xF000;

/// A decimal: groups of four digits, the weight of the first group, a sign, the digits to show behind the
/// point.
pub(super) fn numeric(reader: &mut Reader<'_>) -> Option<String> {
    let count = reader.u16()?;
    let weight = reader.i16()?;
    let sign = reader.u16()?;
    let scale = usize::from(reader.u16()?);
    let groups = (0..count).map(|_| reader.u16()).collect::<Option<Vec<_>>>()?;
    let group =
        |index: i32| usize::try_from(index).ok().and_then(|index| groups.get(index)).copied().unwrap_or(0);
    let mut text = match sign {
        NAN => return Some("NaN".to_owned()),
        INFINITE => return Some("Infinity".to_owned()),
        NEGATIVE_INFINITE => return Some("-Infinity".to_owned()),
        NEGATIVE => "-".to_owned(),
        _ => String::new(),
    };
    let weight = i32::from(weight);
    if weight < 0 {
        text.push('0');
    }
    for index in 0..=weight {
        let digits = group(index);
        if index == 0 { write!(text, "{digits}").ok()? } else { write!(text, "{digits:04}").ok()? }
    }
    if scale > 0 {
        let mut fraction = String::new();
        let mut index = weight + 1;
        while fraction.len() < scale {
            write!(fraction, "{:04}", group(index)).ok()?;
            index += 1;
        }
        fraction.truncate(scale);
        write!(text, ".{fraction}").ok()?;
    }
    Some(text)
}

/// `jsonb` as Aurora returns it: without the spaces that PostgreSQL's text has between tokens.
pub(super) fn compact_json(json: &str) -> String {
    let (mut inside_text, mut escaped) = (false, false);
    json.chars()
        .filter(|&c| {
            let was_inside = inside_text;
            match c {
                _ if escaped => escaped = false,
                '\\' if inside_text => escaped = true,
                '"' => inside_text = !inside_text,
                _ => {}
            }
            was_inside || c != ' '
        })
        .collect()
}

pub(super) fn uuid(raw: &[u8]) -> Option<String> {
    uuid::Uuid::from_slice(raw).ok().map(|uuid| uuid.to_string())
}

/// Days since the epoch, whose extremes are the infinities.
pub(super) fn date(days: i32) -> Option<String> {
    match days {
        i32::MAX => Some("infinity".to_owned()),
        i32::MIN => Some("-infinity".to_owned()),
        days => calendar_day(days.into()).map(|date| date.to_string()),
    }
}

fn calendar_day(days: i64) -> Option<civil::Date> {
    let date = EPOCH.checked_add(SignedDuration::from_hours(days.checked_mul(24)?)).ok()?;
    // Before the year 1 PostgreSQL counts years "BC".
    (date.year() > 0).then_some(date)
}

/// Microseconds since midnight.
pub(super) fn time(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let whole = format!("{hours:02}:{minutes:02}:{seconds:02}");
    if fraction == 0 { whole } else { format!("{whole}.{fraction:06}").trim_end_matches('0').to_owned() }
}

/// Microseconds since the epoch, in UTC.
pub(super) fn timestamp(micros: i64) -> Option<String> {
    match micros {
        i64::MAX => Some("infinity".to_owned()),
        i64::MIN => Some("-infinity".to_owned()),
        micros => {
            let day = calendar_day(micros.div_euclid(MICROS_PER_DAY))?;
            Some(format!("{day} {}", time(micros.rem_euclid(MICROS_PER_DAY))))
        }
    }
}

/// Microseconds, days and months, as in `1 year 2 mons -3 days 04:05:06.7`.
pub(super) fn interval(reader: &mut Reader<'_>) -> Option<String> {
    let (micros, days, months) = (reader.i64()?, reader.i32()?, reader.i32()?);
    let mut parts = Vec::new();
    for (number, one, many) in
        [(months / 12, "year", "years"), (months % 12, "mon", "mons"), (days, "day", "days")]
    {
        if number != 0 {
            parts.push(format!("{number} {}", if number == 1 { one } else { many }));
        }
    }
    if micros != 0 || parts.is_empty() {
        let sign = if micros < 0 { "-" } else { "" };
        parts.push(format!("{sign}{}", time(micros.checked_abs()?)));
    }
    Some(parts.join(" "))
}

/// An address: family, prefix bits, whether it is a network, its length and bytes. A host's prefix is not
/// shown.
pub(super) fn network(kind: &Type, reader: &mut Reader<'_>) -> Option<String> {
    let (_family, bits, _is_cidr, length) = (reader.byte()?, reader.byte()?, reader.byte()?, reader.byte()?);
    let bytes = reader.bytes(length.into())?;
    let address: IpAddr = match length {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
    };
    let is_host = u32::from(bits) == u32::from(length) * 8 && *kind == Type::INET;
    Some(if is_host { address.to_string() } else { format!("{address}/{bits}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Everything else is compared with PostgreSQL's own text in tests/servers: these are what it never sends.

    #[test]
    fn json_loses_spaces_between_tokens_only() {
        let json = r#"{"a b": [1, 2, "c \" , \\"], "d": {"e": null}}"#;
        assert_eq!(compact_json(json), r#"{"a b":[1,2,"c \" , \\"],"d":{"e":null}}"#);
    }

    #[test]
    fn bytes_that_are_no_value_are_no_text() {
        assert_eq!(numeric(&mut Reader::new(&[0, 9, 0])), None);
        assert_eq!(uuid(&[1, 2]), None);
        assert_eq!(date(i32::MAX - 1), None);
    }
}
