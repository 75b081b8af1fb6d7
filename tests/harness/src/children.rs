//! Programs that are not ours and run for one command: on loopback, and never longer than this process.

use crate::{Error, stack};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long one may take to end when asked to.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// An address for a server, chosen before it starts: others must know it beforehand.
#[derive(Debug, Clone)]
pub struct Address {
    /// Its endpoint.
    pub url: String,
    /// Its port on loopback.
    pub port: u16,
}

impl Address {
    /// A free port of this machine, and nobody else's.
    ///
    /// # Errors
    /// [`Error::File`] where the system has none.
    pub fn free() -> Result<Self, Error> {
        let failed = |source| Error::File { path: "127.0.0.1".into(), source };
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { url: format!("http://127.0.0.1:{port}"), port })
    }

    /// Without the scheme.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// A command that the kernel ends with this process, whatever ends this process.
pub fn guarded(program: &Path) -> Command {
    let mut command = Command::new(stack::programs().join("local-cloud"));
    command
        .args(["guard", "--parent", &std::process::id().to_string(), "--signal", "KILL", "--"])
        .arg(program)
        .kill_on_drop(true);
    command
}

/// Asks a child to end; kills it when it takes too long.
pub async fn end(child: &mut Child) {
    if let Some(pid) = child.id() {
        let asked = Command::new("kill").arg(pid.to_string()).status().await;
        if asked.is_ok_and(|status| status.success())
            && tokio::time::timeout(STOP_LIMIT, child.wait()).await.is_ok()
        {
            return;
        }
    }
    child.kill().await.ok();
}
