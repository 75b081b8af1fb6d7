//! The life of an instance: spawned, coming up, serving, gone.

use std::{
    os::unix::process::ExitStatusExt as _,
    pin::Pin,
    process::ExitStatus,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use rustix::process::Signal;
use tokio::{net::TcpListener, process::Child};

use super::{
    environment,
    function::{Function, error_json},
    instance::Instance,
    logs::Tail,
    runtime_api,
};
use crate::{
    children::{ChildSpec, Output},
    clock,
    error::Error,
};

/// How long Lambda lets an instance take before it asks for its first event.
pub(super) const INIT_LIMIT: Duration = Duration::from_secs(10);

/// Starts the instance that the pool reserved, if it reserved one.
pub(super) fn start(function: &Arc<Function>, id: Option<u64>) {
    if let Some(id) = id {
        tokio::spawn(live(Arc::clone(function), id));
    }
}

/// From spawning until gone; boxed, because an instance that dies may start the next.
fn live(function: Arc<Function>, id: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let delay = function.faults().cold_start_delay;
        if !delay.is_zero() {
            clock::sleep(delay).await;
        }
        let failure = match spawn(&function, id).await {
            Ok(spawned) if function.is_stopping() => end(spawned).await,
            Ok(spawned) => serve(&function, spawned).await,
            Err(error) => Some(error_json("Runtime.InvalidEntrypoint", &error.to_string())),
        };
        let next = function.forget(id, failure);
        start(&function, next);
    })
}

/// A process that was started and the socket where its Runtime API will be.
struct Spawned {
    instance: Arc<Instance>,
    child: Child,
    listener: TcpListener,
}

async fn spawn(function: &Function, id: u64) -> Result<Spawned, Error> {
    let listen_failed = |source| Error::Listen { what: "the Runtime API of a function", port: 0, source };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(listen_failed)?;
    let address = listener.local_addr().map_err(listen_failed)?.to_string();
    let spec = &function.spec;
    let log_stream = format!("{}-{id}", spec.name);
    let mut child_spec = ChildSpec::new(&spec.command).args(&spec.args);
    child_spec.env = environment::of_instance(&function.surroundings, spec, &address, &log_stream);
    child_spec.output = Output::Piped;
    let mut child = function.spawner.spawn(child_spec).await?;
    let tail = Tail::default();
    if let Some(stdout) = child.stdout.take() {
        function.log.follow(stdout, tail.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        function.log.follow(stderr, tail.clone());
    }
    let pid = child.id().unwrap_or_default();
    Ok(Spawned { instance: Arc::new(Instance::new(id, pid, tail)), child, listener })
}

/// Serves the instance until its process is gone; answers, as JSON, why it never came up, if so.
async fn serve(function: &Arc<Function>, spawned: Spawned) -> Option<Bytes> {
    let Spawned { instance, mut child, listener } = spawned;
    let spawned_at = clock::now();
    function.started(&instance);
    let endpoint =
        tokio::spawn(runtime_api::serve(listener, Arc::downgrade(function), Arc::clone(&instance)));
    let init = tokio::select! {
        () = instance.came_up() => Ok(()),
        status = child.wait() => Err(describe(status)),
        () = clock::sleep(INIT_LIMIT) => Err(format!("no request for an event within {} s", INIT_LIMIT.as_secs())),
    };
    let failure = match init {
        Ok(()) => {
            function.came_up(spawned_at.elapsed());
            let how = describe(child.wait().await);
            instance.set_ended();
            if instance.exited(&how) {
                function.crashed();
            }
            None
        }
        Err(how) => {
            // Still running only when it was too slow.
            drop(child.start_kill());
            drop(child.wait().await);
            instance.set_ended();
            function.crashed();
            let message = format!("Error: Runtime failed to start: {how}");
            Some(instance.init_error().unwrap_or_else(|| error_json("Runtime.ExitError", &message)))
        }
    };
    endpoint.abort();
    failure
}

/// The host stopped while the process was being spawned.
async fn end(mut spawned: Spawned) -> Option<Bytes> {
    drop(spawned.child.start_kill());
    drop(spawned.child.wait().await);
    None
}

/// Ends instances that have been idle for longer than `idle_limit`, until the function is gone.
pub(super) async fn reap(function: Weak<Function>, idle_limit: Duration) {
    loop {
        clock::sleep(idle_limit / 2).await;
        let Some(function) = function.upgrade() else { return };
        let Some(since) = clock::now().checked_sub(idle_limit) else { continue };
        for instance in function.retire_idle(since) {
            instance.signal(Signal::KILL);
        }
    }
}

/// As Lambda words it.
fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status.map(|status| (status.code(), status.signal())) {
        Ok((Some(code), _)) => format!("exit status {code}"),
        Ok((None, Some(9))) => "signal: killed".to_owned(),
        Ok((None, signal)) => format!("signal: {}", signal.unwrap_or_default()),
        Err(error) => format!("unknown status: {error}"),
    }
}
