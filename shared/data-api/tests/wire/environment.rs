//! What the shared configuration takes from the environment, and what it does not look at.
//!
//! A process cannot change its own environment safely, so each case runs this very test binary once more, as a child
//! with an environment of its own.

use std::process::Command;

use backoff::{Random, SystemClock};
use data_api::{DataApi, Error, Target};

use crate::server::{Reply, Server};

/// Set for the child only.
const CHILD: &str = "DATA_API_TEST_CHILD";

/// The child's part: connects as a function would, and prints what came of it. Without the variable it does nothing.
#[tokio::test]
async fn child_connects_as_its_environment_says() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let outcome = match data_api::sdk_config().await {
        Err(Error::NoRegion) => "no region".to_owned(),
        Err(error) => error.to_string(),
        Ok(shared) => {
            let target =
                Target { cluster_arn: "c".to_owned(), secret_arn: "s".to_owned(), database: "d".to_owned() };
            let door = DataApi::new(data_api::client(&shared), target, SystemClock, Random::seeded(1));
            door.warm_up().await.map_or_else(|error| error.to_string(), |()| "warm".to_owned())
        }
    };
    println!("outcome={outcome};");
}

/// Runs the child with exactly these variables and returns what it printed.
fn child(variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "environment::child_connects_as_its_environment_says", "--nocapture"])
        .env_clear()
        .envs(variables.iter().copied())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.split_once("outcome=").unwrap().1.split_once(';').unwrap().0.to_owned()
}

const CREDENTIALS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIACHILD"), ("AWS_SECRET_ACCESS_KEY", "key")];

/// A home directory whose AWS configuration would send every call elsewhere.
struct Home(std::path::PathBuf);

impl Home {
    fn misleading(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("data-api-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join(".aws")).unwrap();
        let config = "[default]\nregion = eu-file-1\nignore_configured_endpoint_urls = true\n";
        std::fs::write(path.join(".aws/config"), config).unwrap();
        Self(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn region_credentials_and_endpoint_come_from_the_environment_and_not_from_files() {
    let (server, home) = (Server::start([Reply::changed(0)]), Home::misleading("all"));
    let mut variables = CREDENTIALS.to_vec();
    variables.extend([("AWS_REGION", "eu-child-1"), ("AWS_ENDPOINT_URL_RDS_DATA", &server.url)]);
    variables.push(("HOME", home.0.to_str().unwrap()));
    assert_eq!(child(&variables), "warm");
    let signed = &server.requests()[0].authorization;
    assert!(signed.contains("AKIACHILD") && signed.contains("/eu-child-1/rds-data/"), "{signed}");
}

#[test]
fn a_missing_region_is_told_at_once() {
    let home = Home::misleading("region");
    let mut variables = CREDENTIALS.to_vec();
    variables.push(("HOME", home.0.to_str().unwrap()));
    assert_eq!(child(&variables), "no region");
}

#[test]
fn missing_credentials_are_a_request_that_was_not_sent() {
    let server = Server::start([]);
    let outcome = child(&[("AWS_REGION", "eu-child-1"), ("AWS_ENDPOINT_URL_RDS_DATA", &server.url)]);
    assert!(outcome.contains("could not be built or signed"), "{outcome}");
    assert_eq!(server.requests().len(), 0);
}
