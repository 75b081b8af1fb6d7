//! The environment of a function's process: Lambda's own variables, the function's, and nothing else.
//!
//! The process does not inherit this one's environment, except `PATH`: a function that works here because
//! of a variable of the developer's shell would fail on AWS. `AWS_LAMBDA_MAX_CONCURRENCY` is not set: it
//! means another kind of host, and runtimes warn about it.

use std::collections::BTreeMap;

use super::FunctionSpec;
use crate::caller;

/// What all functions of a stack have in common.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The AWS region.
    pub region: String,
    /// Endpoints by variable, such as `AWS_ENDPOINT_URL_SQS`; how local servers stand in for AWS's.
    pub endpoints: BTreeMap<String, String>,
}

/// The variables of one instance; `runtime_api` is `host:port`, `log_stream` the instance's name.
///
/// A variable of the function's own wins over Lambda's, so that a test can set what it wants to see.
pub(super) fn of_instance(
    surroundings: &Surroundings,
    spec: &FunctionSpec,
    runtime_api: &str,
    log_stream: &str,
) -> BTreeMap<String, String> {
    let mut environment = of_function(surroundings, spec);
    let own: [(&str, &str); 4] = [
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("TZ", ":UTC"),
    ];
    for (name, value) in own {
        environment.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    if let Some(path) = std::env::var_os("PATH").and_then(|path| path.into_string().ok()) {
        environment.entry("PATH".to_owned()).or_insert(path);
    }
    environment
}

/// The variables that are the same for every instance; also what another host of the function needs.
pub(super) fn of_function(surroundings: &Surroundings, spec: &FunctionSpec) -> BTreeMap<String, String> {
    let Surroundings { region, endpoints } = surroundings;
    let handler = spec.args.last().map_or("bootstrap", String::as_str);
    let lambda = [
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region.clone()),
        ("AWS_ACCESS_KEY_ID", caller::access_key_id(&spec.name)),
        ("AWS_SECRET_ACCESS_KEY", "no-secret-on-this-machine".to_owned()),
        ("AWS_SESSION_TOKEN", "no-session-on-this-machine".to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", super::VERSION.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", spec.name)),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO".to_owned()),
        ("LAMBDA_TASK_ROOT", spec.task_root()),
        ("_HANDLER", handler.to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
    ];
    let mut environment: BTreeMap<String, String> =
        lambda.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    environment.extend(endpoints.clone());
    environment.extend(spec.environment.clone());
    environment
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn environment() -> BTreeMap<String, String> {
        let endpoints =
            BTreeMap::from([("AWS_ENDPOINT_URL_SQS".to_owned(), "http://127.0.0.1:1".to_owned())]);
        let surroundings = Surroundings { region: "eu-central-1".to_owned(), endpoints };
        let own = BTreeMap::from([
            ("ORDERFLOW_DATABASE".to_owned(), "orderflow".to_owned()),
            ("AWS_LAMBDA_LOG_LEVEL".to_owned(), "DEBUG".to_owned()),
        ]);
        let spec = FunctionSpec {
            environment: own,
            ..FunctionSpec::new("process-orders", PathBuf::from("/opt/functions/process-orders"))
        };
        of_instance(&surroundings, &spec, "127.0.0.1:9", "stream")
    }

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(environment().get(name).map(String::as_str), expected, "{name}");
    }

    #[test]
    fn an_instance_sees_what_lambda_would_show_it() {
        check("AWS_LAMBDA_RUNTIME_API", Some("127.0.0.1:9"));
        check("AWS_LAMBDA_FUNCTION_NAME", Some("process-orders"));
        check("AWS_LAMBDA_FUNCTION_VERSION", Some("$LATEST"));
        check("AWS_ACCESS_KEY_ID", Some("AKIAPROCESS0ORDERS"));
        check("AWS_ENDPOINT_URL_SQS", Some("http://127.0.0.1:1"));
        check("AWS_LAMBDA_LOG_FORMAT", Some("JSON"));
        check("LAMBDA_TASK_ROOT", Some("/opt/functions"));
    }

    #[test]
    fn the_functions_own_variables_win() {
        check("ORDERFLOW_DATABASE", Some("orderflow"));
        check("AWS_LAMBDA_LOG_LEVEL", Some("DEBUG"));
    }

    #[test]
    fn nothing_leaks_from_this_process() {
        check("AWS_LAMBDA_MAX_CONCURRENCY", None);
        check("RUST_BACKTRACE", None);
        check("HOME", None);
        check("CARGO_MANIFEST_DIR", None);
    }
}
