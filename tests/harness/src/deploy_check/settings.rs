//! The settings that are deployed: those of `infra/settings.json`, but for where the provider is, and for times that
//! nobody would wait for.

use super::cdk::STAGE;
use crate::Error;
use crate::stack::Info;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use xtask::workspace;

/// The event source whose batch size the update changes.
pub(super) const UPDATED: &str = "process-orders";

/// The settings as a file for the CDK app.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// All of them.
    pub(super) json: Value,
    /// Where they are written.
    pub(super) file: PathBuf,
}

impl Settings {
    /// Those of the checkout, pointed at this machine's provider.
    pub(super) fn read(info: &Info, state: &Path) -> Result<Self, Error> {
        let mut json = checkout()?;
        point_here(&mut json, &info.sandbox_url);
        let settings = Self { json, file: state.join("settings.json") };
        settings.write()?;
        Ok(settings)
    }

    /// Halves the batches of one event source, as an operator would before a deploy; returns the new size.
    pub(super) fn halve_batches(&mut self) -> Result<u64, Error> {
        let size = self.number(&["functions", UPDATED, "event_source", "batch_size"]) / 2;
        set(&mut self.json, &["functions", UPDATED, "event_source", "batch_size"], size.into());
        self.write()?;
        Ok(size)
    }

    /// The number that holds for the deployed stage; zero where there is none.
    pub(super) fn number(&self, path: &[&str]) -> u64 {
        number(self.at(path))
    }

    /// What stands at a path.
    pub(super) fn at(&self, path: &[&str]) -> &Value {
        path.iter().fold(&self.json, |value, name| &value[*name])
    }

    /// The names below a path.
    pub(super) fn names(&self, path: &[&str]) -> Vec<&str> {
        self.at(path).as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    fn write(&self) -> Result<(), Error> {
        std::fs::write(&self.file, self.json.to_string())
            .map_err(|source| Error::File { path: self.file.clone(), source })
    }
}

/// `infra/settings.json` as it is.
pub(super) fn checkout() -> Result<Value, Error> {
    let path = workspace::root().join("infra/settings.json");
    let text = std::fs::read_to_string(&path).map_err(|source| Error::File { path: path.clone(), source })?;
    serde_json::from_str(&text)
        .map_err(|source| Error::Unreadable { what: path.display().to_string(), source })
}

fn number(setting: &Value) -> u64 {
    setting.get(STAGE).unwrap_or(&setting["value"]).as_u64().unwrap_or_default()
}

/// Everything in which the deployed settings differ from those of the stage.
fn point_here(json: &mut Value, provider_url: &str) {
    json["provider"]["url"] = provider_url.into();
    // As local: the sandbox completes nothing late, and nobody waits half an hour for a run.
    let local = |json: &Value, name: &str| json["reconcile"][name]["local"].clone();
    for name in ["unknown_quarantine_s", "compare_lag_s"] {
        let value = local(json, name);
        set(json, &["reconcile", name], value);
    }
    // As prod, and as fast as a schedule can be.
    set(json, &["functions", "reconcile-orders", "schedule", "every_s"], json!(60));
}

/// Replaces the value that holds for the stage.
fn set(json: &mut Value, path: &[&str], value: Value) {
    let setting = path.iter().fold(json, |json, name| &mut json[*name]);
    setting[STAGE] = value;
}

#[cfg(test)]
mod tests {
    use super::{Settings, point_here};
    use serde_json::Value;

    fn settings() -> Settings {
        let mut json: Value = serde_json::from_str(include_str!("../../../../infra/settings.json")).unwrap();
        point_here(&mut json, "http://127.0.0.1:4242");
        let name = format!("orderflow-deploy-settings-{}.json", std::process::id());
        Settings { json, file: std::env::temp_dir().join(name) }
    }

    #[test]
    fn what_is_deployed_names_this_machine() {
        let settings = settings();
        assert_eq!(settings.at(&["provider", "url"]), "http://127.0.0.1:4242");
        assert_eq!(settings.number(&["functions", "reconcile-orders", "schedule", "every_s"]), 60);
        assert_eq!(settings.number(&["reconcile", "unknown_quarantine_s"]), 30);
        assert_eq!(
            settings.number(&["functions", "settle-payments", "event_source", "maximum_concurrency"]),
            3
        );
    }

    #[test]
    fn an_update_halves_the_batches() {
        let mut settings = settings();
        assert_eq!(settings.halve_batches().unwrap(), 5);
        let written: Value = serde_json::from_slice(&std::fs::read(&settings.file).unwrap()).unwrap();
        assert_eq!(written["functions"]["process-orders"]["event_source"]["batch_size"]["dev"], 5);
        std::fs::remove_file(&settings.file).unwrap();
    }
}
