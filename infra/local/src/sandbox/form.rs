//! Form-encoded parameters as Stripe's clients send them: `a=1&metadata[order_id]=2&types[]=card`.
//!
//! Names are kept as written, brackets included, and sorted, so that two requests with the same parameters in
//! another order are the same request.

use std::collections::BTreeMap;

use super::problem::Problem;

/// The parameters of a request, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a body or a query string.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default()).and_then(well_formed);
            let value = decode(halves.next().unwrap_or_default());
            let (Some(name), Some(value)) = (name, value) else {
                return Err(Problem::malformed("The request's parameters could not be read."));
            };
            values.insert(numbered(name, &values), value);
        }
        Ok(Self(values))
    }

    /// A parameter's value; an empty one counts as absent, as it does at Stripe.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(value) = self.text(name) else { return Ok(None) };
        match value.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Problem::invalid_integer(name, value)),
        }
    }

    /// `true` or `false`; false when absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(value) => Err(Problem::invalid(name, format!("Invalid boolean: {value}"))),
        }
    }

    /// The values of `name[key]` by key.
    pub(super) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let entries = self.0.iter().filter_map(|(full, value)| {
            let key = full.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            (!key.contains('[')).then(|| (key.to_owned(), value.clone()))
        });
        entries.collect()
    }

    /// Complains of the first parameter that is none of `known`; what stands in brackets is not looked at.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let mut roots = self.0.keys().map(|name| root(name));
        match roots.find(|name| !known.contains(name)) {
            Some(unknown) => Err(Problem::unknown_parameter(unknown)),
            None => Ok(()),
        }
    }

    /// The parameters in one order, for comparing two requests.
    pub(super) fn canonical(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What stands before the first bracket.
fn root(name: &str) -> &str {
    name.split('[').next().unwrap_or(name)
}

/// Nothing but a name and keys in brackets behind it.
fn well_formed(name: String) -> Option<String> {
    let root = root(&name);
    let is_key = |part: &str| {
        let key = part.strip_prefix('[').and_then(|part| part.strip_suffix(']'));
        key.is_some_and(|key| !key.contains('['))
    };
    let keys = name.strip_prefix(root)?.split_inclusive(']').all(is_key);
    (keys && !root.is_empty() && !root.contains(']')).then_some(name)
}

/// `types[]` may be given again and again: each gets the next free number.
fn numbered(name: String, taken: &BTreeMap<String, String>) -> String {
    let Some(list) = name.strip_suffix("[]") else { return name };
    let free =
        (0..=taken.len()).map(|number| format!("{list}[{number}]")).find(|name| !taken.contains_key(name));
    free.unwrap_or(name)
}

/// `+` is a space, `%41` an `A`; `None` for what is no text.
fn decode(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex(bytes.next())?, hex(bytes.next())?);
                high << 4 | low
            }
            byte => *byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    let digit = char::from(*byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Option<Vec<(String, String)>> {
        let form = Form::parse(text.as_bytes()).ok()?;
        Some(form.canonical().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected =
            expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(pairs(text), Some(expected), "{text}");
    }

    #[test]
    fn names_and_values_are_decoded() {
        check("", &[]);
        check("amount=100", &[("amount", "100")]);
        check("a=1+2%3D3&b", &[("a", "1 2=3"), ("b", "")]);
        check("metadata%5Border_id%5D=%C3%BC", &[("metadata[order_id]", "ü")]);
        check("created[gte]=5&created[lt]=9", &[("created[gte]", "5"), ("created[lt]", "9")]);
        check("types[]=card&types[]=link", &[("types[0]", "card"), ("types[1]", "link")]);
        check("a[b][c]=1", &[("a[b][c]", "1")]);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for text in
            ["a=%", "a=%4", "a=%zz", "a=%FF", "=1", "[a]=1", "a[=1", "a]=1", "a[b=1", "a[b]c=1", "a[[b]]=1"]
        {
            assert_eq!(pairs(text), None, "{text}");
        }
    }

    #[test]
    fn brackets_make_a_map() {
        let form = Form::parse(b"metadata[a]=1&metadata[b]=&metadata[c][d]=2&metadatax[e]=3").unwrap();
        let expected = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())];
        assert_eq!(form.map("metadata"), expected.into());
    }

    #[test]
    fn an_unknown_parameter_is_named_by_its_root() {
        let form = Form::parse(b"amount=1&metadta[a]=2").unwrap();
        assert!(form.only(&["amount", "metadta"]).is_ok());
        let problem = form.only(&["amount"]).unwrap_err();
        assert_eq!(problem.message(), "Received unknown parameter: metadta");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fall_over_and_what_is_encoded_comes_back(
            noise in any::<Vec<u8>>(), name in "[a-z_]{1,9}", value in "\\PC{0,20}",
        ) {
            drop(Form::parse(&noise));
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let form = Form::parse(format!("{name}={encoded}").as_bytes()).unwrap();
            prop_assert_eq!(form.text(&name).unwrap_or_default(), value.as_str());
        }
    }
}
