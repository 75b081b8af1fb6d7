//! Every way a run can go wrong, planted one at a time into evidence that is right.

mod changes;

use super::{Judgement, judge};
use crate::evidence::{Evidence, Payment, Quarantined, Row, Stock};
use crate::sandbox::{Charges, Ledger};
use crate::sent::{Item, Outcome, PaymentRefs, Placed, Sent};

fn item(sku: &str, quantity: i64, unit_price_minor: i64) -> Item {
    Item { sku: sku.to_owned(), quantity, unit_price_minor }
}

fn placed(id: &str, items: Vec<Item>) -> Placed {
    let total_minor = items.iter().map(|item| item.quantity * item.unit_price_minor).sum();
    let payment = PaymentRefs { customer_ref: "cus_x".into(), method_ref: "pm_x".into() };
    let (order_id, customer_id, currency) = (id.to_owned(), "c_x".to_owned(), "EUR".to_owned());
    let placed_at = "2026-11-23T10:15:00Z".to_owned();
    Placed {
        order_id,
        customer_id,
        currency,
        placed_at,
        items,
        adjustments: Vec::new(),
        total_minor,
        payment,
    }
}

fn sent(message_id: &str, unit: &str, order: Option<Placed>, expected: Vec<Outcome>) -> Sent {
    let kind = "plain".to_owned();
    let (unit, message_id, traceparent) = (unit.to_owned(), message_id.to_owned(), String::new());
    Sent { unit, kind, order, expected, message_id, sent_at_ms: 1, traceparent }
}

fn events(id: &str, end: &str) -> Vec<String> {
    vec![format!("{id}:order.accepted.v1:1"), format!("{id}:order.{end}.v1:2")]
}

fn confirmed_row(order: &Placed) -> Row {
    let payment = Payment {
        amount_minor: order.total_minor,
        currency: order.currency.clone(),
        customer_ref: order.payment.customer_ref.clone(),
        method_ref: order.payment.method_ref.clone(),
        status: "captured".into(),
        payment_id: Some(format!("pi_{}", order.order_id)),
    };
    Row {
        order_id: order.order_id.clone(),
        customer_id: Some(order.customer_id.clone()),
        status: "confirmed".into(),
        reason: None,
        currency: Some(order.currency.clone()),
        total_minor: Some(order.total_minor),
        items: order.items.clone(),
        payments: vec![payment],
        events: events(&order.order_id, "confirmed"),
        decided_at_ms: Some(1_000),
    }
}

/// Rejected before it was accepted: no lines, no payment.
fn rejected_row(order: &Placed, reason: &str) -> Row {
    Row {
        status: "rejected".into(),
        reason: Some(reason.into()),
        items: Vec::new(),
        payments: Vec::new(),
        events: vec![format!("{}:order.rejected.v1:1", order.order_id)],
        ..confirmed_row(order)
    }
}

/// Accepted, and then the bank said no.
fn declined_row(order: &Placed) -> Row {
    let mut row = confirmed_row(order);
    row.payments[0].status = "failed".into();
    row.payments[0].payment_id = None;
    let (status, reason) = ("rejected".into(), Some("payment_declined".into()));
    Row { status, reason, events: events(&order.order_id, "rejected"), ..row }
}

/// What a faultless provider has of these rows.
fn ledger(rows: &[Row]) -> Ledger {
    let paid = rows.iter().filter(|row| row.status == "confirmed");
    let charges = |row: &Row| Charges {
        captured_minor: row.total_minor.unwrap(),
        captures: 1,
        holds: 0,
        currency: "eur".into(),
        payment_ids: vec![row.payments[0].payment_id.clone().unwrap()],
    };
    Ledger { orders: paid.map(|row| (row.order_id.clone(), charges(row))).collect(), ..Ledger::default() }
}

