//! Dependency edges: which crate of ours may use which, and which may speak to the outside.

use crate::tree::{Package, Packages};
use std::collections::BTreeSet;

/// What a shared crate may use of ours; whoever is absent may use none. Everything may use `telemetry`.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("catalog", &["order", "data-api", "backoff", "redis-link"]),
    ("data-api", &["backoff"]),
    ("order-store", &["order", "data-api", "backoff"]),
    ("payments", &["order", "backoff", "redis-link"]),
    ("queue", &["backoff"]),
    ("redis-link", &["backoff"]),
    ("settlement", &["order", "order-store", "payments", "backoff"]),
];

/// Crates that use nothing of ours, not even `telemetry`.
const LEAVES: [&str; 4] = ["order", "backoff", "settings", "telemetry"];

/// Dependencies that only some crates may have outside tests: one door to each outside system.
const DOORS: [(&str, &[&str]); 9] = [
    ("aws-sdk-rdsdata", &["data-api"]),
    ("aws-sdk-sqs", &["queue", "harness"]),
    ("redis", &["redis-link", "redis-server"]),
    ("reqwest", &["payments"]),
    ("tokio-postgres", &["local-cloud", "harness"]),
    ("deadpool-postgres", &["local-cloud"]),
    ("rustix", &["local-cloud", "redis-server"]),
    ("clap", &["xtask", "harness", "local-cloud"]),
    ("axum", &["local-cloud"]),
];

/// All that `order` may use: it does no I/O and reads no clock.
const PURE: [&str; 5] = ["jiff", "serde", "serde_json", "sha2", "thiserror"];

/// Packages that must not be built at all.
const BANNED: [(&str, &str); 3] = [
    ("aws-lc-rs", "a second TLS provider makes the first TLS call fail; keep ring"),
    ("openssl-sys", "a second TLS stack, and a system library"),
    ("native-tls", "a second TLS stack"),
];

pub(crate) fn between_ours(packages: &Packages) -> Vec<String> {
    let names: BTreeSet<&str> = packages.ours.iter().map(|package| package.name.as_str()).collect();
    let mut complaints = Vec::new();
    for package in &packages.ours {
        for used in package.normal.iter().filter(|used| names.contains(used.as_str())) {
            let target = packages.ours.iter().find(|other| other.name == *used);
            if !may_use(package, used, target.map_or("", |target| target.folder.as_str())) {
                complaints.push(format!(
                    "{}/Cargo.toml: `{}` must not depend on `{used}`; ALLOWED in tests/xtask/tests/tidy/edges.rs says who may",
                    package.folder, package.name
                ));
            }
        }
    }
    complaints
}

fn may_use(package: &Package, used: &str, target_folder: &str) -> bool {
    let outside = ["infra/", "loadtests/", "tests/"].iter().any(|place| package.folder.starts_with(place));
    if outside {
        return true;
    }
    if package.folder.starts_with("functions/") {
        return target_folder.starts_with("shared/");
    }
    if LEAVES.contains(&package.name.as_str()) {
        return false;
    }
    let allowed =
        ALLOWED.iter().find(|(name, _)| *name == package.name).map_or(&[][..], |(_, allowed)| allowed);
    used == "telemetry" || allowed.contains(&used)
}

pub(crate) fn doors(packages: &Packages) -> Vec<String> {
    let mut complaints = Vec::new();
    for (dependency, owners) in DOORS {
        let users = packages.ours.iter().filter(|package| package.normal.contains(dependency));
        for user in users.filter(|user| !owners.contains(&user.name.as_str())) {
            complaints.push(format!(
                "{}/Cargo.toml: only {} may depend on `{dependency}`; go through it",
                user.folder,
                owners.join(", ")
            ));
        }
    }
    complaints
}

pub(crate) fn purity(packages: &Packages) -> Vec<String> {
    let order = packages.ours.iter().filter(|package| package.name == "order");
    let impure = order.flat_map(|order| order.normal.iter().filter(|used| !PURE.contains(&used.as_str())));
    impure
        .map(|used| format!("shared/order/Cargo.toml: `{used}` does not belong in the pure crate"))
        .collect()
}

pub(crate) fn banned(packages: &Packages) -> Vec<String> {
    let present = BANNED.iter().filter(|(name, _)| packages.locked.contains(*name));
    present
        .map(|(name, why)| {
            format!("Cargo.lock: `{name}` is built ({why}); `cargo tree --invert {name}` says by whom")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{banned, between_ours, doors, purity};
    use crate::tree::{Package, Packages};

    fn package(folder: &str, uses: &str) -> Package {
        let name = folder.rsplit('/').next().unwrap().to_owned();
        let normal = [uses.to_owned()].into();
        Package { name, folder: folder.to_owned(), normal, ..Package::default() }
    }

    /// A workspace in which the package in `folder` uses `used`, which lives in `shared/` unless it has a folder.
    fn workspace(folder: &str, used: &str) -> Packages {
        let target = if used.contains('/') {
            package(used, "serde")
        } else {
            package(&format!("shared/{used}"), "serde")
        };
        Packages { ours: vec![package(folder, &target.name), target], ..Packages::default() }
    }

    #[track_caller]
    fn edge(folder: &str, used: &str, allowed: bool) {
        let complaints = between_ours(&workspace(folder, used));
        assert_eq!(complaints.is_empty(), allowed, "{folder} → {used}: {complaints:?}");
    }

    #[test]
    fn edges_are_as_the_design_draws_them() {
        edge("shared/catalog", "order", true);
        edge("shared/catalog", "queue", false);
        edge("shared/order-store", "data-api", true);
        edge("shared/queue", "backoff", true);
        edge("shared/queue", "order", false);
        edge("shared/order", "backoff", false);
        edge("shared/order", "telemetry", false);
        edge("shared/queue", "telemetry", true);
        edge("functions/process-orders", "queue", true);
        edge("functions/process-orders", "functions/migrate-schema", false);
        edge("functions/process-orders", "tests/harness", false);
        edge("tests/harness", "order", true);
        edge("infra/local", "order-store", true);
    }

    #[test]
    fn a_second_door_is_found() {
        let planted =
            Packages { ours: vec![package("shared/catalog", "aws-sdk-rdsdata")], ..Packages::default() };
        assert!(doors(&planted)[0].contains("only data-api may depend on `aws-sdk-rdsdata`"));
        let allowed =
            Packages { ours: vec![package("shared/data-api", "aws-sdk-rdsdata")], ..Packages::default() };
        assert!(doors(&allowed).is_empty());
    }

    #[test]
    fn a_clock_or_a_socket_in_the_pure_crate_is_found() {
        let planted = Packages { ours: vec![package("shared/order", "tokio")], ..Packages::default() };
        assert!(purity(&planted)[0].contains("`tokio` does not belong"));
    }

    #[test]
    fn a_second_tls_stack_is_found() {
        let planted = Packages { locked: ["aws-lc-rs".to_owned()].into(), ..Packages::default() };
        assert!(banned(&planted)[0].contains("`aws-lc-rs` is built"));
    }
}
