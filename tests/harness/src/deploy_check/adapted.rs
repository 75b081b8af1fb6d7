//! What the emulator cannot follow, each with the attempt that failed: among it every difference between the templates
//! that go to AWS and those that go to the emulator.
//!
//! Nothing else about a template is changed. A type that is taken out here must be refused by the emulator in the same
//! run, else the check fails: the list cannot outlive its reasons. `infra/cdk/README.md` repeats it for people.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// One thing that the emulator cannot follow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// The resource type with the property where only that is meant, or the service.
    pub(super) what: &'static str,
    /// What there is instead.
    pub(super) instead: &'static str,
    /// What came of trying the original.
    pub(super) attempt: &'static str,
}

/// Types that the emulator does not know; whatever belongs to one of them goes with it.
pub(super) const UNKNOWN_TYPES: [&str; 6] = [
    "AWS::Budgets::Budget",
    "AWS::EC2::EIP",
    "AWS::EC2::FlowLog",
    "AWS::EC2::NatGateway",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
];

/// The whole list, in the words of ministack 1.5.33. All but the last two are changes of the templates.
pub(super) const LIMITS: [Limit; 9] = [
    Limit {
        what: "AWS::EC2::EIP, NatGateway, FlowLog, SecurityGroupEgress, SecurityGroupIngress, AWS::Budgets::Budget",
        instead: "taken out",
        attempt: "Template format error: Unrecognized resource types: [AWS::EC2::EIP, AWS::EC2::FlowLog, …]",
    },
    Limit {
        what: "AWS::EC2::Route to a NAT gateway",
        instead: "taken out, because the gateway is",
        attempt: "as for the gateway",
    },
    Limit {
        what: "AWS::RDS::DBCluster, attribute MasterUserSecret.SecretArn",
        instead: "a secret of that form, made by the template",
        attempt: "Requested attribute MasterUserSecret.SecretArn does not exist in schema for AWS::RDS::DBCluster",
    },
    Limit {
        what: "AWS::SecretsManager::Secret, Ref",
        instead: "Fn::GetAtt Id, which is the same ARN on AWS",
        attempt: "Ref gave the name: ORDERFLOW_SECRET_ARN became `orderflow-dev-database-app`",
    },
    Limit {
        what: "AWS::SecretsManager::Secret, GenerateSecretString.ExcludePunctuation",
        instead: "the same characters under ExcludeCharacters",
        attempt: "ignored: the token of the cache had a backslash, a backquote and a brace",
    },
    Limit {
        what: "AWS::ElastiCache::ReplicationGroup, TLS and token",
        instead: "the functions get redis:// without a token; it leads to the real Redis, which has neither",
        attempt: "no server is started: the endpoint is REDIS_HOST:REDIS_PORT of the emulator's environment, without TLS",
    },
    Limit {
        what: "AWS::CloudWatch::Alarm, Metrics",
        instead: "the first of its metrics alone",
        attempt: "AWS::CloudWatch::Alarm Properties.Metrics (metric math) is not supported; use MetricName and Namespace",
    },
    Limit {
        what: "RDS Data API",
        instead: "AWS_ENDPOINT_URL_RDS_DATA in the functions' environment: local-cloud's, over PostgreSQL",
        attempt: "`select 1` was answered with Unsupported SQL in RDS Data API stub mode: select 1",
    },
    Limit {
        what: "IAM enforcement",
        instead: "roles and policies are created and compared, and not enforced",
        attempt: "with AUTH=true `cdk deploy` could not publish: Bucket … exists, but we dont have access to it",
    },
];

/// What punctuation is to Secrets Manager.
const PUNCTUATION: &str = r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##;

/// The secret that stands for the one that RDS makes for the master user.
const MASTER_SECRET: &str = "MasterSecret";

/// The template as the emulator can follow it.
pub(super) fn adapt(template: &mut Value) {
    let secrets = logical_ids(template, "AWS::SecretsManager::Secret");
    add_master_secret(template);
    take_out(template);
    walk(template, &|value| {
        point_at_id(value, &secrets);
        exclude_punctuation(value);
        open_redis(value);
        watch_one_metric(value);
    });
}

/// The types that an answer of the emulator refuses.
pub(super) fn refused_types(answer: &str) -> BTreeSet<String> {
    let list = answer.split_once("Unrecognized resource types: [").and_then(|(_, rest)| rest.split_once(']'));
    let types = list.map(|(types, _)| types.split(", ").map(str::to_owned));
    types.into_iter().flatten().collect()
}