/// Two kits; a paid order sent twice, a rejected one, a malformed body, a reused id, and one that was declined.
fn right() -> Evidence {
    let good = placed("ord_a", vec![item("kit-a", 2, 1000), item("kit-b", 1, 500)]);
    let bad = placed("ord_b", vec![item("kit-x", 1, 700)]);
    let first = placed("ord_c", vec![item("kit-a", 1, 1000)]);
    let again = placed("ord_c", vec![item("kit-a", 9, 1000)]);
    let poor = placed("ord_d", vec![item("kit-a", 3, 1000)]);
    let reuse = vec![Outcome::Confirmed, Outcome::Quarantined("id_reused".into())];
    let rows =
        [confirmed_row(&good), rejected_row(&bad, "unknown_sku"), confirmed_row(&first), declined_row(&poor)];
    let declined = vec![Outcome::Rejected("payment_declined".into())];
    Evidence {
        sent: vec![
            sent("m-1", "ord_a", Some(good.clone()), vec![Outcome::Confirmed]),
            sent("m-2", "ord_a", Some(good), vec![Outcome::Confirmed]),
            sent("m-3", "ord_b", Some(bad), vec![Outcome::Rejected("unknown_sku".into())]),
            sent("m-4", "malformed body 1", None, vec![Outcome::Quarantined("not_json".into())]),
            sent("m-5", "ord_c", Some(first), reuse.clone()),
            sent("m-6", "ord_c again", Some(again), reuse),
            sent("m-7", "ord_d", Some(poor), declined),
        ],
        ledger: ledger(&rows),
        published: rows
            .iter()
            .map(|row| (row.order_id.clone(), row.events.iter().cloned().collect()))
            .collect(),
        orders: rows.map(|row| (row.order_id.clone(), row)).into(),
        stock: [
            ("kit-a".into(), Stock { put: 10, available: Some(7) }),
            ("kit-b".into(), Stock { put: 5, available: Some(4) }),
        ]
        .into(),
        quarantine: vec![
            Quarantined { message_id: "m-4".into(), reason: "not_json".into() },
            Quarantined { message_id: "m-6".into(), reason: "id_reused".into() },
        ],
        ..Evidence::default()
    }
}

/// Plants one defect and expects one kind of finding; the counts must still add up.
#[track_caller]
fn check(plant: impl FnOnce(&mut Evidence), finding: &str) -> Judgement {
    let mut evidence = right();
    plant(&mut evidence);
    let judgement = judge(&evidence);
    assert!(!judgement.passed(), "{judgement:?}");
    assert!(judgement.findings.iter().any(|found| found.contains(finding)), "{:#?}", judgement.findings);
    adds_up(&judgement);
    judgement
}

#[track_caller]
fn adds_up(judgement: &Judgement) {
    let rejected: u64 = judgement.rejected.values().sum();
    let ends = judgement.confirmed + rejected + judgement.quarantined + judgement.dead_lettered;
    assert_eq!(judgement.sent, ends + judgement.lost + judgement.unfinished, "{judgement:?}");
}

fn row<'a>(evidence: &'a mut Evidence, id: &str) -> &'a mut Row {
    evidence.orders.get_mut(id).unwrap()
}

#[test]
fn a_run_that_went_right_passes() {
    let judgement = judge(&right());
    assert!(judgement.passed(), "{judgement:?}");
    assert_eq!((judgement.sent, judgement.duplicates), (6, 1));
    assert_eq!((judgement.accepted, judgement.confirmed, judgement.quarantined), (3, 2, 2));
    assert_eq!((judgement.rejected["unknown_sku"], judgement.rejected["payment_declined"]), (1, 1));
    assert_eq!(judgement.findings, Vec::<String>::new());
    adds_up(&judgement);
}

#[test]
fn what_came_out_fails_the_run() {
    let judgement =
        check(|evidence| evidence.leaks.push("the log a: holds it".into()), "the log a: holds it");
    assert_eq!((judgement.leaked, judgement.mismatched), (1, 0));
}

#[test]
fn an_order_without_a_row_is_lost() {
    let judgement = check(
        |evidence| {
            evidence.orders.remove("ord_b");
        },
        "ord_b (plain): no row, no quarantine, no dead letter",
    );
    assert_eq!((judgement.lost, judgement.unfinished), (1, 0));
}

#[test]
fn a_paid_order_without_a_row_also_shows_in_the_stock_the_ledger_and_the_events() {
    let judgement = check(
        |evidence| {
            evidence.orders.remove("ord_a");
        },
        "stock of kit-b: 5 less 0 taken, but 4 available",
    );
    // Two kits, one charge, one set of events.
    assert_eq!((judgement.lost, judgement.mismatched), (1, 4));
    assert!(judgement.findings.contains(&"ord_a: no row, but 2500 EUR taken".to_owned()), "{judgement:?}");
}

#[test]
fn a_malformed_body_outside_the_quarantine_is_lost() {
    check(
        |evidence| {
            evidence.quarantine.remove(0);
        },
        "malformed body 1 (plain): no row",
    );
}

