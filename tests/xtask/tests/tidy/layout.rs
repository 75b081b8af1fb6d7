//! Layout: one name for folder, package and binary; the workspace's lints everywhere; functions that read alike.

use crate::tree::{Packages, Tree};

/// Packages whose folder is named for its place, not for what it builds.
const RENAMED: [(&str, &str); 1] = [("infra/local", "local-cloud")];

/// Longest `main.rs` of a function: settings, clients, run.
const MAIN_LINES_MAX: usize = 40;

pub(crate) fn names(packages: &Packages) -> Vec<String> {
    let mut complaints = Vec::new();
    for package in &packages.ours {
        let last = package.folder.rsplit('/').next().unwrap_or_default();
        let renamed = RENAMED.iter().find(|(folder, _)| *folder == package.folder);
        let expected = renamed.map_or(last, |(_, name)| name);
        if package.name != expected {
            complaints
                .push(format!("{}/Cargo.toml: name the package `{expected}`, as its folder", package.folder));
        }
        let function = package.folder.starts_with("functions/");
        let shared = package.folder.starts_with("shared/");
        if function && package.binaries != [expected] {
            complaints
                .push(format!("{}/Cargo.toml: a function builds one binary, `{expected}`", package.folder));
        }
        if shared && !package.binaries.is_empty() {
            complaints
                .push(format!("{}: a shared crate builds no binary; remove src/main.rs", package.folder));
        }
        if !function && package.binaries.iter().any(|binary| binary != expected) {
            complaints.push(format!("{}/Cargo.toml: name its binary `{expected}`", package.folder));
        }
    }
    complaints
}

pub(crate) fn default_members(packages: &Packages) -> Vec<String> {
    let wanted = |folder: &str| folder.starts_with("functions/") || folder.starts_with("shared/");
    let wrong = packages.ours.iter().filter(|package| package.default_member != wanted(&package.folder));
    wrong
        .map(|package| {
            let word = if package.default_member { "remove" } else { "add" };
            format!(
                "Cargo.toml: {word} {} in `default-members`, which `cargo lambda build` packages",
                package.folder
            )
        })
        .collect()
}

pub(crate) fn lints(tree: &Tree) -> Vec<String> {
    let manifests = tree.ending(&["toml"]).filter(|(path, _)| path.ends_with("/Cargo.toml"));
    manifests
        .filter(|(_, text)| !text.contains("[lints]\nworkspace = true\n"))
        .map(|(path, _)| format!("{path}: add `[lints]` with `workspace = true`"))
        .collect()
}

pub(crate) fn functions(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    let mains = tree.ending(&["rs"]).filter(|(path, _)| path.starts_with("functions/"));
    for (path, text) in mains {
        let Some(folder) = path.strip_suffix("/src/main.rs") else { continue };
        let lines = text.lines().count();
        if lines > MAIN_LINES_MAX {
            complaints
                .push(format!("{path}: {lines} lines; move logic to lib.rs, {MAIN_LINES_MAX} lines at most"));
        }
        for file in ["README.md", "src/lib.rs", "src/settings.rs"] {
            if !tree.paths.contains(&format!("{folder}/{file}")) {
                complaints.push(format!("{folder}/{file}: missing; every function has one"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::{default_members, functions, lints, names};
    use crate::tree::{Package, Packages, Tree};

    fn package(folder: &str, name: &str, binaries: &[&str]) -> Packages {
        let binaries = binaries.iter().map(|binary| (*binary).to_owned()).collect();
        let package = Package { name: name.into(), folder: folder.into(), binaries, ..Package::default() };
        Packages { ours: vec![package], ..Packages::default() }
    }

    #[track_caller]
    fn check(complaints: &[String], expected: &str) {
        assert!(complaints.iter().any(|c| c.contains(expected)), "{complaints:?}");
    }

    #[test]
    fn a_name_that_differs_from_its_folder_is_found() {
        check(&names(&package("shared/order", "orders", &[])), "name the package `order`");
        check(&names(&package("functions/a", "a", &["b"])), "one binary, `a`");
        check(&names(&package("functions/a", "a", &[])), "one binary, `a`");
        check(&names(&package("shared/a", "a", &["a"])), "builds no binary");
        check(&names(&package("infra/local", "local", &[])), "name the package `local-cloud`");
        check(&names(&package("tests/harness", "harness", &["other"])), "name its binary `harness`");
        assert!(names(&package("infra/local", "local-cloud", &["local-cloud"])).is_empty());
    }

    #[test]
    fn a_wrong_default_member_is_found() {
        check(&default_members(&package("shared/order", "order", &[])), "add shared/order");
        let mut packages = package("tests/flow", "flow", &[]);
        packages.ours[0].default_member = true;
        check(&default_members(&packages), "remove tests/flow");
    }

    #[test]
    fn a_crate_without_the_lints_is_found() {
        check(
            &lints(&Tree::of("shared/a/Cargo.toml", "[package]\nname = \"a\"\n")),
            "shared/a/Cargo.toml: add",
        );
        assert!(lints(&Tree::of("shared/a/Cargo.toml", "[lints]\nworkspace = true\n")).is_empty());
    }

    #[test]
    fn a_function_without_a_readme_or_with_logic_in_main_is_found() {
        let tree = Tree::of("functions/a/src/main.rs", &"//! Long.\n".repeat(41));
        check(&functions(&tree), "functions/a/src/main.rs: 41 lines");
        check(&functions(&tree), "functions/a/README.md: missing");
        check(&functions(&tree), "functions/a/src/settings.rs: missing");
    }
}
