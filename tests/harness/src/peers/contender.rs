//! Who is compared: how each is installed, and how the Lambda host runs it.

use crate::Error;
use crate::stack::Info;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::cli::{Peer, Profile};
use xtask::workspace::{cargo, private, program_of, root, run};
use xtask::{out, python};

/// What everybody is compared with; also its function's name.
pub(super) const OURS: &str = "process-orders";

/// Longer than the 10 s of process-orders, in favour of the others: their batches take longer.
const TIMEOUT_MS: u32 = 30_000;

/// What the Python peer is built on; the others are only needed by these.
const PYTHON_PACKAGES: [&str; 4] = ["aws-lambda-powertools", "awslambdaric", "boto3", "redis"];

/// A function that accepts orders.
#[derive(Debug)]
pub(super) struct Contender {
    /// Its name, which is also its function's.
    pub(super) name: &'static str,
    /// What it is built on.
    pub(super) versions: String,
    /// The database user: ours calls a function that runs with the owner's rights, the others write tables themselves.
    secret: &'static str,
    command: Vec<String>,
    environment: Value,
}

impl Contender {
    /// What the control API takes to host it: one instance at a time.
    pub(super) fn registration(&self, info: &Info) -> Value {
        let queue = |name: &str| info.queues.get(name).map(|queue| queue.url.clone());
        let mut environment = json!({
            "ORDERFLOW_CLUSTER_ARN": info.cluster_arn,
            "ORDERFLOW_DATABASE": info.database,
            "ORDERFLOW_ORDER_EVENTS_QUEUE_URL": queue("order-events"),
            "ORDERFLOW_ORDERS_QUEUE_URL": queue("orders"),
            "ORDERFLOW_PAYMENTS_QUEUE_URL": queue("payments"),
            "ORDERFLOW_QUARANTINE_QUEUE_URL": queue("quarantine"),
            "ORDERFLOW_REDIS_URL": info.redis_url,
            "ORDERFLOW_SECRET_ARN": info.secrets.get(self.secret),
            "ORDERFLOW_TIMEOUT_MS": TIMEOUT_MS.to_string(),
        });
        if let (Some(all), Value::Object(own)) = (environment.as_object_mut(), &self.environment) {
            all.extend(own.clone());
        }
        json!({
            "name": self.name, "command": self.command, "timeout_ms": TIMEOUT_MS, "environment": environment, "cap": 1,
        })
    }

    /// The file that holds what it prints.
    pub(super) fn log(&self, info: &Info) -> PathBuf {
        info.log_dir.join(format!("{}.log", self.name))
    }
}

/// Ours and the chosen others (all where none is chosen), ready to be hosted.
///
/// # Errors
/// A package that cannot be installed, Python or Node.js that is not there, a program that cannot be built.
pub(super) fn install(only: &[Peer], profile: Profile) -> Result<Vec<Contender>, Error> {
    let wanted = |peer| only.is_empty() || only.contains(&peer);
    let mut contenders = vec![rust(OURS, "app", "Rust; one call of accept_orders_v1 a batch", profile)?];
    if wanted(Peer::Python) {
        contenders.push(python()?);
    }
    if wanted(Peer::Typescript) {
        contenders.push(typescript()?);
    }
    if wanted(Peer::NaiveRust) {
        contenders.push(rust("naive-accept", "migrator", "Rust; the clients of process-orders", profile)?);
    }
    Ok(contenders)
}

/// Built by itself, as it is for a deployment, unless the programs of the stack are wanted, which are built already.
fn rust(
    name: &'static str,
    secret: &'static str,
    versions: &str,
    profile: Profile,
) -> Result<Contender, Error> {
    if profile == Profile::Release {
        out::note(&format!("Building {name} as it is deployed (minutes, the first time) …"));
        let build = ["build", "--quiet", "--locked", "--profile", profile.as_str(), "--package", name];
        run(&mut cargo(build)).map_err(Error::Task)?;
    }
    let path = program_of(profile.as_str(), name);
    let Ok(file) = std::fs::metadata(&path) else { return Err(Error::NotBuilt { path }) };
    // With symbols, a size would say nothing of a deployment.
    let size = match profile {
        Profile::Release => format!("; a program of {:.1} MB", crate::report::ratio(file.len(), 1_000_000)),
        Profile::Local => String::new(),
    };
    let command = vec![path.display().to_string()];
    Ok(Contender { name, versions: format!("{versions}{size}"), secret, command, environment: json!({}) })
}

