//! Redis or Valkey may be killed, restarted, frozen and thawed, always at the same address.

use std::time::Duration;

use local_cloud::{
    programs::{Origin, Places},
    redis::{Redis, RedisOptions},
    wheels,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Folder, places, spawner};

fn options(folder: &Folder, origin: Origin) -> RedisOptions {
    RedisOptions { origin, places: places(), log: folder.0.join("redis.log"), port: 0 }
}

async fn connect(redis: &Redis) -> std::io::Result<TcpStream> {
    let url = redis.url();
    TcpStream::connect(url.trim_start_matches("redis://").trim_end_matches('/')).await
}

/// Sends one inline command and returns what comes back within a moment; None is silence.
async fn ask(stream: &mut TcpStream, command: &str) -> Option<String> {
    stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    let mut answer = vec![0; 1_024];
    let length =
        tokio::time::timeout(Duration::from_millis(300), stream.read(&mut answer)).await.ok()?.unwrap();
    Some(String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[tokio::test]
async fn a_killed_server_comes_back_empty_at_the_same_address() {
    let (folder, spawner) = (Folder::new(), spawner());
    let redis = Redis::launch(&spawner, options(&folder, Origin::Auto)).await.unwrap();
    let url = redis.url();
    let mut stream = connect(&redis).await.unwrap();
    assert_eq!(ask(&mut stream, "SET key value").await.as_deref(), Some("+OK\r\n"));
    redis.kill().await.unwrap();
    assert!(connect(&redis).await.is_err() && !redis.is_running().await);
    redis.kill().await.unwrap();

    redis.start().await.unwrap();
    redis.start().await.unwrap();
    assert_eq!(redis.url(), url);
    let mut stream = connect(&redis).await.unwrap();
    assert_eq!(ask(&mut stream, "GET key").await.as_deref(), Some("$-1\r\n"));
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_frozen_server_is_silent_until_it_thaws() {
    let (folder, spawner) = (Folder::new(), spawner());
    let redis = Redis::launch(&spawner, options(&folder, Origin::Auto)).await.unwrap();
    let mut stream = connect(&redis).await.unwrap();
    redis.freeze().await.unwrap();
    assert_eq!(ask(&mut stream, "PING").await, None);
    assert!(redis.is_running().await);
    redis.thaw().await.unwrap();
    let mut pong = [0; 7];
    stream.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"+PONG\r\n");
    // A frozen server must end too: SIGTERM waits for a thaw, SIGKILL does not.
    redis.freeze().await.unwrap();
    redis.stop().await.unwrap();
    assert!(connect(&redis).await.is_err());
}

#[tokio::test]
async fn it_is_a_bounded_cache_without_a_disk() {
    let (folder, spawner) = (Folder::new(), spawner());
    let redis = Redis::launch(&spawner, options(&folder, Origin::Wheels)).await.unwrap();
    let mut stream = connect(&redis).await.unwrap();
    for (setting, expected) in [
        ("maxmemory", "67108864"),
        ("maxmemory-policy", "allkeys-lru"),
        ("save", ""),
        ("appendonly", "no"),
        ("bind", "127.0.0.1"),
    ] {
        let answer = ask(&mut stream, &format!("CONFIG GET {setting}")).await.unwrap();
        assert_eq!(answer.lines().last(), Some(expected), "{setting}");
    }
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn the_machines_server_is_taken_from_path_under_either_name() {
    let (folder, spawner) = (Folder::new(), spawner());
    let missing = Places { path: folder.0.clone().into(), ..places() };
    let options = |places| RedisOptions { places, ..options(&folder, Origin::Machine) };
    let error = Redis::launch(&spawner, options(missing.clone())).await.unwrap_err().to_string();
    assert!(error.contains("apt-get install redis-server"), "{error}");

    let wheels = wheels::install(&missing.wheels).await.unwrap();
    std::os::unix::fs::symlink(wheels.valkey_server(), folder.0.join("valkey-server")).unwrap();
    let redis = Redis::launch(&spawner, options(missing)).await.unwrap();
    assert!(connect(&redis).await.is_ok());
    redis.stop().await.unwrap();
}
