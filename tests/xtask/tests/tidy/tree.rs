//! What the rules look at: the text files of the checkout, and the packages of the workspace.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Folders that hold no source of ours, wherever they are.
const SKIPPED: [&str; 6] = ["target", "node_modules", "__pycache__", "cdk.out", ".git", ".orderflow"];

/// Endings of files that are text and ours.
const ENDINGS: [&str; 15] =
    ["rs", "toml", "sql", "md", "json", "py", "sh", "ts", "js", "mjs", "yml", "yaml", "txt", "run", "jsonl"];

/// Text files by path from the root, with `/` between the parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) paths: BTreeSet<String>,
}

impl Tree {
    /// The checkout as it is on the disk, committed or not.
    pub(crate) fn load() -> Self {
        let mut tree = Self::default();
        tree.add(xtask::workspace::root(), "");
        assert!(tree.files.len() > 20, "found only {} files", tree.files.len());
        tree
    }

    /// A tree of one file, for planting an offence.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        Self {
            files: BTreeMap::from([(path.to_owned(), text.to_owned())]),
            paths: BTreeSet::from([path.to_owned()]),
        }
    }

    /// The files with one of these endings.
    pub(crate) fn ending<'a>(&'a self, endings: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let chosen = move |path: &str| endings.contains(&ending(path));
        self.files
            .iter()
            .filter(move |(path, _)| chosen(path))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn add(&mut self, folder: &Path, prefix: &str) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.paths.insert(path.clone());
                self.add(&entry.path(), &format!("{path}/"));
            } else if kind.is_file() {
                if ENDINGS.contains(&ending(&path)) {
                    self.files
                        .insert(path.clone(), std::fs::read_to_string(entry.path()).unwrap_or_default());
                }
                self.paths.insert(path);
            }
        }
    }
}

/// What follows the last dot of the name; for a name without one, the name (`.ci/run` is `run`).
pub(crate) fn ending(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit('.').next().unwrap_or(name)
}

/// One package of the workspace, as far as the rules care.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Folder from the root.
    pub(crate) folder: String,
    pub(crate) binaries: Vec<String>,
    /// Dependencies by name, those for tests only excluded.
    pub(crate) normal: BTreeSet<String>,
    pub(crate) default_member: bool,
}

/// The workspace: its own packages, and the names of all packages in the lock file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packages {
    pub(crate) ours: Vec<Package>,
    pub(crate) locked: BTreeSet<String>,
}

/// What `cargo metadata` says of the workspace.
pub(crate) fn packages() -> Packages {
    let root = xtask::workspace::root();
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).expect("Cargo.lock is committed");
    // Without dependencies cargo needs no network and no crate of another platform.
    let metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec();
    let metadata = metadata.expect("`cargo metadata` says why it fails");
    Packages {
        ours: metadata.packages.iter().map(|package| ours(&metadata, package)).collect(),
        locked: locked(&lock),
    }
}

/// The names of all packages in a lock file.
fn locked(lock: &str) -> BTreeSet<String> {
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    names.map(str::to_owned).collect()
}

fn ours(metadata: &Metadata, package: &cargo_metadata::Package) -> Package {
    let folder = package.manifest_path.parent().unwrap().strip_prefix(&metadata.workspace_root).unwrap();
    let normal = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
    Package {
        name: package.name.to_string(),
        folder: folder.to_string(),
        binaries: package.targets.iter().filter(|t| t.is_bin()).map(|t| t.name.clone()).collect(),
        normal: normal.map(|dependency| dependency.name.clone()).collect(),
        default_member: metadata.workspace_default_members.contains(&package.id),
    }
}

#[cfg(test)]
mod tests {
    use super::{Tree, ending, packages};

    #[test]
    fn the_checkout_is_seen() {
        let tree = Tree::load();
        assert!(tree.files.contains_key("tests/xtask/tests/tidy/tree.rs"));
        assert!(tree.files.contains_key(".ci/run"));
        assert!(!tree.files.keys().any(|path| path.starts_with("target/")));
    }

    #[test]
    fn the_workspace_is_seen() {
        let packages = packages();
        let order = packages.ours.iter().find(|p| p.name == "order").unwrap();
        assert_eq!((order.folder.as_str(), order.default_member), ("shared/order", true));
        assert!(packages.locked.contains("serde"));
    }

    #[test]
    fn an_ending_is_what_follows_the_last_dot() {
        assert_eq!((ending("a/b.d/c.rs"), ending(".ci/run"), ending("LICENSE")), ("rs", "run", "LICENSE"));
    }
}
