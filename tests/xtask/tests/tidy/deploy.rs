//! Deploying one function's code: what a manifest tells `cargo lambda deploy` is what `infra/settings.json` says.
//!
//! A manifest need tell it nothing. Its environment it must not: that would overwrite what the infrastructure sets.

use crate::tree::Tree;
use serde_json::Value;

/// Where the manifest's words for cargo-lambda begin.
const SECTION: &str = "[package.metadata.lambda";

/// A manifest's keys, and the settings that they repeat.
const NUMBERS: [(&str, &str); 2] = [("memory", "memory_mb"), ("timeout", "timeout_s")];

pub(crate) fn numbers(tree: &Tree) -> Vec<String> {
    let settings = tree.files.get("infra/settings.json").and_then(|text| serde_json::from_str(text).ok());
    let settings: Value = settings.unwrap_or_default();
    let manifests = tree.ending(&["toml"]).filter_map(|(path, text)| {
        Some((path, path.strip_prefix("functions/")?.strip_suffix("/Cargo.toml")?, text))
    });
    manifests
        .flat_map(|(path, function, text)| {
            let settings = &settings["functions"][function];
            told(text)
                .into_iter()
                .filter_map(move |(key, value)| complaint(settings, &key, &value))
                .map(move |complaint| format!("{path}: {complaint}"))
        })
        .collect()
}

fn complaint(settings: &Value, key: &str, value: &str) -> Option<String> {
    if key.starts_with("env") {
        return Some(format!("remove `{key}`: the infrastructure owns the environment"));
    }
    let (_, setting) = NUMBERS.iter().find(|(known, _)| *known == key)?;
    let number = &settings[*setting];
    let deployed = number.get("prod").or_else(|| number.get("value"))?;
    (value.parse().ok() != deployed.as_u64()).then(|| {
        format!("`{key} = {value}` is not the {deployed} of infra/settings.json: write that, or nothing")
    })
}

/// Keys and values in the sections for cargo-lambda; a section that is a table of variables counts as `env`.
fn told(manifest: &str) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.starts_with(SECTION);
            if inside && line.contains(".env") {
                told.push(("env".to_owned(), String::new()));
            }
        } else if let Some((key, value)) = line.split_once('=').filter(|_| inside) {
            let value = value.split('#').next().unwrap_or_default();
            told.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::numbers;
    use crate::tree::Tree;

    #[track_caller]
    fn check(manifest: &str, expected: Option<&str>) {
        let mut tree = Tree::of("functions/a/Cargo.toml", manifest);
        let settings =
            r#"{"functions":{"a":{"memory_mb":{"value":512},"timeout_s":{"value":10,"prod":20}}}}"#;
        tree.files.insert("infra/settings.json".to_owned(), settings.to_owned());
        let complaints = numbers(&tree);
        match expected {
            Some(text) => assert!(complaints.iter().any(|c| c.contains(text)), "{complaints:?}"),
            None => assert!(complaints.is_empty(), "{complaints:?}"),
        }
    }

    #[test]
    fn another_number_than_the_settings_say_is_found() {
        let section = "[package.metadata.lambda.deploy]\n";
        check("[package]\nname = \"a\"\nmemory = 128\n", None);
        check(
            &format!("{section}memory = 512 # As the settings.\ntimeout = 20\ntracing = \"active\"\n"),
            None,
        );
        check(&format!("{section}memory = 128\n"), Some("not the 512 of infra/settings.json"));
        check(&format!("{section}timeout = 10\n"), Some("functions/a/Cargo.toml: `timeout = 10`"));
    }

    #[test]
    fn an_environment_in_a_manifest_is_found() {
        let expected = Some("the infrastructure owns the environment");
        check("[package.metadata.lambda.env]\nRUST_LOG = \"info\"\n", expected);
        check("[package.metadata.lambda.deploy]\nenv_file = \"dev.env\"\n", expected);
    }
}
