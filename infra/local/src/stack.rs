//! The whole stack: started in one go, ready in a few seconds, ended in order.
//!
//! PostgreSQL, Redis, the queues and the payment sandbox start at the same time; then the Data API, the functions' host and the
//! migrations, which run as a function, as the deploy runs them; then event sources and schedules. `stack.json` is
//! written when all of it works. The stack ends on Ctrl-C, SIGTERM, `POST /shutdown`, when the process named
//! as its parent is gone, or when its own PostgreSQL dies; SIGKILL takes its children with it (see
//! [`crate::children`]).

mod beside;
mod database;
mod folder;
mod functions;
mod info;
mod lifetime;
mod watch;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{net::TcpListener, sync::Notify};

pub use beside::Beside;
pub use info::StackInfo;

use crate::{
    children::Spawner,
    clock, control,
    data_api::{self, DataApi, DataApiOptions, Limits},
    error::Error,
    event_source::EventSource,
    lambda_host::{Host, function_url, invoke_api},
    metrics::Metrics,
    programs::{Origin, Places},
    redis::{Redis, RedisOptions},
    sandbox::{self, Latency, Limits as Quota, Sandbox, SandboxOptions},
    scheduler::Schedule,
    settings::Settings,
    sqs::Sqs,
};
use database::Database;
use folder::Folder;
use functions::{Known, Names};

/// The function that brings the schema up to date.
const MIGRATIONS: &str = "migrate-schema";
/// How long batches in flight may take when the stack ends; then their functions are killed.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// What to start.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// The stage of the settings.
    pub stage: String,
    /// The settings file.
    pub settings: PathBuf,
    /// The stack's own folder: logs, data, `stack.json`.
    pub state_dir: PathBuf,
    /// The checkout's folder for what is kept between runs.
    pub cache_dir: PathBuf,
    /// The first of eight ports, and one more for each function URL behind the first; 0 takes any.
    pub port_base: u16,
    /// Which PostgreSQL.
    pub postgres: PostgresFrom,
    /// Which Redis.
    pub redis_from: Origin,
    /// Where programs are looked for.
    pub places: Places,
    /// The folder of the functions' programs.
    pub bin_dir: PathBuf,
    /// Instead of the settings' round trip of the Data API.
    pub data_api_rtt: Option<Duration>,
    /// Instead of the settings' quota of the payment provider: calls per second to each endpoint.
    pub provider_rate_per_s: Option<u64>,
    /// Where `cargo lambda watch` will answer, if it hosts the functions that queues invoke.
    pub watch: Option<String>,
    /// The emulator that has the queues, the functions and the secrets instead of this stack.
    pub beside: Option<Beside>,
    /// The process whose end is the stack's end.
    pub parent_pid: Option<u32>,
    /// The executable that answers to `guard`.
    pub guard_exe: PathBuf,
}

impl StackOptions {
    /// The port at this place behind the first; 0 takes any.
    const fn port(&self, offset: u16) -> u16 {
        if self.port_base == 0 { 0 } else { self.port_base.saturating_add(offset) }
    }
}

/// Where PostgreSQL comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresFrom {
    /// A server of the stack's own.
    Own(Origin),
    /// A server that runs already, by a superuser's URL; the stack makes a database in it and drops it.
    Url(String),
}

/// The parts that the control API shows and changes.
#[derive(Debug)]
pub struct Parts {
    /// The queues.
    pub sqs: Sqs,
    /// The functions.
    pub host: Host,
    /// What `/metrics` says.
    pub metrics: Arc<Metrics>,
    /// The event sources by function.
    pub sources: BTreeMap<String, EventSource>,
    /// The schedules by function.
    pub schedules: BTreeMap<String, Schedule>,
    /// The Data API.
    pub data_api: DataApi,
    /// The payment sandbox.
    pub sandbox: Sandbox,
    /// The cache.
    pub redis: Redis,
    /// The most instances of a function that is registered at run time.
    pub function_instances: usize,
    /// Told to end the stack.
    pub shutdown: Notify,
}

