//! The numbers of `infra/settings.json` beside the constants of this crate that act: a test fails where they differ.
//!
//! They are constants because nobody changes them without thinking, and written there because all numbers are.

use std::time::Duration;

use redis_link::RedisSettings;

use crate::{KEY_LIFE, Timeouts};

/// What the settings say at `pointer`, for every stage: a constant has no stages.
#[track_caller]
pub(crate) fn number(pointer: &str) -> u64 {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../../infra/settings.json")).expect("JSON");
    let setting = file.pointer(pointer).unwrap_or_else(|| panic!("infra/settings.json: no {pointer}"));
    for stage in ["dev", "prod", "local", "test"] {
        assert!(setting.get(stage).is_none(), "{pointer}: `{stage}` would change nothing");
    }
    setting["value"].as_u64().unwrap_or_else(|| panic!("infra/settings.json: {pointer} is no number"))
}

/// Milliseconds at `pointer`.
#[track_caller]
pub(crate) fn millis(pointer: &str) -> Duration {
    Duration::from_millis(number(pointer))
}

#[test]
fn timeouts_are_those_of_the_settings() {
    let Timeouts { change, look_up, probe, least } = Timeouts::default();
    assert_eq!(change, millis("/provider/attempt_timeout_ms"));
    assert_eq!(look_up, millis("/provider/look_up_timeout_ms"));
    assert_eq!(least, millis("/provider/attempt_floor_ms"));
    assert!(probe <= change, "a probe is an attempt that has to tell soon");
}

#[test]
fn keys_live_as_long_as_the_settings_say() {
    assert_eq!(KEY_LIFE, Duration::from_secs(number("/provider/key_life_s")));
    assert!(KEY_LIFE < Duration::from_secs(number("/provider/key_retention_s")));
}

#[test]
fn redis_is_given_as_long_as_the_settings_say() {
    let redis = RedisSettings::parse("redis://127.0.0.1:6379").unwrap();
    assert_eq!(redis.command_timeout, millis("/redis_client/command_timeout_ms"));
    assert_eq!(redis.connect_timeout, millis("/redis_client/connect_timeout_ms"));
}
