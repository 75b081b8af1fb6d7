//! `doctor`: looks at the machine and at `infra/settings.json`, and says of each trouble what to do about it.
//!
//! It changes nothing, needs nothing built, and takes about a second. AWS's rules hold to the letter for the stages
//! `dev` and `prod`; what `local` and `test` keep is said beside each [rule](rules).

use crate::workspace::root;
use crate::{Error, cli, out};
use serde_json::{Value, json};

pub mod finding;
pub mod machine;
pub mod rules;
pub mod stage;

use finding::{Finding, Level, merged};
use rules::{RULES, environment, file};
use stage::{STAGES, Stage};

/// The file that every number comes from.
const SETTINGS: &str = "infra/settings.json";

/// Prints every finding; an error among them makes the command fail.
pub fn run(options: &cli::Doctor) -> Result<(), Error> {
    let seen = machine::look();
    let mut findings = machine::judge(&seen);
    findings.extend(settings(&read_file()?, &read_environments()?));
    findings.sort_by_key(|finding| finding.level);
    let sick = findings.iter().any(|finding| finding.level == Level::Error);
    if options.json {
        out::line(&report(&findings, &machine::summary(&seen), !sick).to_string());
    } else {
        out::line(&format!("machine: {}", machine::summary(&seen)));
        out::line(&format!("settings: {} rules, for the stages {}", RULES.len() + 3, STAGES.join(", ")));
        findings.iter().for_each(|finding| out::line(&finding.to_string()));
        out::line(&verdict(&findings));
    }
    if sick { Err(Error::Reported) } else { Ok(()) }
}

/// Everything that is wrong with the settings, in any stage.
pub fn settings(file: &Value, read: &environment::Read) -> Vec<Finding> {
    let mut findings = file::numbers_have_reasons(file);
    let stages = STAGES.into_iter().map(|name| {
        let found = match Stage::read(file, name) {
            Ok(stage) => judge(&stage, file, read),
            Err(unreadable) => unreadable,
        };
        (name, found)
    });
    findings.extend(merged(stages));
    findings
}

fn judge(stage: &Stage, file: &Value, read: &environment::Read) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(stage)).collect();
    findings.extend(environment::agrees(stage, read));
    findings.extend(environment::references(stage, file));
    findings
}

fn verdict(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    match (count(Level::Error), count(Level::Warning)) {
        (0, 0) => "all is well".to_owned(),
        (0, warnings) => format!("all is well; {warnings} optional: see the warnings"),
        (errors, warnings) => format!("{errors} to mend, {warnings} optional"),
    }
}

fn report(findings: &[Finding], machine: &str, well: bool) -> Value {
    let findings: Vec<Value> = findings.iter().map(Finding::to_json).collect();
    json!({ "well": well, "machine": machine, "findings": findings })
}

fn read_file() -> Result<Value, Error> {
    let path = root().join(SETTINGS);
    let text = std::fs::read(&path).map_err(|source| Error::File { path: path.clone(), source })?;
    serde_json::from_slice(&text).map_err(|source| Error::NotJson { path, source })
}

/// The variables that each function reads, from the sources.
fn read_environments() -> Result<environment::Read, Error> {
    let folder = root().join("functions");
    let unreadable = |source| Error::File { path: folder.clone(), source };
    let mut read = environment::Read::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let function = entry.map_err(unreadable)?.path();
        let path = function.join("src/settings.rs");
        let name = function.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.exists() {
            let source = std::fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
            read.insert(name, environment::names_in(&source));
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::finding::{Finding, Level};
    use super::{read_environments, read_file, report, settings, verdict};
    use serde_json::json;

    #[test]
    fn our_settings_are_well_and_agree_with_every_function() {
        let findings = settings(&read_file().unwrap(), &read_environments().unwrap());
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    }

    #[test]
    fn a_mistake_is_said_once_with_all_its_stages() {
        let mut file = read_file().unwrap();
        file["queues"]["payments"]["visibility_timeout_s"]["value"] = json!(100);
        let findings = settings(&file, &read_environments().unwrap());
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "error: queues.payments.visibility_timeout_s (dev, prod): 100 s is too short: set at least 180, \
                 6 × the 30 s timeout of settle-payments and its window"
            ]
        );
    }

    #[test]
    fn what_is_missing_is_said_for_every_stage() {
        let mut file = read_file().unwrap();
        file["provider"].as_object_mut().unwrap().remove("reserve_ms");
        let findings = settings(&file, &read_environments().unwrap());
        assert_eq!(findings[0].place, "provider.reserve_ms");
        assert_eq!(findings[0].stages, ["dev", "prod", "local", "test"]);
    }

    #[test]
    fn warnings_do_not_make_it_sick() {
        let (error, warning) = (Finding::error("a", "mend it"), Finding::warning("b", "see to it"));
        assert_eq!(verdict(&[]), "all is well");
        assert_eq!(verdict(std::slice::from_ref(&warning)), "all is well; 1 optional: see the warnings");
        assert_eq!(verdict(&[error.clone(), warning]), "1 to mend, 1 optional");
        let report = report(&[error], "Rust", false);
        assert_eq!(report["findings"][0]["level"], Level::Error.as_str());
        assert_eq!(report["well"], false);
    }
}