/// Runs a stack until something ends it; `ready` hears of it when all of it works.
///
/// # Errors
/// What kept it from starting, or made it end by itself.
pub async fn run(options: StackOptions, ready: impl FnOnce(&StackInfo)) -> Result<(), Error> {
    let settings = Settings::read(&options.settings, &options.stage)?;
    let settings = match options.provider_rate_per_s {
        Some(rate_per_s) => settings.with_provider_rate(rate_per_s),
        None => settings,
    };
    let folder = Folder::claim(&options.state_dir)?;
    let parent = lifetime::parent_gone(options.parent_pid);
    tokio::pin!(parent);
    let started = tokio::select! {
        started = start(&options, &settings, &folder) => started?,
        reason = lifetime::asked_to_end() => return ended_while_starting(reason),
        () = &mut parent => return ended_while_starting("the parent is gone"),
    };
    let Started { info, parts, database } = started;
    folder.write_info(&info)?;
    ready(&info);
    let ended = tokio::select! {
        reason = lifetime::asked_to_end() => Ok(reason),
        () = &mut parent => Ok("the parent is gone"),
        () = parts.shutdown.notified() => Ok("asked by the control API"),
        error = database.crashed() => Err(error),
        error = watch::attach(&options, &settings, &info, &parts) => Err(error),
    };
    if let Ok(reason) = &ended {
        tracing::info!(reason, "the stack ends");
    }
    folder.remove_info();
    let stopped = stop(&parts, database).await;
    ended.and(stopped)
}

fn ended_while_starting(reason: &str) -> Result<(), Error> {
    tracing::info!(reason, "ended while starting");
    Ok(())
}

/// All that runs.
struct Started {
    info: StackInfo,
    parts: Arc<Parts>,
    database: Database,
}

async fn start(options: &StackOptions, settings: &Settings, folder: &Folder) -> Result<Started, Error> {
    let spawner = Spawner::new(&options.guard_exe)?;
    let port = |offset| options.port(offset);
    let redis_options = RedisOptions {
        origin: options.redis_from,
        places: options.places.clone(),
        log: folder.log("redis"),
        port: port(5),
    };
    let (database, redis, sqs, sandbox) = tokio::try_join!(
        Database::start(options, settings, &spawner, folder, port(4)),
        Redis::launch(&spawner, redis_options),
        Sqs::start(settings, port(1)),
        sandbox::start(sandbox_options(settings, port(6))),
    )?;
    let ready = Ready { spawner, redis, sqs, sandbox, database: &database };
    let served = serve(options, settings, folder, ready).await;
    match served {
        Ok((info, parts)) => Ok(Started { info, parts, database }),
        Err(error) => {
            // The first failure is the one to tell; a database that cannot be dropped either is logged.
            if let Err(error) = database.stop().await {
                tracing::warn!(%error, "the database could not be removed");
            }
            Err(error)
        }
    }
}

/// The servers that the rest is built on.
struct Ready<'a> {
    spawner: Spawner,
    redis: Redis,
    sqs: Sqs,
    sandbox: Sandbox,
    database: &'a Database,
}

fn sandbox_options(settings: &Settings, port: u16) -> SandboxOptions {
    let provider = &settings.provider;
    let hundredths = u32::try_from(settings.local.provider_sigma_percent).unwrap_or(u32::MAX);
    SandboxOptions {
        port,
        limits: Quota {
            rate_per_s: provider.rate_per_s,
            global_rate_per_s: provider.global_rate_per_s,
            burst: provider.burst,
        },
        latency: Latency {
            median_ms: clock::whole_ms(settings.local.provider_median),
            sigma: f64::from(hundredths) / 100.0,
        },
    }
}

