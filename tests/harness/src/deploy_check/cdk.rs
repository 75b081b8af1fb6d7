//! Deploying with the tool that deploys to AWS: `cdk` from `infra/cdk`, pointed at the emulator.

use super::adapted::adapt;
use super::emulator::{ACCOUNT_ID, environment, never};
use crate::Error;
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use xtask::workspace;

/// Longest time for one step; synthesis takes the longest, half a minute on a busy machine.
const STEP_LIMIT: Duration = Duration::from_secs(300);

/// Where `cdk bootstrap` lets assets be published to.
const ASSETS: &str = "cdk-hnb659fds-assets";

/// The stage that is deployed: the one that differs least from prod and may be deleted at will.
pub(super) const STAGE: &str = "dev";

/// The command line tool, one emulator, one folder.
#[derive(Debug)]
pub(super) struct Cdk {
    /// The emulator's endpoint.
    pub(super) url: String,
    /// The region of the settings.
    pub(super) region: String,
    /// The folder for what is synthesized, and for the log.
    pub(super) state: PathBuf,
    /// The functions, one folder each.
    pub(super) functions: PathBuf,
}

impl Cdk {
    /// Synthesizes both stacks from these settings, and adapts their templates. Returns the unchanged templates.
    pub(super) async fn synthesize(&self, settings: &Path) -> Result<Vec<PathBuf>, Error> {
        let context = json!({
            "stage": STAGE,
            "architecture": "x86_64",
            "functions": self.functions,
            "settings": settings,
        });
        let output = self.output();
        if output.exists() {
            std::fs::remove_dir_all(&output)
                .map_err(|source| Error::File { path: output.clone(), source })?;
        }
        let mut command = Command::new("node");
        command.args(["--import", "tsx", "bin/app.ts"]);
        let variables =
            [("CDK_OUTDIR", output.display().to_string()), ("CDK_CONTEXT_JSON", context.to_string())];
        self.run(command, "synth", &variables).await?;
        ["stateful", "processing"].into_iter().map(|stack| self.keep_and_adapt(stack)).collect()
    }

    /// Keeps a copy of a template, and adapts it where the tool finds it.
    fn keep_and_adapt(&self, stack: &str) -> Result<PathBuf, Error> {
        let path = self.output().join(format!("{}.template.json", name(stack)));
        let unchanged = self.state.join(format!("{stack}.json"));
        let failed = |source| Error::File { path: path.clone(), source };
        std::fs::copy(&path, &unchanged).map_err(failed)?;
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        let mut template: Value = serde_json::from_str(&text)
            .map_err(|source| Error::Unreadable { what: path.display().to_string(), source })?;
        adapt(&mut template);
        std::fs::write(&path, template.to_string()).map_err(failed)?;
        Ok(unchanged)
    }

    /// Prepares the account: a bucket for assets, and the roles that deploy.
    pub(super) async fn bootstrap(&self) -> Result<String, Error> {
        let mut command = self.tool();
        command.args(["bootstrap", &format!("aws://{ACCOUNT_ID}/{}", self.region)]);
        self.run(command, "bootstrap", &[]).await?;
        Ok(format!("{ASSETS}-{ACCOUNT_ID}-{}", self.region))
    }

    /// Creates or updates one stack.
    pub(super) async fn deploy(&self, stack: &str) -> Result<(), Error> {
        let mut command = self.tool();
        command.args(["deploy", "--exclusively", "--require-approval", "never"]).arg(name(stack));
        self.run(command, "deploy", &[]).await
    }

    /// Deletes both stacks.
    pub(super) async fn destroy(&self) -> Result<(), Error> {
        let mut command = self.tool();
        command.args(["destroy", "--all", "--force"]);
        self.run(command, "destroy", &[]).await
    }

    fn output(&self) -> PathBuf {
        self.state.join("cdk.out")
    }

    fn tool(&self) -> Command {
        let mut command = Command::new(workspace::root().join("infra/cdk/node_modules/.bin/cdk"));
        command.args(["--no-notices", "--ci", "--app"]).arg(self.output());
        command
    }

    /// Runs one step; what it prints is kept in `cdk.log`.
    async fn run(
        &self,
        mut command: Command,
        step: &'static str,
        more: &[(&str, String)],
    ) -> Result<(), Error> {
        let log = self.state.join("cdk.log");
        let failed = |source| Error::File { path: log.clone(), source };
        let output = File::options().create(true).append(true).open(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        command.env_clear().envs(environment(&std::env::temp_dir())).envs(more.iter().cloned());
        command.envs([("AWS_ENDPOINT_URL", &self.url), ("AWS_REGION", &self.region)]);
        command.envs([("CDK_DISABLE_CLI_TELEMETRY", "true"), ("NODE_NO_WARNINGS", "1")]);
        command.current_dir(workspace::root().join("infra/cdk"));
        command.stdin(Stdio::null()).stdout(output).stderr(errors).kill_on_drop(true);
        let missing = |source| Error::File { path: "node".into(), source };
        let mut child = command.spawn().map_err(missing)?;
        let ended = tokio::time::timeout(STEP_LIMIT, child.wait()).await;
        let status =
            ended.map_err(|_late| never(&format!("the end of cdk {step}"), STEP_LIMIT))?.map_err(failed)?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Tool { tool: "cdk", last_words: last_words(&log) })
    }
}

/// The stack's name at AWS.
pub(super) fn name(stack: &str) -> String {
    format!("orderflow-{STAGE}-{stack}")
}

/// The last lines with words in the log.
fn last_words(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(12);
    lines.get(from..).unwrap_or_default().join("\n  ")
}
