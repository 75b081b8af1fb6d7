//! New prices and deliveries in the middle of a run: what the verdict makes of them, and what orders tell of their speed.

use super::{check, confirmed_row, item, placed, rejected_row, right, sent};
use crate::evidence::{Evidence, Row};
use crate::orders::changes::What;
use crate::sent::{Changed, Outcome};
use crate::verdict::{judge, judged_ms};

#[test]
fn a_price_that_is_not_what_was_sent_is_mismatched() {
    let change = |sku: &str, price| Changed { sku: sku.into(), what: What::Price(price), sent_at_ms: 1 };
    let sent = |e: &mut Evidence| {
        e.changes = vec![change("kit-a", 900), change("kit-a", 1100)];
        e.prices = [("kit-a".into(), 1100)].into();
    };
    let mut right = right();
    sent(&mut right);
    assert!(judge(&right).passed(), "{:?}", judge(&right));
    let old = |e: &mut Evidence| {
        sent(e);
        e.prices.insert("kit-a".into(), 900);
    };
    check(old, "price of kit-a was sent as 1100, the row has 900");
    check(|e| e.changes = vec![change("kit-c", 5)], "price of kit-c was sent as 5, the row has nothing");
}

#[test]
fn a_delivery_counts_once() {
    let change = Changed { sku: "kit-b".into(), what: What::Delivery(3), sent_at_ms: 1 };
    let delivered = |available| {
        let mut evidence = right().with_changes(vec![change.clone()]);
        evidence.stock.get_mut("kit-b").unwrap().available = Some(available);
        judge(&evidence).findings
    };
    assert_eq!(delivered(7), [""; 0]);
    assert_eq!(delivered(10), ["stock of kit-b: 8 less 1 taken, but 10 available"]);
}

#[test]
fn a_message_sent_twice_may_end_as_either_allows() {
    let mut evidence = right();
    evidence.sent[0].expected = vec![Outcome::Rejected("price_changed".into())];
    assert!(judge(&evidence).passed(), "{:?}", judge(&evidence));
    evidence.sent[1].expected = evidence.sent[0].expected.clone();
    assert_eq!(
        judge(&evidence).findings,
        ["ord_a (plain): is confirmed, should be rejected (price_changed)"]
    );
}

/// An order's lines by kit and price, why it was rejected if it was, and when that was decided.
type Decided<'a> = (&'a [(&'a str, i64)], Option<&'a str>, u64);

/// Orders of one or two kits, each decided at a time in a way, and what they tell of a change of kit-a at 100 ms.
#[track_caller]
fn check_judged(orders: &[Decided<'_>], expected: &[f64]) {
    let mut evidence = Evidence {
        changes: ["kit-a", "kit-b"]
            .map(|sku| Changed { sku: sku.into(), what: What::Price(1100), sent_at_ms: 100 })
            .into(),
        ..Evidence::default()
    };
    for (nth, (lines, reason, decided_at_ms)) in orders.iter().enumerate() {
        let lines = lines.iter().map(|(sku, price)| item(sku, 1, *price)).collect();
        let order = placed(&format!("ord_{nth}"), lines);
        let row = reason.map_or_else(|| confirmed_row(&order), |reason| rejected_row(&order, reason));
        let row = Row { decided_at_ms: Some(*decided_at_ms), ..row };
        evidence.orders.insert(order.order_id.clone(), row);
        evidence.sent.push(sent("m", &order.order_id.clone(), Some(order), vec![]));
    }
    assert_eq!(judged_ms(&evidence), expected);
}

#[test]
fn the_first_order_judged_by_a_new_price_tells_when_it_held() {
    let changed = Some("price_changed");
    check_judged(&[(&[("kit-a", 1100)], None, 180), (&[("kit-a", 1100)], None, 150)], &[50.0]);
    check_judged(&[(&[("kit-a", 1000)], changed, 130), (&[("kit-a", 1100)], None, 150)], &[30.0]);
    // At the old price, for another reason, and because of whichever kit: none of them tells.
    check_judged(&[(&[("kit-a", 1000)], None, 130)], &[]);
    check_judged(&[(&[("kit-a", 1000)], Some("out_of_stock"), 130)], &[]);
    check_judged(&[(&[("kit-a", 1100)], changed, 130)], &[]);
    check_judged(&[(&[("kit-a", 1000), ("kit-b", 1000)], changed, 130)], &[]);
    check_judged(&[(&[("kit-a", 1000), ("kit-c", 1000)], changed, 130)], &[30.0]);
}
