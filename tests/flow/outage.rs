//! An outage of the provider, in small: orders wait, none is a dead letter, and all are paid soon after.

use backoff::{Clock as _, SystemClock};
use harness::sandbox;
use std::time::Duration;

use crate::shop::{CURRY, Shop, order};

/// How long the provider fails, and how many orders arrive a second meanwhile.
const SECONDS: u64 = 10;
const PER_SECOND: u64 = 5;

/// Calls that reach the provider when the outage has been noticed: probes, not retries. The breaker asks again every
/// half a second at most; without it, each order would ask several times.
const CALLS_MAX: u64 = 2 * SECONDS;

#[tokio::test]
async fn an_outage_dead_letters_nothing_and_all_orders_are_paid_afterwards() {
    let shop = Shop::open().await;
    shop.let_everything_flow().await;
    shop.send(&[order("warm", CURRY, 1)]).await;
    shop.wait_for_payment_of(1).await;
    sandbox::set_faults(&shop.stack, 1, &[sandbox::fault("error_503", "*", 1.0)]).await.unwrap();
    let mut noticed = 0;
    for n in 0..SECONDS * PER_SECOND {
        if n == SECONDS * PER_SECOND / 2 {
            noticed = shop.provider_calls().await;
        }
        shop.send(&[order(&format!("during-{n}"), CURRY, 1)]).await;
        SystemClock.sleep(Duration::from_millis(1_000 / PER_SECOND)).await;
    }
    let calls = shop.provider_calls().await - noticed;
    assert!(calls <= CALLS_MAX, "{calls} calls reached a provider that was known to be down");
    assert_eq!(shop.confirmed().await, 1);
    sandbox::set_faults(&shop.stack, 1, &[]).await.unwrap();
    let orders = usize::try_from(SECONDS * PER_SECOND + 1).unwrap();
    shop.wait_for_payment_of(orders).await;
    shop.assert_all_paid_once(orders).await;
    shop.close().await;
}
