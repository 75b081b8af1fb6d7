//! Where the instructions of a warm batch and of a start go: by part of the program, and by single function.
//!
//! Cachegrind writes what each function executed itself, without what it called. A part is one crate or several, so that a
//! share is what their own code executed; what the compiler inlined counts where it ended up. Generic code of the standard
//! library counts for the first other crate in the function's name, and for the standard library where there is none; all
//! instances of a generic function have one name.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;

use super::valgrind::Tool;
use super::{FEW, FUNCTIONS, MANY, as_u64, built, costs, wrapped};
use crate::Error;
use crate::report::float;

/// Folders with the crates of the functions.
const OWN_FOLDERS: [&str; 2] = ["functions", "shared"];

/// What those crates are together.
const OWN: &str = "orderflow's own crates";

/// Functions without a crate that no line below names: of C, the dynamic linker's among them.
const C: &str = "the rest of the C library";

/// Whatever no line below names.
const OTHER: &str = "other crates";

/// How many functions are shown.
const TOP: usize = 10;

/// The parts, with their crates and functions of C; `*` stands for any ending. The first line that fits counts.
const PARTS: [(&str, &str); 11] = [
    ("SHA-256, SHA-1 and HMAC", "sha1* sha2 hmac digest block_buffer hybrid_array"),
    ("TLS and root certificates", "rustls* webpki untrusted ring* tokio_rustls openssl_probe"),
    (
        "Lambda runtime, tokio, logging",
        "aws_lambda_events lambda_* tokio* mio socket2 futures_* tracing* sharded_slab",
    ),
    ("AWS SDK, its JSON included", "aws_* regex_lite hex time"),
    ("JSON other than the SDK's", "serde* itoa zmij"),
    ("HTTP and URLs", "http* hyper* reqwest tower* want bytes url idna form_urlencoded percent_encoding"),
    ("Redis client", "redis combine arc_swap"),
    (
        "allocator",
        "__rustc malloc* free realloc calloc posix_memalign _mid_memalign _int_* sysmalloc unlink_chunk",
    ),
    ("copying and comparing bytes", "__memcpy* __memmove* __memcmp* __memset*"),
    ("standard library", "core alloc std hashbrown memchr compiler_builtins"),
    (OTHER, "???"),
];

/// Instructions by function of the program, each without what it called. A difference may be below zero.
type Costs = BTreeMap<String, f64>;

/// Where the instructions of one thing go.
#[derive(Debug, Serialize)]
pub(super) struct Profile {
    function: &'static str,
    /// What was executed.
    of: &'static str,
    instructions: f64,
    parts: Vec<Share>,
    /// The most expensive functions.
    functions: Vec<Share>,
}

/// What one part or one function executed itself.
#[derive(Debug, Serialize)]
struct Share {
    name: String,
    percent: f64,
    instructions: f64,
}

/// Counts few batches and many of each function, and takes them apart.
///
/// # Errors
/// What keeps them from being counted.
pub(super) async fn profiles() -> Result<Vec<Profile>, Error> {
    let own = own()?;
    let few = by_function(FEW).await?;
    let many = by_function(FEW + MANY).await?;
    let mut profiles = Vec::new();
    for (function, (few, many)) in FUNCTIONS.into_iter().zip(few.iter().zip(&many)) {
        let warm = weighted([(many, 1.0 / float(as_u64(MANY))), (few, -1.0 / float(as_u64(MANY)))]);
        let start = weighted([(few, 1.0), (&warm, -float(as_u64(FEW)))]);
        profiles.push(Profile::of("a warm batch of 10", function, &warm, &own));
        profiles.push(Profile::of("a start, warm batches taken off", function, &start, &own));
    }
    Ok(profiles)
}

/// What so many batches cost, in the order of [`FUNCTIONS`].
async fn by_function(batches: usize) -> Result<Vec<Costs>, Error> {
    let wrapped = wrapped(Tool::Instructions)?;
    let totals = costs(&wrapped, batches).await?;
    let read = |function| {
        let total = totals.get(function).and_then(|totals| totals.get("instructions"));
        let text = wrapped.written(function)?;
        total.and_then(|total| parse(&text, *total)).ok_or_else(|| Error::NotCounted {
            what: format!(
                "what cachegrind wrote of {function} does not add up: has this valgrind another format?"
            ),
        })
    };
    FUNCTIONS.into_iter().map(read).collect()
}

