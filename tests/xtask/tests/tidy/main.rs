//! The tidy test: what the repository promises about its own shape, checked on the files and on `cargo metadata`.
//!
//! Every rule is a function from a [`Tree`] or from the packages to complaints; each complaint names the file and
//! what to edit. Beside each rule stands a test that plants an offence and sees the complaint: no rule is decoration.

// `cfg(test)` is always set here; it tells clippy that a panic in these modules is a test's failure.
#[cfg(test)]
mod commands;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod size;
#[cfg(test)]
mod text;
#[cfg(test)]
mod tree;

use tree::{Tree, packages};

/// Fails with every complaint at once, so that one run tells all.
#[track_caller]
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n\n{}\n", complaints.join("\n"));
}

#[test]
fn folders_packages_and_binaries_have_one_name() {
    none(&layout::names(&packages()));
}

#[test]
fn only_functions_and_shared_crates_are_default_members() {
    none(&layout::default_members(&packages()));
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    none(&layout::lints(&Tree::load()));
}

#[test]
fn every_function_has_a_readme_and_a_thin_main() {
    none(&layout::functions(&Tree::load()));
}

#[test]
fn crates_depend_on_each_other_only_along_the_allowed_edges() {
    none(&edges::between_ours(&packages()));
}

#[test]
fn manifests_deploy_what_the_settings_say() {
    none(&deploy::numbers(&Tree::load()));
}

#[test]
fn each_outside_system_has_one_door() {
    none(&edges::doors(&packages()));
}

#[test]
fn the_pure_crate_stays_pure() {
    none(&edges::purity(&packages()));
}

#[test]
fn one_tls_stack_is_built() {
    none(&edges::banned(&packages()));
}

#[test]
fn files_and_functions_fit_the_limits() {
    none(&size::files(&Tree::load()));
    none(&size::functions(&Tree::load()));
}

#[test]
fn every_source_file_opens_with_a_comment() {
    none(&text::openings(&Tree::load()));
}

#[test]
fn nothing_is_left_unfinished_or_names_a_machine() {
    none(&text::words(&Tree::load()));
}

#[test]
fn only_settings_read_the_environment() {
    none(&text::environment(&Tree::load()));
}

#[test]
fn every_quoted_command_exists() {
    none(&commands::quoted(&Tree::load()));
}