#[test]
fn what_is_missing_while_the_queue_holds_messages_is_unfinished() {
    let judgement = check(
        |evidence| {
            evidence.orders.remove("ord_b");
            evidence.waiting = 3;
        },
        "messages that the orders queue still holds: 3",
    );
    assert_eq!((judgement.lost, judgement.unfinished), (0, 1));
}

#[test]
fn a_queue_that_is_not_empty_fails_although_every_order_has_a_row() {
    check(|evidence| evidence.waiting = 1, "still holds: 1");
}

#[test]
fn a_dead_letter_fails_and_is_not_lost() {
    let judgement = check(
        |evidence| {
            evidence.orders.remove("ord_b");
            evidence.dead_letters.insert("m-3".into());
            evidence.waiting = 1;
        },
        "still holds: 1",
    );
    assert_eq!((judgement.dead_lettered, judgement.lost, judgement.unfinished), (1, 0, 0));
}

#[test]
fn a_row_with_another_content_is_mismatched() {
    check(|e| row(e, "ord_a").total_minor = Some(1), "total was sent as 2500, the row has 1");
    check(|e| row(e, "ord_a").customer_id = None, "customer was sent as c_x, the row has nothing");
    check(|e| row(e, "ord_a").currency = Some("USD".into()), "currency was sent as EUR, the row has USD");
    check(|e| row(e, "ord_a").items[0].unit_price_minor = 1, "the row has 1×kit-b at 500 + 2×kit-a at 1");
    check(
        |e| row(e, "ord_a").payments[0].amount_minor = 1,
        "payment was sent as 2500 EUR cus_x pm_x, the row has 1 EUR",
    );
    check(|e| row(e, "ord_a").payments.clear(), "payment was sent as");
    check(|e| row(e, "ord_a").events.clear(), "first event was sent as order.accepted.v1");
    check(
        |e| row(e, "ord_b").items.push(item("kit-a", 1, 1)),
        "items was sent as , the row has 1×kit-a at 1",
    );
}

#[test]
fn a_unit_with_several_faults_counts_once() {
    let judgement = check(
        |evidence| {
            row(evidence, "ord_b").total_minor = Some(1);
            row(evidence, "ord_b").customer_id = None;
        },
        "ord_b (plain): total",
    );
    assert_eq!(judgement.mismatched, 1);
}

#[test]
fn an_outcome_that_was_not_to_be_is_mismatched() {
    check(
        |e| row(e, "ord_b").reason = Some("out_of_stock".into()),
        "is rejected (out_of_stock), should be rejected (unknown_sku)",
    );
    check(
        |e| e.quarantine[0].reason = "too_deep".into(),
        "is quarantined (too_deep), should be quarantined (not_json)",
    );
    check(
        |e| e.sent[..2].iter_mut().for_each(|sent| sent.expected = vec![Outcome::Rejected("x".into())]),
        "is confirmed, should be rejected (x)",
    );
}

/// Puts the paid order back on its way, with everything that says so.
fn unpay(evidence: &mut Evidence) {
    let row = row(evidence, "ord_a");
    row.status = "accepted".into();
    row.payments[0].status = "requested".into();
    row.events.pop();
    let events = row.events.iter().cloned().collect();
    evidence.published.insert("ord_a".into(), events);
    evidence.ledger.orders.remove("ord_a");
}

#[test]
fn an_order_that_is_neither_paid_nor_rejected_is_unfinished() {
    let judgement = check(unpay, "ord_a (plain): accepted, payment requested, and not at its end");
    assert_eq!((judgement.unfinished, judgement.mismatched, judgement.confirmed), (1, 0, 1));
    check(|e| e.waiting_payments = 2, "messages that the payments queue still holds: 2");
}

#[test]
fn an_order_whose_payment_request_is_a_dead_letter_is_dead_lettered() {
    let mut evidence = right();
    unpay(&mut evidence);
    evidence.dead_payments.insert("ord_a".into());
    let judgement = judge(&evidence);
    assert_eq!((judgement.dead_lettered, judgement.unfinished, judgement.passed()), (1, 0, false));
    adds_up(&judgement);
}

fn charges<'a>(evidence: &'a mut Evidence, id: &str) -> &'a mut Charges {
    evidence.ledger.orders.entry(id.to_owned()).or_default()
}

#[test]
fn an_order_that_was_charged_twice_is_found_in_the_ledger() {
    let judgement = check(|e| charges(e, "ord_a").captures = 2, "ord_a: money was taken 2 times");
    assert_eq!((judgement.double_charged, judgement.mismatched), (1, 0));
    check(|e| e.ledger.double_captures.push("ord_c".into()), "ord_c: money was taken 1 times");
}

