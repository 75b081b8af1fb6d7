//! The stack as a program: started, used, controlled, and ended in every way there is.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::{is_running, json_of, probe, request, settings_json, wait_for, wait_for_seconds};

/// Long enough to install the servers' wheels once.
const START_LIMIT_S: u64 = 240;

/// A running `local-cloud up` with the probe as its only function, which the queue `orders` invokes.
struct Up {
    child: Child,
    folder: PathBuf,
    info: Value,
}

impl Up {
    async fn start(arguments: &[&str]) -> Self {
        let mut up = Self::spawn(arguments);
        let file = up.folder.join("state/stack.json");
        let log = up.folder.join("log");
        wait_for_seconds(START_LIMIT_S, "stack.json", async || {
            let ended = up.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", std::fs::read_to_string(&log).unwrap());
            file.exists()
        })
        .await;
        up.info = json_of(&std::fs::read(file).unwrap());
        up
    }

    fn spawn(arguments: &[&str]) -> Self {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        for function in ["probe", "clockwork"] {
            std::os::unix::fs::symlink(probe(), folder.join("bin").join(function)).unwrap();
        }
        std::fs::write(folder.join("settings.json"), with_probe(settings_json()).to_string()).unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_local-cloud"));
        command.args(["up", "--stage", "test", "--state-dir"]).arg(folder.join("state"));
        command.arg("--settings").arg(folder.join("settings.json")).arg("--bin-dir").arg(folder.join("bin"));
        command.args(arguments).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        Self { child: command.spawn().unwrap(), folder, info: Value::Null }
    }

    fn url(&self, name: &str) -> String {
        self.info[name].as_str().unwrap().to_owned()
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", self.url("control_url"));
        let headers = [("content-type", "application/json")];
        let (status, _, answer) = request(method, &url, &headers, body.to_string()).await;
        (status.as_u16(), serde_json::from_slice(&answer).unwrap_or_default())
    }

    async fn status(&self) -> Value {
        self.control(Method::GET, "/status", Value::Null).await.1
    }

    async fn send(&self, command: Value) {
        let body =
            json!({"QueueUrl": self.info["queues"]["orders"]["url"], "MessageBody": command.to_string()});
        let headers = [("x-amz-target", "AmazonSQS.SendMessage")];
        let (status, ..) = request(Method::POST, &self.url("sqs_url"), &headers, body.to_string()).await;
        assert!(status.is_success());
    }

