//! Sockets: kept while they are young, and never used once they may have died unseen.

use std::time::Duration;

use backoff::{Deadline, Random};
use futures_util::StreamExt;
use payments::{Payments, Wrapper};

use crate::clock::Watch;
use crate::gate::Script;
use crate::server::Server;
use crate::{AMPLE, Door, capture, intent, ok, stripe};

/// Which connections three captures use, with these freezes of the sandbox before the second and the third.
async fn connections(freezes: [u64; 2]) -> Vec<usize> {
    let server = Server::start(vec![ok(intent("succeeded")); 3]);
    let clock = Watch::default();
    let stripe = stripe(&server.url, &clock);
    let door: Door = Wrapper::new(Script::default(), stripe, (clock.clone(), Random::seeded(7)), "test");
    let requests = [capture()];
    for seconds in [0].into_iter().chain(freezes) {
        clock.freeze(Duration::from_secs(seconds));
        let step = door.send(&requests, Deadline::after(&clock, AMPLE));
        assert_eq!(step.collect::<Vec<_>>().await.len(), 1);
    }
    server.arrived().iter().map(|arrived| arrived.connection).collect()
}

#[tokio::test]
async fn a_socket_is_used_again_unless_it_was_idle_for_long_by_the_wall_clock() {
    assert_eq!(connections([0, 0]).await, [0, 0, 0]);
    assert_eq!(connections([4, 5]).await, [0, 0, 0]);
    assert_eq!(connections([21, 0]).await, [0, 1, 1]);
    assert_eq!(connections([8, 8]).await, [0, 0, 1], "short freezes add up");
    assert_eq!(connections([3_600, 3_600]).await, [0, 1, 2]);
}