#[test]
fn a_hold_that_nobody_released_is_found_in_the_ledger() {
    let judgement =
        check(|e| e.ledger.orphan_holds.push("pi_z".into()), "charge pi_z: its money is still held");
    assert_eq!((judgement.orphan_holds, judgement.mismatched), (1, 0));
}

#[test]
fn a_charge_that_is_not_what_the_row_says_is_mismatched() {
    let amount = "ord_a: confirmed over 2500 EUR, but";
    check(|e| charges(e, "ord_a").captured_minor = 2501, &format!("{amount} 2501 EUR taken"));
    check(|e| charges(e, "ord_a").currency = "usd".into(), &format!("{amount} 2500 USD taken"));
    check(|e| drop(e.ledger.orders.remove("ord_a")), "ord_a: confirmed, but no money was taken");
    let (captures, captured_minor) = (1, 3000);
    check(
        |e| {
            *charges(e, "ord_d") =
                Charges { captures, captured_minor, currency: "eur".into(), ..Charges::default() }
        },
        "ord_d: rejected (payment_declined), but 3000 EUR taken",
    );
    check(|e| row(e, "ord_c").status = "accepted".into(), "ord_c: accepted, but 1000 EUR taken");
    check(|e| charges(e, "ord_a").payment_ids.clear(), "ord_a: captured as pi_ord_a, which the provider");
    check(
        |e| row(e, "ord_a").payments[0].status = "failed".into(),
        "ord_a: confirmed, with 0 captured attempts",
    );
}

fn told<'a>(evidence: &'a mut Evidence, id: &str) -> &'a mut std::collections::BTreeSet<String> {
    evidence.published.get_mut(id).unwrap()
}

#[test]
fn a_shop_that_heard_too_little_or_too_much_is_found() {
    check(|e| drop(told(e, "ord_a").pop_last()), "ord_a: order.confirmed.v1 was not published");
    check(
        |e| told(e, "ord_d").clear(),
        "ord_d: order.accepted.v1 was not published; order.rejected.v1 was not",
    );
    check(
        |e| assert!(told(e, "ord_b").insert("ord_b:order.accepted.v1:2".into())),
        "ord_b: order.accepted.v1 was published of an order that is rejected",
    );
    check(
        |e| assert!(told(e, "ord_a").insert("ord_a:order.confirmed.v1:3".into())),
        "ord_a: order.confirmed.v1 was published under 2 ids",
    );
    check(
        |e| row(e, "ord_a").events[1] = "ord_a:order.confirmed.v1:9".into(),
        "ord_a:order.confirmed.v1:2 is not in its outbox",
    );
    check(
        |e| drop(e.published.insert("ord_z".into(), ["ord_z:order.accepted.v1:1".into()].into())),
        "ord_z: events were published, but there is no row",
    );
}

#[test]
fn stock_that_does_not_add_up_is_mismatched() {
    check(
        |e| e.stock.get_mut("kit-a").unwrap().available = Some(8),
        "stock of kit-a: 10 less 3 taken, but 8 available",
    );
    check(|e| e.stock.get_mut("kit-b").unwrap().available = None, "but nothing available");
}

#[test]
fn a_row_that_nobody_sent_is_mismatched() {
    let stray = rejected_row(&placed("ord_z", vec![]), "out_of_stock");
    check(|e| drop(e.orders.insert("ord_z".into(), stray)), "ord_z: has a row, but nobody sent it");
}

#[test]
fn either_content_of_a_reused_id_may_win_but_one_must() {
    let mut evidence = right();
    let again = evidence.sent[5].order.clone().unwrap();
    evidence.orders.insert("ord_c".into(), confirmed_row(&again));
    charges(&mut evidence, "ord_c").captured_minor = again.total_minor;
    evidence.quarantine[1].message_id = "m-5".into();
    evidence.stock.get_mut("kit-a").unwrap().available = Some(-1);
    assert!(judge(&evidence).passed(), "{:?}", judge(&evidence));
    check(
        |evidence| {
            evidence.orders.remove("ord_c");
            evidence.quarantine.push(Quarantined { message_id: "m-5".into(), reason: "id_reused".into() });
            evidence.stock.get_mut("kit-a").unwrap().available = Some(8);
        },
        "quarantined as reused, but no order has that id",
    );
}