/// The crates of the functions, as the compiler names them.
fn own() -> Result<BTreeSet<String>, Error> {
    let mut own = BTreeSet::new();
    for folder in OWN_FOLDERS {
        own.extend(built::packages(folder)?.iter().map(|package| package.replace('-', "_")));
    }
    Ok(own)
}

/// Reads cachegrind's file: `fn=` names a function, and each `<line> <instructions>` below is a line of it. None for what
/// does not add up to `total`.
fn parse(text: &str, total: u64) -> Option<Costs> {
    let mut costs = Costs::new();
    let mut function = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = Some(name);
        } else if line.starts_with(|c: char| c.is_ascii_digit()) {
            let instructions: f64 = line.split_once(' ')?.1.trim().parse().ok()?;
            *costs.entry(function?.to_owned()).or_default() += instructions;
        }
    }
    (costs.values().sum::<f64>() == float(total)).then_some(costs)
}

/// The weighted sum of costs.
fn weighted(all: [(&Costs, f64); 2]) -> Costs {
    let mut sum = Costs::new();
    for (costs, weight) in all {
        for (function, n) in costs {
            *sum.entry(function.clone()).or_default() += n * weight;
        }
    }
    sum
}

/// The crate that a function belongs to, or a function of C itself, without what the linker adds to its name.
fn owner(function: &str) -> &str {
    let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    // What is left of a path before its first `::`; nothing is left of a path that goes on behind generics.
    let paths = function.split(|c| !is_path(c)).filter_map(|path| Some(path.split_once("::")?.0));
    let crates: Vec<&str> = paths.filter(|name| !name.is_empty()).collect();
    let standard = |name: &&&str| ["core", "alloc", "std"].contains(*name);
    let named = crates.iter().find(|name| !standard(name)).or(crates.first());
    named.copied().unwrap_or_else(|| function.split(['.', '@']).next().unwrap_or(function))
}

fn part(function: &str, own: &BTreeSet<String>) -> &'static str {
    let owner = owner(function);
    if own.contains(owner) {
        return OWN;
    }
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => owner.starts_with(start),
        None => owner == pattern,
    };
    let found = PARTS.iter().find(|(_, patterns)| patterns.split(' ').any(fits));
    found.map_or(if function.contains("::") { OTHER } else { C }, |(part, _)| part)
}

impl Profile {
    fn of(of: &'static str, function: &'static str, costs: &Costs, own: &BTreeSet<String>) -> Self {
        let instructions = costs.values().sum();
        let mut parts: BTreeMap<&str, f64> = BTreeMap::new();
        for (function, n) in costs {
            *parts.entry(part(function, own)).or_default() += n;
        }
        let parts = largest_first(parts, instructions);
        let mut functions = largest_first(costs.iter().map(|(name, n)| (name.as_str(), *n)), instructions);
        functions.truncate(TOP);
        Self { function, of, instructions, parts, functions }
    }

    fn text(&self) -> String {
        let millions = self.instructions / 1e6;
        let row = |share: &Share| {
            format!("  {:>5.1} %  {:>10.0}  {}\n", share.percent, share.instructions, share.name)
        };
        let rows = |shares: &[Share]| shares.iter().map(row).collect::<String>();
        format!(
            "{}, {}: {millions:.2} million instructions\n{}the functions that execute most themselves\n{}",
            self.function,
            self.of,
            rows(&self.parts),
            rows(&self.functions)
        )
    }
}

fn largest_first<'a>(costs: impl IntoIterator<Item = (&'a str, f64)>, all: f64) -> Vec<Share> {
    let share =
        |(name, n): (&str, f64)| Share { name: name.to_owned(), percent: 100.0 * n / all, instructions: n };
    let mut shares: Vec<Share> = costs.into_iter().map(share).collect();
    shares.sort_by(|a, b| b.instructions.total_cmp(&a.instructions));
    shares
}

/// For people.
pub(super) fn text(built_with: &str, profiles: &[Profile]) -> String {
    let profiles: Vec<String> = profiles.iter().map(Profile::text).collect();
    format!("Instructions by what executed them itself; {built_with}\n\n{}", profiles.join("\n"))
}

