//! What never happens, whatever is left over and whatever fails.

use std::time::Duration;

use backoff::Clock;
use order::PaymentStatus;
use payments::{ChargeStatus, Later, Outcome};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use crate::world::{NOW_S, QUARANTINE, World};

/// One order: where its row stands, for how long, whether the row names the charge, and where the charge stands.
#[derive(Debug, Clone)]
struct Left {
    row: PaymentStatus,
    age_s: u64,
    names: bool,
    charge: Option<ChargeStatus>,
    replay: Option<Outcome>,
}

fn left() -> impl Strategy<Value = Left> {
    use PaymentStatus::{AwaitingCustomer, Captured, Capturing, Failed, Requested, Unknown, Voiding};
    let row = prop_oneof![
        Just(Requested),
        Just(Unknown),
        Just(Unknown),
        Just(Capturing),
        Just(Captured),
        Just(Voiding),
        Just(Failed),
        Just(AwaitingCustomer),
    ];
    let charge = prop_oneof![
        Just(None),
        Just(Some(ChargeStatus::Held)),
        Just(Some(ChargeStatus::Captured)),
        Just(Some(ChargeStatus::RequiresAction)),
        Just(Some(ChargeStatus::NotHeld)),
        Just(Some(ChargeStatus::Canceled)),
    ];
    let replay = prop_oneof![
        Just(None),
        Just(Some(Outcome::Later { why: Later::NoAnswer, not_before: None })),
        Just(Some(Outcome::Later { why: Later::BreakerOpen, not_before: None })),
    ];
    (row, 1_u64..90_000, any::<bool>(), charge, replay).prop_map(|(row, age_s, names, charge, replay)| Left {
        row,
        age_s,
        names,
        charge,
        replay,
    })
}

fn name(number: usize) -> (String, String) {
    (format!("o{number}"), format!("pi_{number}"))
}

fn world(all: &[Left], faults: &[bool]) -> World {
    let world = World::default();
    world.rows.state.lock().unwrap().compared_until = None;
    for (number, left) in all.iter().enumerate() {
        let (order_id, payment_id) = name(number);
        world.rows.row(&order_id, left.row, Duration::from_secs(left.age_s));
        let must =
            matches!(left.row, PaymentStatus::Capturing | PaymentStatus::Captured | PaymentStatus::Voiding);
        let may = must || (left.row == PaymentStatus::Failed && left.names);
        world.rows.change(&order_id, |row| row.payment_id = may.then(|| payment_id.parse().unwrap()));
        if let Some(status) = left.charge {
            world.bank.charge(&payment_id, &order_id, status, NOW_S - left.age_s);
        }
        if let Some(replay) = left.replay.clone() {
            world.bank.replies(&order_id, replay);
        }
    }
    let fault = |fails: &bool| fails.then_some(Later::InFlight);
    world.bank.ledger.lock().unwrap().list_faults = faults.iter().map(fault).collect();
    world
}

proptest! {
    #[test]
    fn no_hold_is_canceled_whose_row_is_live_and_names_it_and_no_quarantine_is_cut_short(
        all in proptest::collection::vec(left(), 1..30),
        faults in proptest::collection::vec(any::<bool>(), 0..30),
    ) {
        let world = world(&all, &faults);
        for _ in 0..3 {
            world.run();
            world.clock.advance(Duration::from_secs(5));
            let state = world.rows.state.lock().unwrap();
            for ((order_id, attempt_no), row) in &state.rows {
                let canceled = row.payment_id.as_ref().is_some_and(|id| world.bank.canceled().contains(&id.to_string()));
                prop_assert!(!canceled || row.status == PaymentStatus::Failed, "{} {:?}", order_id, row);
                let ran_s = world.clock.now_ms() / 1_000 - NOW_S;
                let number: usize = order_id.as_str()[1..].parse().unwrap();
                let unknown_s = all[number].age_s + ran_s;
                prop_assert!(*attempt_no == 1 || unknown_s >= QUARANTINE.as_secs(), "{} given up early", order_id);
            }
        }
    }

    #[test]
    fn never_more_is_published_in_a_second_than_was_spare(
        count in 0_usize..200,
        spare in proptest::collection::vec(prop_oneof![Just(0_u32), Just(1), 0_u32..40], 1..40),
        fails in 0_usize..6,
        refuses in 0_usize..60,
    ) {
        let world = World::default();
        (0..count).for_each(|number| world.rows.parked(&format!("o{number:04}"), u64::try_from(number).unwrap() * 37));
        world.bank.spare(&spare);
        world.rows.state.lock().unwrap().fails.insert("take_due", fails);
        *world.post.refuses.lock().unwrap() = refuses;
        world.run();
        let times_ms = world.post.request_times_ms();
        let most = usize::try_from(spare.iter().copied().max().unwrap()).unwrap();
        for from_ms in &times_ms {
            let in_a_second = times_ms.iter().filter(|at_ms| (*from_ms..from_ms + 1_000).contains(*at_ms));
            prop_assert!(in_a_second.count() <= most);
        }
        let mut requests = world.post.requests();
        let published = requests.len();
        requests.sort();
        requests.dedup();
        prop_assert_eq!(requests.len(), published, "each row once");
    }
}