/// Starts everything that speaks to the servers.
async fn serve(
    options: &StackOptions,
    settings: &Settings,
    folder: &Folder,
    ready: Ready<'_>,
) -> Result<(StackInfo, Arc<Parts>), Error> {
    let Ready { spawner, redis, sqs, sandbox, database } = ready;
    let port = |offset| options.port(offset);
    let names = Names::new(&settings.region, database.name(), options.beside.as_ref());
    let data_api = data_api::start(DataApiOptions {
        port: port(2),
        server: database.admin().clone(),
        cluster_arn: names.cluster_arn.clone(),
        secrets: database.secrets(&names),
        secrets_manager: options.beside.as_ref().map(Beside::secrets_manager),
        rtt: options.data_api_rtt.unwrap_or(settings.local.data_api_rtt),
        limits: Limits::default(),
    })
    .await?;
    let surroundings = functions::surroundings(settings, &sqs, &data_api);
    let metrics = Arc::new(Metrics::new(settings.functions.keys().map(String::as_str))?);
    let host = Host::new(surroundings, spawner, folder.logs(), Arc::clone(&metrics));
    let known = Known { settings, names: &names, sqs: &sqs, redis: &redis, sandbox: &sandbox };
    for spec in functions::specs(options, known)? {
        host.register(spec).await?;
    }
    let (lambda, lambda_url) = listen("the Invoke API", port(3)).await?;
    let (control, control_url) = listen("the control API", port(0)).await?;
    invoke_api::serve(lambda, host.clone());
    migrate(&host, folder).await?;
    let function_urls = serve_urls(settings, &host, port(7)).await?;
    let sources = functions::event_sources(options, settings, &sqs, &host)?;
    let schedules = functions::schedules(options, settings, &host);
    let info = StackInfo {
        stage: options.stage.clone(),
        pid: std::process::id(),
        control_url,
        sqs_url: sqs.url(),
        data_api_url: data_api.url(),
        lambda_url,
        sandbox_url: sandbox.url(),
        postgres_url: database.url(),
        redis_url: redis.url(),
        region: settings.region.clone(),
        account_id: crate::sqs::ACCOUNT_ID.to_owned(),
        queues: sqs.queues().clone(),
        secrets: names.secrets(),
        cluster_arn: names.cluster_arn,
        database: database.name().to_owned(),
        log_dir: folder.logs(),
        functions: host.names(),
        function_urls,
    };
    let function_instances = usize::try_from(settings.local.function_instances).unwrap_or(usize::MAX);
    let shutdown = Notify::new();
    let parts = Arc::new(Parts {
        sqs,
        host,
        metrics,
        sources,
        schedules,
        data_api,
        sandbox,
        redis,
        function_instances,
        shutdown,
    });
    control::serve(control, Arc::clone(&parts));
    Ok((info, parts))
}

async fn listen(what: &'static str, port: u16) -> Result<(TcpListener, String), Error> {
    let failed = |source| Error::Listen { what, port, source };
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    Ok((listener, url))
}

/// Gives every function an HTTP address that the settings give one, from `first_port` on; 0 takes any.
async fn serve_urls(
    settings: &Settings,
    host: &Host,
    first_port: u16,
) -> Result<BTreeMap<String, String>, Error> {
    let mut urls = BTreeMap::new();
    let with_url = settings.functions.iter().filter(|(_, function)| function.has_url);
    for ((name, _), nth) in with_url.zip(0..) {
        let port = if first_port == 0 { 0 } else { first_port.saturating_add(nth) };
        let (listener, url) = listen("a function URL", port).await?;
        function_url::serve(listener, host.clone(), name);
        urls.insert(name.clone(), url);
    }
    Ok(urls)
}

/// Runs the migrations before any event source polls: new code never meets an old schema.
async fn migrate(host: &Host, folder: &Folder) -> Result<(), Error> {
    let failed = |reason: String| Error::Migrations { reason, log: folder.log(MIGRATIONS) };
    if !host.names().iter().any(|name| name == MIGRATIONS) {
        return Ok(());
    }
    match host.invoke(MIGRATIONS, Bytes::from_static(b"{}")).await {
        Ok(answer) => match answer.failure {
            None => Ok(()),
            Some(failure) => Err(failed(format!("{failure:?}"))),
        },
        Err(refusal) => Err(failed(format!("{refusal:?}"))),
    }
}

/// Ends the stack: first what takes work, then what does it, then what it stands on.
async fn stop(parts: &Parts, database: Database) -> Result<(), Error> {
    parts.schedules.values().for_each(Schedule::stop);
    let drained = futures_util::future::join_all(parts.sources.values().map(EventSource::stop));
    if tokio::time::timeout(DRAIN_LIMIT, drained).await.is_err() {
        tracing::info!("batches are still in flight; their functions are killed");
    }
    parts.host.stop().await;
    parts.sqs.stop().await;
    parts.redis.stop().await?;
    database.stop().await
}
