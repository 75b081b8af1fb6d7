//! Whatever the provider, the database and the queues do: the response names only records of the batch, and no record is
//! acknowledged unless its row is final, parked or somebody else's turn.

use order::PaymentStatus;
use payments::{Endpoint, Later, Outcome, Unclear};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, prop_assert, prop_assert_eq};

use crate::rows::Fail;
use crate::shop::{Shop, charge, later, record};

const ORDERS: [&str; 4] = ["a", "b", "c", "silent"];

fn reason() -> impl Strategy<Value = Later> {
    use Later::{
        BreakerOpen, InFlight, KeyTooOld, NoAnswer, NoTime, NotConnected, RateLimited, Throttled,
        Unauthorized,
    };
    let all = [
        RateLimited,
        BreakerOpen,
        NoTime,
        KeyTooOld,
        NotConnected,
        Unauthorized,
        Throttled,
        InFlight,
        NoAnswer,
    ];
    (0..all.len()).prop_map(move |at| all[at])
}

/// Anything the wrapper may say of this order, and of another charge now and then.
fn outcome(order: &'static str) -> impl Strategy<Value = Outcome> {
    let payment_id = prop_oneof![9 => Just(charge(order)), 1 => Just(charge("other"))];
    prop_oneof![
        4 => payment_id.clone().prop_map(|payment_id| Outcome::Authorized { payment_id }),
        4 => payment_id.clone().prop_map(|payment_id| Outcome::Captured { payment_id }),
        2 => payment_id.clone().prop_map(|payment_id| Outcome::Canceled { payment_id }),
        1 => any::<bool>().prop_map(|soft| Outcome::Declined { code: "no".to_owned(), soft, payment_id: None }),
        1 => Just(Outcome::AwaitsCustomer { payment_id: None }),
        1 => payment_id.prop_map(|payment_id| Outcome::AwaitsProvider { payment_id }),
        1 => Just(Outcome::Unknown { why: Unclear::SavedFailure }),
        1 => Just(Outcome::Review { why: "odd", payment_id: None }),
        4 => reason().prop_map(later),
    ]
}

fn answers() -> impl Strategy<Value = Vec<(Endpoint, &'static str, u64, Outcome)>> {
    let endpoint = prop_oneof![Just(Endpoint::Authorize), Just(Endpoint::Capture), Just(Endpoint::Cancel)];
    let answer = (endpoint, 0..ORDERS.len(), 0_u64..4_000).prop_flat_map(|(endpoint, at, delay_ms)| {
        outcome(ORDERS[at]).prop_map(move |outcome| (endpoint, ORDERS[at], delay_ms, outcome))
    });
    collection::vec(answer, 0..16)
}

fn store() -> impl Strategy<Value = Vec<Fail>> {
    let fail = prop_oneof![
        6 => Just(Fail::No), 1 => Just(Fail::Later), 1 => Just(Fail::Refuse("a")), 1 => Just(Fail::Silent("silent")),
    ];
    collection::vec(fail, 0..8)
}

/// Whether a message about this row may go.
fn settled(shop: &Shop, order: &str) -> bool {
    let row = shop.rows().of(order);
    let turn =
        matches!(row.status, PaymentStatus::Requested | PaymentStatus::Capturing | PaymentStatus::Voiding);
    !turn || row.parked.is_some()
}

proptest! {
    #[test]
    fn nothing_is_acknowledged_before_its_time(
        records in collection::vec((0..ORDERS.len(), 1_u32..8), 1..10),
        wanted in any::<[bool; 4]>(),
        answers in answers(),
        store in store(),
        refuses in prop_oneof![Just(None), Just(Some("order-events")), Just(Some("quarantine"))],
        timeout_ms in 1_000_u64..30_000,
    ) {
        let mut shop = Shop::with(&ORDERS).store_does(&store);
        for (order, wanted) in ORDERS.iter().zip(wanted) {
            shop.rows().change(order, |row| row.wanted = wanted);
        }
        for (endpoint, order, delay_ms, outcome) in answers {
            shop = shop.answers(endpoint, order, (delay_ms, outcome));
        }
        shop = refuses.into_iter().fold(shop, Shop::refusing);
        shop.timeout = std::time::Duration::from_millis(timeout_ms);
        // Again and again, as the queue would: whatever is left comes back.
        let mut left: Vec<(String, usize, u32)> =
            records.iter().enumerate().map(|(n, (at, received))| (format!("m{n}"), *at, *received)).collect();
        for _ in 0..4 {
            let batch = left.iter().map(|(id, at, received)| record(id, ORDERS[*at], *received)).collect();
            let ran = shop.process(batch);
            prop_assert!(ran.took_ms <= timeout_ms.max(4_000) + 4_000, "{} ms", ran.took_ms);
            prop_assert!(ran.failed.iter().all(|id| left.iter().any(|(known, _, _)| known == id)));
            // A row that one record left in the provider's hands may be moved on by another of the same batch: that one
            // then answers for it.
            let comes_back = |order: usize| left.iter().any(|(id, at, _)| *at == order && ran.failed.contains(id));
            for (id, at, _) in left.iter().filter(|(id, _, _)| !ran.failed.contains(id)) {
                let answered_for = settled(&shop, ORDERS[*at]) || comes_back(*at);
                prop_assert!(answered_for, "{id} was acknowledged: {:?}", shop.rows().of(ORDERS[*at]));
            }
            left.retain(|(id, _, _)| ran.failed.contains(id));
            left.iter_mut().for_each(|(_, _, received)| *received += 1);
        }
        prop_assert_eq!(shop.offences(), Vec::<String>::new());
        for order in ORDERS {
            let confirmed = shop.published("order-events").iter().filter(|told| told.body.contains(&format!("\"{order}:"))).count();
            prop_assert!(confirmed <= 1);
        }
    }
}
