//! The migrations, embedded: what `migrate-schema` runs, in order, each once.
//!
//! A migration is a file `migrations/NNNN_name.sql` whose statements are separated by the line
//! `-- next statement`, because the Data API takes one statement a call. Its checksum is over the bytes of the
//! file, so that a change to one that was already applied is noticed. The rules for writing one are in
//! `migrations/README.md`.

use std::fmt::Write;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// What the master user runs once, before the first migration: the two database users.
/// `{{migrator_password}}` and `{{app_password}}` stand for passwords of letters and digits.
pub const ROLES: &str = include_str!("../roles.sql");

/// Creates `schema_migrations(version, name, checksum, applied_at)` where it is missing.
pub const SCHEMA_MIGRATIONS: &str = include_str!("../migrations/schema_migrations.sql");

/// Separates the statements of a migration and of [`ROLES`]; a line of its own.
const SEPARATOR: &str = "\n-- next statement\n";

/// One step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// 1 for the first; no number is left out.
    pub version: i32,
    /// What it is about: the file's name without number and ending.
    pub name: &'static str,
    /// SHA-256 over the file, 64 hex digits.
    pub checksum: String,
    /// To be executed in this order, in one transaction.
    pub statements: Vec<&'static str>,
}

/// Every migration, in the order of its version.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    static MIGRATIONS: LazyLock<Vec<Migration>> = LazyLock::new(|| {
        vec![
            migration(1, "catalog", include_str!("../migrations/0001_catalog.sql")),
            migration(2, "orders", include_str!("../migrations/0002_orders.sql")),
            migration(3, "accept_orders", include_str!("../migrations/0003_accept_orders.sql")),
            migration(4, "settle_payments", include_str!("../migrations/0004_settle_payments.sql")),
            migration(5, "reconcile_orders", include_str!("../migrations/0005_reconcile_orders.sql")),
            migration(6, "refresh_catalog", include_str!("../migrations/0006_refresh_catalog.sql")),
            migration(7, "watch_backlog", include_str!("../migrations/0007_watch_backlog.sql")),
            migration(8, "traces", include_str!("../migrations/0008_traces.sql")),
        ]
    });
    &MIGRATIONS
}

/// The statements of an SQL text of this crate, one by one.
pub fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(SEPARATOR).map(str::trim)
}

fn migration(version: i32, name: &'static str, sql: &'static str) -> Migration {
    Migration { version, name, checksum: sha256_hex(sql), statements: statements(sql).collect() }
}

fn sha256_hex(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        // Writing to a String cannot fail.
        write!(hex, "{byte:02x}").unwrap_or_default();
    }
    hex
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{ROLES, SCHEMA_MIGRATIONS, migrations, sha256_hex, statements};

    /// The Data API's limit for the text of one statement.
    const STATEMENT_BYTES_MAX: usize = 65_536;

    fn every_statement() -> impl Iterator<Item = &'static str> {
        let of_migrations = migrations().iter().flat_map(|migration| migration.statements.iter().copied());
        of_migrations.chain(statements(ROLES)).chain([SCHEMA_MIGRATIONS])
    }

    #[test]
    fn versions_count_from_one_without_a_gap() {
        let versions: Vec<_> = migrations().iter().map(|migration| migration.version).collect();
        let expected: Vec<_> = (1..).take(versions.len()).collect();
        assert_eq!(versions, expected);
    }

    #[test]
    fn every_file_of_the_folder_is_embedded_under_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files: BTreeSet<_> = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
            .collect();
        let embedded: BTreeSet<_> = migrations()
            .iter()
            .map(|migration| format!("{:04}_{}.sql", migration.version, migration.name))
            .collect();
        assert_eq!(embedded, files);
    }

    #[test]
    fn the_functions_user_has_the_limits_of_the_settings() {
        let settings: serde_json::Value =
            serde_json::from_str(include_str!("../../../infra/settings.json")).unwrap();
        for limit in ["statement_timeout", "lock_timeout"] {
            let setting = &settings["database"][format!("{limit}_ms")];
            let seconds = setting["value"].as_u64().unwrap() / 1_000;
            let statement = format!("ALTER ROLE orderflow_app SET {limit} = '{seconds}s'");
            assert!(ROLES.contains(&statement), "roles.sql lacks: {statement}");
        }
    }

    #[test]
    fn a_checksum_is_sha_256_in_hex() {
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(migrations().iter().all(|migration| migration.checksum.len() == 64));
    }

    #[test]
    fn every_statement_fits_the_data_api_and_does_something() {
        for statement in every_statement() {
            assert!(statement.len() <= STATEMENT_BYTES_MAX, "too long: {statement:.60}");
            let code = statement.lines().any(|line| !line.is_empty() && !line.starts_with("--"));
            assert!(code, "a statement without code: {statement:.60}");
            assert!(
                !statement.ends_with(';'),
                "the separator ends a statement, a semicolon does not: {statement:.60}"
            );
        }
    }

    #[test]
    fn nothing_can_be_mistaken_for_a_parameter() {
        for statement in every_statement() {
            let mut after_colon = statement.split(':').skip(1);
            let named =
                after_colon.find(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
            assert_eq!(
                named, None,
                "the Data API would take this for a parameter: write CAST, and = to assign"
            );
        }
    }
}