    /// The process ids of everything the stack started.
    fn children(&self) -> Vec<u64> {
        let parent = self.child.id().unwrap().to_string();
        let is_child =
            |stat: &str| stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(&parent);
        let pids = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        pids.filter_map(|pid| pid.parse().ok())
            .filter(|pid: &u64| {
                std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| is_child(&stat))
            })
            .collect()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Ends the stack by `end`, and sees that nothing of it is left.
    async fn check_ends(mut self, end: impl AsyncFnOnce(&Self), with_success: bool) {
        let children = self.children();
        assert!(children.len() >= 3, "PostgreSQL, Redis and the probe: {children:?}");
        end(&self).await;
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        let status = ended.expect("the stack did not end within 20 s").unwrap();
        assert_eq!(status.success(), with_success, "{status}");
        wait_for("every child is gone", async || !children.iter().any(|pid| is_running(*pid))).await;
        if with_success {
            assert!(!self.folder.join("state/stack.json").exists());
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // A folder that stays is no failure.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn with_probe(mut settings: Value) -> Value {
    let number = |value: u64| json!({"value": value, "reason": "a test"});
    settings["functions"]["probe"] = json!({
        "timeout_s": number(1), "memory_mb": number(128),
        "environment": {"ORDERFLOW_REDIS_URL": "${redis.url}", "ORDERFLOW_SECRET_ARN": "${secrets.app.arn}"},
        "event_source": {
            "queue": "orders", "batch_size": number(10), "maximum_batching_window_s": number(0),
            "maximum_concurrency": number(4), "report_batch_item_failures": true,
        },
    });
    settings["functions"]["clockwork"] = json!({
        "timeout_s": number(2), "memory_mb": number(128), "reserved_concurrency": number(2),
        "schedule": {"every_s": number(1)},
        "environment": {
            "ORDERFLOW_STAGE": "${stage}", "ORDERFLOW_PROVIDER_URL": "${provider.url}",
            "ORDERFLOW_PROVIDER_KEY": "${provider.key}", "ORDERFLOW_INSTANCES_MAX": "${provider.instances_max}",
            "ORDERFLOW_PROVIDER_RATE_PER_S": "${provider.rate_per_s}",
            "ORDERFLOW_PROVIDER_GLOBAL_RATE_PER_S": "${provider.global_rate_per_s}",
            "ORDERFLOW_UNKNOWN_QUARANTINE_S": "${reconcile.unknown_quarantine_s}",
            "ORDERFLOW_COMPARE_LAG_S": "${reconcile.compare_lag_s}",
        },
    });
    settings
}

/// Has the queue invoke the probe once.
async fn work(up: &Up) {
    up.send(json!({"do": "ok"})).await;
    wait_for("the message was handled", async || up.status().await["event_sources"]["probe"]["deleted"] == 1)
        .await;
}

#[tokio::test]
async fn two_stacks_work_side_by_side_and_end_on_a_signal() {
    let (one, two) = tokio::join!(Up::start(&[]), Up::start(&[]));
    work(&one).await;
    let status = two.status().await;
    assert_eq!(status["event_sources"]["probe"]["polled"], 0, "a stack sees its own messages only");
    assert_eq!(
        status["queues"]["orders"],
        json!({"visible": 0, "in_flight": 0, "delayed": 0, "oldest_age_ms": null})
    );
    work(&two).await;
    one.check_ends(async |up| up.signal(Signal::INT), true).await;
    two.check_ends(async |up| up.signal(Signal::TERM), true).await;
}

#[tokio::test]
async fn a_killed_stack_leaves_no_process() {
    let up = Up::start(&[]).await;
    work(&up).await;
    up.check_ends(async |up| up.signal(Signal::KILL), false).await;
}

#[tokio::test]
async fn a_stack_ends_with_its_parent() {
    let mut parent = Command::new("sleep").arg("300").kill_on_drop(true).spawn().unwrap();
    let up = Up::start(&["--parent-pid", &parent.id().unwrap().to_string()]).await;
    work(&up).await;
    up.check_ends(async |_| parent.kill().await.unwrap(), true).await;
}

#[tokio::test]
async fn every_lever_of_the_control_api_does_its_part() {
    let up = Up::start(&["--data-api-rtt-ms", "3"]).await;
    work(&up).await;
    let (_, killed) = up.control(Method::POST, "/functions/probe/kill", Value::Null).await;
    wait_for("it is gone", async || !is_running(killed["pid"].as_u64().unwrap())).await;
    let (code, _) = up.control(Method::PUT, "/functions/probe", json!({"throttle": true})).await;
    assert_eq!(code, 200);
    let (_, source) = up.control(Method::PUT, "/event-sources/probe", json!({"enabled": false})).await;
    assert_eq!(source["enabled"], false);
    let faults = json!({"rtt_ms": 7, "faults": [{"kind": "throttle", "times": 2}]});
    let (_, data_api) = up.control(Method::PUT, "/data-api", faults).await;
    assert_eq!((&data_api["rtt_ms"], &data_api["faults"][0]["times"]), (&json!(7), &json!(2)));
    assert_eq!(up.control(Method::POST, "/redis/kill", Value::Null).await.1, json!({"running": false}));
    assert_eq!(up.control(Method::POST, "/redis/start", Value::Null).await.1, json!({"running": true}));
    let new = json!({"name": "second", "command": [probe()], "timeout_ms": 5_000, "environment": {"A": "b"}});
    assert_eq!(up.control(Method::POST, "/functions", new).await.1, json!({"name": "second"}));
    let url = format!("{}/2015-03-31/functions/second/invocations", up.url("lambda_url"));
    let (_, _, answer) = request(Method::POST, &url, &[], json!({"do": "environment"}).to_string()).await;
    let environment = json_of(&answer);
    assert_eq!((&environment["A"], &environment["AWS_ENDPOINT_URL_SQS"]), (&json!("b"), &up.info["sqs_url"]));
    up.check_ends(async |up| drop(up.control(Method::POST, "/shutdown", Value::Null).await), true).await;
}

#[tokio::test]
async fn a_scheduled_function_runs_is_told_where_the_provider_is_and_is_paused() {
    let up = Up::start(&[]).await;
    wait_for("the clock has run it", async || {
        up.status().await["schedules"]["clockwork"]["runs"].as_u64().is_some_and(|runs| runs > 0)
    })
    .await;
    let (_, paused) = up.control(Method::PUT, "/schedules/clockwork", json!({"enabled": false})).await;
    assert_eq!((&paused["enabled"], &paused["every_s"]), (&json!(false), &json!(1)));
    let (code, answer) = up.control(Method::POST, "/schedules/clockwork/run", Value::Null).await;
    assert!(code == 200 && answer["pid"].is_u64(), "{code} {answer}");
    up.control(Method::PUT, "/functions/clockwork", json!({"throttle": true})).await;
    assert_eq!(up.control(Method::POST, "/schedules/clockwork/run", Value::Null).await.0, 429);
    up.control(Method::PUT, "/functions/clockwork", json!({"throttle": false})).await;
    let url = format!("{}/2015-03-31/functions/clockwork/invocations", up.url("lambda_url"));
    let (_, _, answer) = request(Method::POST, &url, &[], json!({"do": "environment"}).to_string()).await;
    let environment = json_of(&answer);
    let sandbox = up.url("sandbox_url");
    for (name, value) in [
        ("ORDERFLOW_STAGE", "test"),
        ("ORDERFLOW_PROVIDER_URL", sandbox.as_str()),
        ("ORDERFLOW_PROVIDER_KEY", "sk_test_local"),
        ("ORDERFLOW_INSTANCES_MAX", "2"),
        ("ORDERFLOW_PROVIDER_RATE_PER_S", "1000"),
        ("ORDERFLOW_PROVIDER_GLOBAL_RATE_PER_S", "4000"),
        ("ORDERFLOW_UNKNOWN_QUARANTINE_S", "3"),
        ("ORDERFLOW_COMPARE_LAG_S", "2"),
    ] {
        assert_eq!(environment[name], value, "{name}");
    }
    let (status, ..) = request(Method::GET, &format!("{sandbox}/_sandbox/ledger"), &[], String::new()).await;
    assert!(status.is_success());
    assert_eq!(up.status().await["sandbox"]["calls_total"], 0);
}

#[tokio::test]
async fn the_control_api_refuses_what_makes_no_sense() {
    let up = Up::start(&[]).await;
    for (method, path, body, code) in [
        (Method::POST, "/functions/nobody/kill", Value::Null, 404),
        (Method::POST, "/functions/probe/tickle", Value::Null, 404),
        (Method::POST, "/functions/probe/kill", Value::Null, 404),
        (Method::PUT, "/functions/probe", json!({"throtle": true}), 422),
        (Method::PUT, "/event-sources/nobody", json!({"enabled": true}), 404),
        (Method::PUT, "/schedules/probe", json!({"enabled": true}), 404),
        (Method::PUT, "/schedules/clockwork", json!({"enable": true}), 422),
        (Method::POST, "/schedules/nobody/run", Value::Null, 404),
        (Method::POST, "/functions", json!({"name": "a/b", "command": ["x"]}), 400),
        (Method::POST, "/functions", json!({"name": "a", "command": []}), 400),
        (Method::POST, "/redis/flush", Value::Null, 404),
    ] {
        let (found, answer) = up.control(method, path, body).await;
        assert_eq!(found, code, "{path}: {answer}");
    }
}

#[tokio::test]
async fn watch_writes_the_environment_says_what_to_type_and_waits() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener); // Nobody answers yet.
    let up = Up::start(&["--watch", &url]).await;
    let (env_file, log) = (up.folder.join("state/watch.env"), up.folder.join("log"));
    wait_for("the line to type", async || {
        std::fs::read_to_string(&log).unwrap().contains("cargo lambda watch -A 127.0.0.1 -P")
    })
    .await;
    let environment = std::fs::read_to_string(env_file).unwrap();
    for line in [
        "AWS_REGION=eu-central-1".to_owned(),
        "AWS_ACCESS_KEY_ID=AKIAPROBE".to_owned(),
        format!("ORDERFLOW_REDIS_URL={}", up.url("redis_url")),
        format!("AWS_ENDPOINT_URL_SQS={}", up.url("sqs_url")),
    ] {
        assert!(environment.lines().any(|found| found == line), "{line} is not in\n{environment}");
    }
    assert!(!environment.contains("AWS_LAMBDA_FUNCTION_NAME"), "the other host sets its own");
    assert_eq!(up.status().await["event_sources"]["probe"]["enabled"], false);
    let _watch = tokio::net::TcpListener::bind(url.trim_start_matches("http://")).await.unwrap();
    wait_for("it polls", async || up.status().await["event_sources"]["probe"]["enabled"] == true).await;
}

#[tokio::test]
async fn a_stack_that_cannot_start_says_what_to_do() {
    let mut up = Up::spawn(&["--postgres-url", "nonsense"]);
    let status = up.child.wait().await.unwrap();
    let log = std::fs::read_to_string(up.folder.join("log")).unwrap();
    assert!(!status.success() && log.contains("--postgres-url must be a superuser's URL"), "{log}");
}

#[tokio::test]
async fn a_function_that_is_not_built_is_named() {
    let mut up = Up::spawn(&[]);
    std::fs::remove_file(up.folder.join("bin/probe")).unwrap();
    let status = up.child.wait().await.unwrap();
    let log = std::fs::read_to_string(up.folder.join("log")).unwrap();
    assert!(!status.success() && log.contains("bin/probe is missing; build the functions first"), "{log}");
}
