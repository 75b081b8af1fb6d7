//! The verdict on an order that can be read: every rule that needs no database.

use order::event::parse;
use order::{EventData, MAX_AMOUNT_MINOR, Placed, RejectReason};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

use crate::drafts::{Draft, valid_draft};

fn placed(draft: &Draft) -> Placed {
    let EventData::OrderPlaced(placed) = parse(&draft.event().to_string()).unwrap().data else {
        panic!("another type")
    };
    placed
}

#[track_caller]
fn check(expected: Result<(), RejectReason>, change: impl FnOnce(&mut Draft)) {
    let draft = Draft::with(change);
    assert_eq!(placed(&draft).verdict.map(drop), expected, "{draft:?}");
}

/// Sets the total to the sum, so that it is not what is wrong.
fn balance(draft: &mut Draft) {
    draft.total_minor = i64::try_from(draft.sum()).unwrap();
}

#[test]
fn an_order_must_be_possible() {
    let invalid = Err(RejectReason::InvalidOrder);
    check(Ok(()), |_| ());
    check(invalid, |draft| draft.items.clear());
    check(invalid, |draft| draft.items[0].1 = 0);
    check(invalid, |draft| draft.items[0].1 = -2);
    check(invalid, |draft| draft.items[0].2 = -2490);
    check(invalid, |draft| draft.items[0].0 = "kit thai".to_owned());
    check(invalid, |draft| draft.currency = "eur".to_owned());
    check(invalid, |draft| draft.currency = String::new());
    check(invalid, |draft| draft.adjustments[0].1 = -490);
    check(invalid, |draft| draft.adjustments[1].1 = 500);
    check(invalid, |draft| draft.adjustments[0].0 = "tip");
    check(invalid, |draft| draft.customer_ref = String::new());
    check(invalid, |draft| draft.method_ref = "pm card".to_owned());
    check(invalid, |draft| {
        draft.adjustments = vec![("shipping", 1); order::MAX_ADJUSTMENTS + 1];
        balance(draft);
    });
}

#[test]
fn an_order_stays_within_a_households_limits() {
    let limit = Err(RejectReason::QuantityLimit);
    let quantity = |quantity: i64| {
        move |draft: &mut Draft| {
            draft.items[0].1 = quantity;
            balance(draft);
        }
    };
    check(Ok(()), quantity(99));
    check(limit, quantity(100));
    check(limit, |draft| draft.items[0].1 = i64::MAX);
    check(limit, |draft| draft.items[0].1 = 4_294_967_297); // 1 in 32 bits.
    let lines = |lines: usize| {
        move |draft: &mut Draft| {
            draft.items = vec![("kit".to_owned(), 1, 100); lines];
            balance(draft);
        }
    };
    check(Ok(()), lines(50));
    check(limit, lines(51));
}

#[test]
fn the_total_must_be_the_sum() {
    let mismatch = Err(RejectReason::TotalMismatch);
    check(mismatch, |draft| draft.total_minor = 4971);
    check(mismatch, |draft| draft.total_minor = -4970);
    check(mismatch, |draft| draft.items[0].2 = i64::MAX);
    check(mismatch, |draft| {
        draft.items = vec![("kit".to_owned(), 1, i64::MAX), ("kit".to_owned(), 1, i64::MAX)]
    });
    check(mismatch, |draft| {
        draft.adjustments = vec![("discount", -4980)];
        balance(draft);
    });
    // In 64 bits that wrap, this would be the example's total.
    check(mismatch, |draft| {
        draft.items = vec![("kit".to_owned(), 2, i64::MAX), ("kit".to_owned(), 1, 4972 - 490 + 500)];
    });
}

#[test]
fn the_total_must_be_chargeable() {
    let invalid = Err(RejectReason::InvalidOrder);
    let total = |currency: &'static str, price: i64| {
        move |draft: &mut Draft| {
            draft.currency = currency.to_owned();
            draft.items = vec![("kit".to_owned(), 1, price)];
            draft.adjustments.clear();
            draft.total_minor = price;
        }
    };
    check(invalid, total("EUR", 49));
    check(Ok(()), total("EUR", 50));
    check(invalid, total("HUF", 17_499));
    check(Ok(()), total("JPY", 50));
    check(Ok(()), total("KRW", 1));
    check(Ok(()), total("EUR", MAX_AMOUNT_MINOR));
    check(invalid, total("EUR", MAX_AMOUNT_MINOR + 1));
    check(invalid, |draft| {
        draft.items = vec![("kit".to_owned(), 1, MAX_AMOUNT_MINOR + 1)];
        draft.adjustments = vec![("discount", -MAX_AMOUNT_MINOR)];
        draft.total_minor = 1;
    });
}

#[test]
fn form_is_judged_before_limits_and_limits_before_sums() {
    check(Err(RejectReason::InvalidOrder), |draft| {
        (draft.items[0].1, draft.currency) = (100_000, "euro".to_owned())
    });
    check(Err(RejectReason::QuantityLimit), |draft| (draft.items[0].1, draft.total_minor) = (100_000, 1));
}

#[test]
fn a_rejected_order_keeps_what_the_shop_must_hear() {
    let placed = placed(&Draft::with(|draft| draft.currency = "euro".to_owned()));
    assert_eq!((placed.order_id.as_str(), placed.customer_id.as_str()), ("ord_1", "c_8f2"));
    assert_eq!((placed.currency, placed.total_minor), (None, 4970));
    assert_eq!(placed.fingerprint.as_str().len(), 64);
}

/// Numbers around every limit, and the ends of the type.
fn any_number() -> impl Strategy<Value = i64> {
    let edges =
        vec![i64::MIN, -1, 0, 1, 2, 49, 50, 99, 100, MAX_AMOUNT_MINOR, MAX_AMOUNT_MINOR + 1, i64::MAX];
    // No numbers of 13 digits and more at random: one in twenty of those looks like a card's.
    proptest::prop_oneof![prop::sample::select(edges), -1_000_000_000..1_000_000_000_i64, 0..200_i64]
}

proptest! {
    #[test]
    fn a_valid_order_keeps_every_rule(
        items in prop::collection::vec(("[a-z]{1,4}", any_number(), any_number()), 0..4),
        shipping in any_number(),
        discount in any_number(),
        balanced in any::<bool>(),
        total in any_number(),
    ) {
        let mut draft = Draft::example();
        draft.items = items;
        draft.adjustments = vec![("shipping", shipping), ("discount", discount)];
        draft.total_minor = if balanced { i64::try_from(draft.sum()).unwrap_or(total) } else { total };
        let Ok(event) = parse(&draft.event().to_string()) else {
            // Only by a sum or a product that looks like a card number.
            return Ok(());
        };
        let EventData::OrderPlaced(placed) = event.data else { panic!("another type") };
        let expected = !draft.items.is_empty()
            && draft.items.iter().all(|(_, quantity, price)| (1..=99).contains(quantity) && (0..=MAX_AMOUNT_MINOR).contains(price))
            && shipping >= 0
            && discount <= 0
            && draft.sum() == i128::from(draft.total_minor)
            && (50..=MAX_AMOUNT_MINOR).contains(&draft.total_minor);
        prop_assert_eq!(placed.verdict.is_ok(), expected, "{:?}", placed.verdict);
    }

    #[test]
    fn one_minor_unit_more_or_less_is_a_mismatch(draft in valid_draft(), up in any::<bool>()) {
        let total_minor = draft.total_minor + if up { 1 } else { -1 };
        let verdict = placed(&Draft { total_minor, ..draft }).verdict;
        prop_assert!(matches!(verdict, Err(RejectReason::TotalMismatch)));
    }
}