fn python() -> Result<Contender, Error> {
    let folder = root().join("loadtests/peers/python");
    let requirements = folder.join("requirements.txt");
    let interpreter = python::environment("peers-python", &requirements).map_err(Error::Task)?;
    let text = std::fs::read_to_string(&requirements)
        .map_err(|source| Error::File { path: requirements.clone(), source })?;
    let pinned = text.lines().filter_map(|line| line.trim_end_matches(" \\").split_once("=="));
    let shown = pinned.filter(|(package, _)| PYTHON_PACKAGES.contains(package));
    let shown: Vec<String> = shown.map(|(package, version)| format!("{package} {version}")).collect();
    let interpreter = interpreter.display().to_string();
    let folder = folder.display().to_string();
    Ok(Contender {
        name: "accept-orders-python",
        versions: format!("{}, {}", version(&interpreter), shown.join(", ")),
        secret: "migrator",
        command: [&interpreter, "-m", "awslambdaric", "app.handler"].map(str::to_owned).to_vec(),
        environment: json!({ "LAMBDA_TASK_ROOT": folder, "PYTHONPATH": folder }),
    })
}

fn typescript() -> Result<Contender, Error> {
    let folder = root().join("loadtests/peers/typescript");
    install_packages(&folder)?;
    let built = private().join("peers-typescript");
    run(Command::new("npm").args(["run", "build", "--silent"]).current_dir(&folder)).map_err(Error::Task)?;
    let package = folder.join("package.json");
    let text =
        std::fs::read_to_string(&package).map_err(|source| Error::File { path: package.clone(), source })?;
    let manifest: Value = serde_json::from_str(&text)
        .map_err(|source| Error::Unreadable { what: package.display().to_string(), source })?;
    let entries =
        ["dependencies", "devDependencies"].map(|kind| manifest.get(kind).and_then(Value::as_object));
    let entries = entries.into_iter().flatten().flatten();
    let shown = entries.filter(|(name, _)| !name.starts_with("@types/") && *name != "typescript");
    let shown: Vec<String> =
        shown.map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default())).collect();
    let preloaded = folder.join("rapid-client.cjs").display().to_string();
    let handler = built.join("index.handler").display().to_string();
    let client = folder.join("node_modules/aws-lambda-ric/bin/index.mjs").display().to_string();
    Ok(Contender {
        name: "accept-orders-typescript",
        versions: format!("Node.js {}, {}", version("node"), shown.join(", ")),
        secret: "migrator",
        command: ["node", "--require", &preloaded, &client, &handler].map(str::to_owned).to_vec(),
        environment: json!({ "LAMBDA_TASK_ROOT": built.display().to_string() }),
    })
}

/// What the lock file names, unless that was done since it changed. No script of a package runs: none is needed.
fn install_packages(folder: &Path) -> Result<(), Error> {
    let changed = |file: &str| std::fs::metadata(folder.join(file)).and_then(|file| file.modified()).ok();
    let installed = changed("node_modules/.package-lock.json");
    if installed.is_some() && installed >= changed("package-lock.json") {
        return Ok(());
    }
    out::note("Installing the pinned npm packages of the TypeScript peer (about half a minute).");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(folder);
    run(&mut npm).map_err(Error::Task)
}

/// What a program says of its version, or nothing.
fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
impl Contender {
    /// One that nobody hosts.
    pub(super) fn named(name: &'static str) -> Self {
        let (versions, environment) = (String::new(), json!({}));
        Self { name, versions, secret: "app", command: Vec::new(), environment }
    }
}
