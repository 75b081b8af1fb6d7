//! Versions as programs print them: the first dotted number in what they say.

use std::fmt;

/// Major, minor, patch. Parts that a program does not print are absent, and compare as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: Option<u32>,
}

impl Version {
    /// A version without a patch.
    pub const fn of(major: u32, minor: u32) -> Self {
        Self { major, minor, patch: None }
    }

    /// The first dotted number in a text: `v20.20.2`, `rustc 1.95.0 (…)`, `Redis server v=7.2.4 sha=…`.
    pub fn parse(text: &str) -> Option<Self> {
        text.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(|word| {
            let mut parts = word.split('.').map(str::parse);
            let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
            Some(Self { major, minor, patch: parts.next().and_then(Result::ok) })
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = Version::parse(text).map(|version| version.to_string());
        assert_eq!(found.unwrap_or_default(), expected, "{text}");
    }

    #[test]
    fn versions_are_found_in_what_programs_say() {
        check("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0");
        check("v20.20.2\n", "20.20.2");
        check("cargo-lambda 1.9.2 (2a1fe86 2026-08-21Z)", "1.9.2");
        check("Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "7.2.4");
        check("Valkey server v=9.1.2 sha=0", "9.1.2");
        check("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", "15.14");
        check("ldd (Debian GLIBC 2.36-9+deb12u10) 2.36", "2.36");
        check("postgres (PostgreSQL) 18devel", "");
        check("no version", "");
    }

    #[test]
    fn versions_compare_by_their_numbers() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("1.100.0") > version("1.94.1"));
        assert!(version("1.94.1") > version("1.94.0") && version("1.94.1") >= version("1.94.1"));
        assert!(version("15.3") >= Version::of(15, 0) && version("20.0.0") >= Version::of(20, 0));
    }
}