/// For scripts.
pub(super) fn json(built_with: &str, profiles: &[Profile]) -> Result<String, Error> {
    serde_json::to_string(&json!({"built_with": built_with, "profiles": profiles}))
        .map_err(|source| Error::Unreadable { what: "the profile".to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::{C, Costs, OTHER, OWN, Profile, parse, part, weighted};
    use std::collections::BTreeSet;

    #[track_caller]
    fn check(function: &str, expected: &str) {
        let own = BTreeSet::from(["order".to_owned(), "process_orders".to_owned()]);
        assert_eq!(part(function, &own), expected, "{function}");
    }

    #[test]
    fn a_function_belongs_to_the_part_of_its_crate() {
        check("sha2::sha256::soft::unroll::compress", "SHA-256, SHA-1 and HMAC");
        check("<webpki::x509::Extension as webpki::der::FromDer>::from_der", "TLS and root certificates");
        check("rustls_pki_types::base64::decode_public", "TLS and root certificates");
        check("ring_core_0_17_14__x25519_NEON", "TLS and root certificates");
        check(
            "<&mut serde_json::de::Deserializer<R> as serde_core::de::Deserializer>::deserialize_any",
            "JSON other than the SDK's",
        );
        check("aws_smithy_json::escape::escape_string", "AWS SDK, its JSON included");
        check("aws_lambda_events::event::sqs::_::deserialize", "Lambda runtime, tokio, logging");
        check("http::header::map::hash_elem_using", "HTTP and URLs");
        check("<order::event::walk::Key as serde_core::de::DeserializeSeed>::deserialize", OWN);
        check("process_orders::flow::Work<S,C,Q,K>::accept::{{closure}}", OWN);
        check("jiff::util::parse::bi64", OTHER);
        check("???", OTHER);
    }

    #[test]
    fn what_the_standard_library_does_for_a_crate_belongs_to_that_crate() {
        check("core::ptr::drop_in_place<webpki::error::Error>", "TLS and root certificates");
        check("<alloc::string::String as core::convert::From<order::ids::Sku>>::from", OWN);
        check(
            "<alloc::raw_vec::RawVecInner<_>>::reserve::do_reserve_and_handle::<alloc::alloc::Global>",
            "standard library",
        );
        check("<alloc::string::String as core::fmt::Write>::write_str", "standard library");
        check("hashbrown::map::HashMap<K,V,S,A>::insert", "standard library");
    }

    #[test]
    fn functions_of_c_have_no_crate() {
        check("_int_malloc", "allocator");
        check("unlink_chunk.constprop.0", "allocator");
        check("__rustc::__rdl_alloc", "allocator");
        check("__memcpy_avx_unaligned_erms", "copying and comparing bytes");
        check("clock_gettime@@GLIBC_2.17", C);
        check("_dl_relocate_object", C);
    }

    #[track_caller]
    fn check_file(lines: &[&str], total: u64, expected: Option<&[(&str, f64)]>) {
        let head = ["desc: I1 cache: 32768 B", "cmd: target/f", "events: Ir", "fl=a.rs"];
        let text = [head.as_slice(), lines, &["summary: 1000"]].concat().join("\n");
        assert_eq!(parse(&text, total), expected.map(costs), "{lines:?}");
    }

    fn costs(all: &[(&str, f64)]) -> Costs {
        all.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
    }

    #[test]
    fn the_lines_of_a_function_are_added_wherever_they_stand() {
        check_file(&["fn=a::b<T>", "1 20", "7 3"], 23, Some(&[("a::b<T>", 23.0)]));
        let again = ["fn=a", "1 20", "fn=c d", "0 5", "fl=b.rs", "fn=a", "9 1"];
        check_file(&again, 26, Some(&[("a", 21.0), ("c d", 5.0)]));
        check_file(&["fn=a", "1 20"], 21, None);
        check_file(&["fn=a", "1 many"], 1, None);
        check_file(&["1 20"], 20, None);
    }

    #[test]
    fn shares_are_of_the_whole_and_the_largest_comes_first() {
        let costs =
            weighted([(&costs(&[("free", 30.0), ("sha2::x", 60.0)]), 0.5), (&costs(&[("free", 5.0)]), -1.0)]);
        let profile = Profile::of("a batch", "f", &costs, &BTreeSet::new());
        let shares: Vec<(&str, f64)> =
            profile.parts.iter().map(|part| (part.name.as_str(), part.percent)).collect();
        assert_eq!(shares, [("SHA-256, SHA-1 and HMAC", 75.0), ("allocator", 25.0)]);
    }
}
