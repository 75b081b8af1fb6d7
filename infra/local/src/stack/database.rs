//! The stack's database: in a server of its own, or in one that others share.

use std::collections::BTreeMap;

use tokio_postgres::{Config, NoTls};

use super::{PostgresFrom, StackOptions, folder::Folder, functions::Names};
use crate::{
    children::Spawner,
    data_api::Credentials,
    error::Error,
    postgres::{Durability, Postgres, PostgresOptions, prepare_database, role_password},
    settings::Settings,
};

/// The users of the product and how their passwords are named in the roles file.
const ROLES: [(&str, &str); 2] =
    [("orderflow_app", "app_password"), ("orderflow_migrator", "migrator_password")];
/// What the master user runs once, here as on AWS.
const ROLES_SQL: &str = include_str!("../../../../shared/order-store/roles.sql");

/// A database with its users, without tables.
#[derive(Debug)]
pub(super) struct Database {
    /// None when the server is somebody else's.
    server: Option<Postgres>,
    admin: Config,
    url: String,
    name: String,
}

impl Database {
    pub(super) async fn start(
        options: &StackOptions,
        settings: &Settings,
        spawner: &Spawner,
        folder: &Folder,
        port: u16,
    ) -> Result<Self, Error> {
        let database = match &options.postgres {
            PostgresFrom::Url(url) => Self::shared(url, settings)?,
            PostgresFrom::Own(origin) => {
                // Stage `test` is for many short stacks; every measured figure needs durable commits.
                let durability = if options.stage == "test" { Durability::Fast } else { Durability::Durable };
                let server = Postgres::start(
                    spawner,
                    PostgresOptions {
                        origin: *origin,
                        places: options.places.clone(),
                        state_dir: folder.path().to_owned(),
                        cache_dir: options.cache_dir.clone(),
                        log: folder.log("postgres"),
                        port,
                        durability,
                    },
                );
                let server = server.await?;
                let name = settings.database.name.clone();
                Self { admin: server.admin(), url: server.url(&name), server: Some(server), name }
            }
        };
        if options.beside.is_some() {
            // The users come with what is deployed there.
            prepare_database(&database.admin, &database.name, "", &[]).await?;
            return Ok(database);
        }
        let passwords = ROLES.map(|(role, name)| (name, role_password(&database.admin, role)));
        let passwords = passwords.each_ref().map(|(name, password)| (*name, password.as_str()));
        prepare_database(&database.admin, &database.name, ROLES_SQL, &passwords).await?;
        Ok(database)
    }

    /// A database of our own in a server that runs already.
    fn shared(url: &str, settings: &Settings) -> Result<Self, Error> {
        let expected = "a superuser's URL, postgres://user:password@host:port/database";
        let wrong = || Error::Url { option: "--postgres-url", expected };
        let admin: Config = url.parse().map_err(|_may_repeat_the_password: tokio_postgres::Error| wrong())?;
        let name = format!("{}_{}", settings.database.name, uuid::Uuid::new_v4().simple());
        let url = with_database(url, &name).ok_or_else(wrong)?;
        Ok(Self { server: None, admin, url, name })
    }

    /// How the superuser connects.
    pub(super) fn admin(&self) -> &Config {
        &self.admin
    }

    /// As the superuser, in this database.
    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The secrets that the Data API takes, by ARN.
    pub(super) fn secrets(&self, names: &Names) -> BTreeMap<String, Credentials> {
        let credentials =
            |role: &str| Credentials { user: role.to_owned(), password: role_password(&self.admin, role) };
        let [(app, _), (migrator, _)] = ROLES;
        [
            (names.app_secret_arn.clone(), credentials(app)),
            (names.migrator_secret_arn.clone(), credentials(migrator)),
        ]
        .into()
    }

    /// Waits until the stack's own server has died; for ever when the server is somebody else's.
    pub(super) async fn crashed(&self) -> Error {
        match &self.server {
            Some(server) => server.crashed().await,
            None => std::future::pending().await,
        }
    }

    /// Ends the server, or leaves it as it was found.
    pub(super) async fn stop(self) -> Result<(), Error> {
        match self.server {
            Some(server) => server.stop().await,
            None => drop_database(&self.admin, &self.name).await,
        }
    }
}

async fn drop_database(admin: &Config, name: &str) -> Result<(), Error> {
    let failed = |source| Error::Database { what: "drop the stack's database", source };
    let (client, connection) = admin.connect(NoTls).await.map_err(failed)?;
    tokio::spawn(connection);
    // The name is made of letters, digits and underscores; FORCE ends sessions of tools that still look at it.
    client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await.map_err(failed)
}

/// The URL with another database; none when it has no scheme and host.
fn with_database(url: &str, database: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (address, parameters) = rest.split_once('?').map_or((rest, None), |(a, p)| (a, Some(p)));
    let server = address.split('/').next().filter(|server| !server.is_empty())?;
    let parameters = parameters.map(|parameters| format!("?{parameters}")).unwrap_or_default();
    Some(format!("{scheme}://{server}/{database}{parameters}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(with_database(url, "mine").as_deref(), expected);
    }

    #[test]
    fn a_url_is_pointed_at_another_database() {
        check("postgres://p:s@127.0.0.1:5432/postgres", Some("postgres://p:s@127.0.0.1:5432/mine"));
        check("postgres://p:s@127.0.0.1:5432", Some("postgres://p:s@127.0.0.1:5432/mine"));
        check("postgres://p@h/x?sslmode=disable", Some("postgres://p@h/mine?sslmode=disable"));
        check("host=localhost user=postgres", None);
        check("postgres:///x", None);
    }
}