fn resources(template: &mut Value) -> Option<&mut Map<String, Value>> {
    template.get_mut("Resources")?.as_object_mut()
}

fn logical_ids(template: &mut Value, kind: &str) -> BTreeSet<String> {
    let all = resources(template).into_iter().flatten();
    all.filter(|(_, resource)| resource["Type"] == kind).map(|(id, _)| id.clone()).collect()
}

/// Removes resources of unknown types, the routes to them, and what waits for either.
fn take_out(template: &mut Value) {
    let Some(all) = resources(template) else { return };
    let unknown = |resource: &Value| {
        let kind = resource["Type"].as_str().unwrap_or_default();
        UNKNOWN_TYPES.contains(&kind) || resource["Properties"].get("NatGatewayId").is_some()
    };
    let gone: BTreeSet<String> =
        all.iter().filter(|(_, resource)| unknown(resource)).map(|(id, _)| id.clone()).collect();
    all.retain(|id, _| !gone.contains(id));
    for resource in all.values_mut() {
        if let Some(Value::Array(ids)) = resource.get_mut("DependsOn") {
            ids.retain(|id| !id.as_str().is_some_and(|id| gone.contains(id)));
        } else if resource.get("DependsOn").and_then(Value::as_str).is_some_and(|id| gone.contains(id))
            && let Some(resource) = resource.as_object_mut()
        {
            resource.remove("DependsOn");
        }
    }
}

/// Adds the master user's secret beside a cluster that leaves it to RDS, and lets everybody refer to it.
fn add_master_secret(template: &mut Value) {
    let clusters = logical_ids(template, "AWS::RDS::DBCluster");
    let Some(cluster) = clusters.first() else { return };
    let username = template["Resources"][cluster]["Properties"]["MasterUsername"].clone();
    let secret = json!({
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {
            "Description": "The cluster's master user, which RDS would make",
            "GenerateSecretString": {
                "SecretStringTemplate": json!({ "username": username }).to_string(),
                "GenerateStringKey": "password",
                "ExcludePunctuation": true,
                "PasswordLength": 40,
            },
        },
    });
    if let Some(all) = resources(template) {
        all.insert(MASTER_SECRET.to_owned(), secret);
    }
    walk(template, &|value| {
        if value["Fn::GetAtt"][1] == "MasterUserSecret.SecretArn" {
            *value = json!({ "Fn::GetAtt": [MASTER_SECRET, "Id"] });
        }
    });
}

fn point_at_id(value: &mut Value, secrets: &BTreeSet<String>) {
    if let Some(id) = value.get("Ref").and_then(Value::as_str)
        && secrets.contains(id)
    {
        *value = json!({ "Fn::GetAtt": [id, "Id"] });
    }
}

fn exclude_punctuation(value: &mut Value) {
    if value.get("ExcludePunctuation") == Some(&Value::Bool(true)) {
        value["ExcludeCharacters"] = PUNCTUATION.into();
    }
}

/// Of an alarm on an expression keeps the first metric.
fn watch_one_metric(value: &mut Value) {
    let Some(Value::Array(metrics)) = value.get("Metrics").filter(|_| value.get("AlarmName").is_some())
    else {
        return;
    };
    let Some(first) = metrics.iter().find_map(|metric| metric.get("MetricStat")).cloned() else { return };
    let Some(alarm) = value.as_object_mut() else { return };
    alarm.remove("Metrics");
    for name in ["Namespace", "MetricName", "Dimensions"] {
        alarm.insert(name.to_owned(), first["Metric"][name].clone());
    }
    alarm.insert("Period".to_owned(), first["Period"].clone());
    alarm.insert("Statistic".to_owned(), first["Stat"].clone());
}

/// Of `rediss://:TOKEN@HOST:PORT` keeps `redis://HOST:PORT`.
fn open_redis(value: &mut Value) {
    let Some(parts) = value.get_mut("Fn::Join").and_then(|join| join[1].as_array_mut()) else { return };
    let begins = parts.first().and_then(Value::as_str).is_some_and(|part| part.starts_with("rediss://"));
    let host = parts.iter().position(|part| part.as_str().is_some_and(|part| part.ends_with("}}@")));
    if let (true, Some(host)) = (begins, host) {
        parts.splice(..=host, ["redis://".into()]);
    }
}

