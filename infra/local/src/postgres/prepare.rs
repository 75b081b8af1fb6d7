//! What the master user does once in a new database: the database itself and the users of the product.

use sha2::{Digest as _, Sha256};
use tokio_postgres::{Client, Config, NoTls, config::Host};

use crate::error::Error;

/// The line between two statements, as in the migrations.
const SEPARATOR: &str = "-- next statement";

/// The advisory lock under which stacks that share a server take turns: roles belong to the whole server, and
/// PostgreSQL fails one of two that change the same role at once.
const LOCK: i64 = 0x6f66_726f_6c65;

/// Creates `database` unless it exists, and runs the statements of `roles_sql` in it, each `{{name}}` replaced
/// by the password of that name. Safe to run twice, and by several stacks at once.
///
/// # Errors
/// [`Error::Database`] naming the step, or [`Error::Role`] for a password that is not only letters and
/// digits, which could end a quoted text.
pub async fn prepare_database(
    admin: &Config,
    database: &str,
    roles_sql: &str,
    passwords: &[(&str, &str)],
) -> Result<(), Error> {
    let statements = statements(roles_sql, passwords)?;
    let locking = connect(admin).await?;
    let failed = |what| move |source| Error::Database { what, source };
    // Held until this session ends, also by an error.
    locking.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(failed("lock the roles"))?;
    let known = "SELECT 1 FROM pg_database WHERE datname = $1";
    if locking.query_opt(known, &[&database]).await.map_err(failed("look for the database"))?.is_none() {
        let create = format!("CREATE DATABASE \"{}\"", database.replace('"', "\"\""));
        locking.batch_execute(&create).await.map_err(failed("create the database"))?;
    }
    let inside = connect(admin.clone().dbname(database)).await?;
    for statement in &statements {
        inside.batch_execute(statement).await.map_err(failed("create the roles"))?;
    }
    Ok(())
}

/// A password for `role` that every stack on the same server derives alike from the admin's, so that one
/// stack never locks out another by setting its own.
#[must_use]
pub fn role_password(admin: &Config, role: &str) -> String {
    let mut digest = Sha256::new();
    for host in admin.get_hosts() {
        if let Host::Tcp(name) = host {
            digest.update(name);
        }
    }
    for part in [admin.get_password().unwrap_or_default(), role.as_bytes()] {
        digest.update([0]);
        digest.update(part);
    }
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn statements(roles_sql: &str, passwords: &[(&str, &str)]) -> Result<Vec<String>, Error> {
    let mut statements = vec![String::new()];
    for line in roles_sql.lines() {
        if line.trim() == SEPARATOR {
            statements.push(String::new());
        } else if let Some(statement) = statements.last_mut() {
            statement.push_str(line);
            statement.push('\n');
        }
    }
    for (name, password) in passwords {
        if password.is_empty() || !password.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(Error::Role { name: (*name).to_owned() });
        }
        for statement in &mut statements {
            *statement = statement.replace(&format!("{{{{{name}}}}}"), password);
        }
    }
    Ok(statements)
}

async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, connection) = config
        .connect(NoTls)
        .await
        .map_err(|source| Error::Database { what: "connect as the superuser", source })?;
    tokio::spawn(connection);
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_separated_and_passwords_set() {
        let sql = "CREATE ROLE a;\n  -- next statement\nALTER ROLE a PASSWORD '{{a_password}}'\n";
        let expected = ["CREATE ROLE a;\n", "ALTER ROLE a PASSWORD 'secret1'\n"];
        assert_eq!(statements(sql, &[("a_password", "secret1")]).unwrap(), expected);
    }

    #[test]
    fn a_password_that_could_end_a_quoted_text_is_refused() {
        for password in ["", "a'b", "a b", "ä"] {
            let error = statements("", &[("a_password", password)]).unwrap_err().to_string();
            assert!(
                error.contains("a_password") && (password.is_empty() || !error.contains(password)),
                "{error}"
            );
        }
    }

    #[test]
    fn a_role_password_is_the_same_for_every_stack_on_a_server_and_for_no_other() {
        let password = |url: &str, role| role_password(&url.parse().unwrap(), role);
        let one = password("postgres://admin:a@127.0.0.1:5432/one", "app");
        assert_eq!(one, password("postgres://admin:a@127.0.0.1:5432/two", "app"));
        assert_ne!(one, password("postgres://admin:a@127.0.0.1:5432/one", "migrator"));
        assert_ne!(one, password("postgres://admin:b@127.0.0.1:5432/one", "app"));
        assert!(one.len() == 32 && one.chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