/// Shows every value to `change`, the outer before the inner.
fn walk(value: &mut Value, change: &impl Fn(&mut Value)) {
    if value.is_object() {
        change(value);
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|field| walk(field, change)),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, change)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{adapt, refused_types};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(resources: Value, expected: Value) {
        let mut template = json!({ "Resources": resources });
        adapt(&mut template);
        assert_eq!(template["Resources"], expected);
    }

    #[test]
    fn unknown_types_go_with_all_that_hangs_on_them() {
        check(
            json!({
                "Nat": {"Type": "AWS::EC2::NatGateway"},
                "Way": {"Type": "AWS::EC2::Route", "Properties": {"NatGatewayId": {"Ref": "Nat"}}},
                "Out": {"Type": "AWS::EC2::Route", "Properties": {"GatewayId": {"Ref": "Internet"}}},
                "One": {"Type": "AWS::Lambda::Function", "DependsOn": "Way"},
                "Two": {"Type": "AWS::Lambda::Function", "DependsOn": ["Way", "One"]},
            }),
            json!({
                "Out": {"Type": "AWS::EC2::Route", "Properties": {"GatewayId": {"Ref": "Internet"}}},
                "One": {"Type": "AWS::Lambda::Function"},
                "Two": {"Type": "AWS::Lambda::Function", "DependsOn": ["One"]},
            }),
        );
    }

    #[test]
    fn an_alarm_on_an_expression_keeps_its_first_metric() {
        let stat = |name: &str| json!({"Metric": {"Namespace": "N", "MetricName": name, "Dimensions": []}, "Period": 60, "Stat": "Sum"});
        let metrics =
            json!([{"Expression": "SUM([a, b])"}, {"MetricStat": stat("a")}, {"MetricStat": stat("b")}]);
        check(
            json!({"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "x", "Metrics": metrics}}}),
            json!({"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {
                "AlarmName": "x", "Namespace": "N", "MetricName": "a", "Dimensions": [], "Period": 60, "Statistic": "Sum"
            }}}),
        );
    }

    #[test]
    fn a_secret_is_named_by_its_arn_and_has_letters_and_digits() {
        let mut template = json!({
            "Resources": {
                "S": {
                    "Type": "AWS::SecretsManager::Secret",
                    "Properties": {"GenerateSecretString": {"ExcludePunctuation": true}},
                },
                "Q": {"Type": "AWS::SQS::Queue"},
            },
            "Outputs": {"S": {"Value": {"Ref": "S"}}, "Q": {"Value": {"Ref": "Q"}}},
        });
        adapt(&mut template);
        assert_eq!(template["Outputs"]["S"]["Value"], json!({"Fn::GetAtt": ["S", "Id"]}));
        assert_eq!(template["Outputs"]["Q"]["Value"], json!({"Ref": "Q"}));
        let generated = &template["Resources"]["S"]["Properties"]["GenerateSecretString"];
        let excluded = generated["ExcludeCharacters"].as_str().unwrap();
        assert!((' '..='~').filter(|c| c.is_ascii_punctuation()).all(|c| excluded.contains(c)), "{excluded}");
    }

    #[test]
    fn the_master_user_gets_a_secret_of_the_template() {
        let mut template = json!({"Resources": {
            "Db": {"Type": "AWS::RDS::DBCluster", "Properties": {"MasterUsername": "admin"}},
            "Users": {"Properties": {"Arn": {"Fn::GetAtt": ["Db", "MasterUserSecret.SecretArn"]}}},
        }});
        adapt(&mut template);
        let all = &template["Resources"];
        assert_eq!(all["Users"]["Properties"]["Arn"], json!({"Fn::GetAtt": ["MasterSecret", "Id"]}));
        let form = &all["MasterSecret"]["Properties"]["GenerateSecretString"]["SecretStringTemplate"];
        assert_eq!(form, r#"{"username":"admin"}"#);
    }

    #[test]
    fn redis_is_reached_without_tls_and_token() {
        let token = ["rediss://:{{resolve:secretsmanager:", "ARN", ":SecretString:token::}}@"];
        let join = |parts: &[&str]| json!({"F": {"Url": {"Fn::Join": ["", parts]}}});
        check(join(&[&token[..], &["HOST", ":", "6379"]].concat()), join(&["redis://", "HOST", ":", "6379"]));
        check(join(&["https://", "x"]), join(&["https://", "x"]));
    }

    #[test]
    fn the_emulators_answer_names_the_types_that_it_refuses() {
        let answer = "Template format error: Unrecognized resource types: [AWS::EC2::EIP, AWS::EC2::FlowLog]";
        assert_eq!(
            refused_types(answer),
            ["AWS::EC2::EIP".to_owned(), "AWS::EC2::FlowLog".to_owned()].into()
        );
        assert!(refused_types("Stack exists").is_empty());
    }
}
