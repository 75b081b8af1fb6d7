//! What the shop told of its catalog: whether the rows hold it, and how soon orders were judged by it.

use crate::evidence::{Evidence, Row};
use crate::orders::changes::What;
use crate::report::float;
use crate::sent::{Changed, Placed};
use std::collections::BTreeMap;

/// SKUs whose price in the database is not what was sent last.
pub(super) fn prices(evidence: &Evidence) -> Vec<String> {
    let wanted: BTreeMap<&str, i64> =
        new_prices(evidence).map(|(change, price)| (&*change.sku, price)).collect();
    let wrong = wanted.into_iter().filter_map(|(sku, wanted)| {
        let held = evidence.prices.get(sku).copied();
        let found = held.map_or("nothing".to_owned(), |price| price.to_string());
        (held != Some(wanted)).then(|| format!("price of {sku} was sent as {wanted}, the row has {found}"))
    });
    wrong.collect()
}

/// For every new price that an order was judged by: milliseconds from sending `product.changed.v1` to the decision of
/// the first such order, which was accepted at the new price or rejected because it showed the old one. Orders are the
/// probes, so each value is an upper bound, as fine as orders for that kit were dense.
pub fn judged_ms(evidence: &Evidence) -> Vec<f64> {
    // Each order once, though it may have been sent twice.
    let orders: BTreeMap<&str, &Placed> = evidence
        .sent
        .iter()
        .filter_map(|sent| sent.order.as_ref())
        .map(|order| (order.order_id.as_str(), order))
        .collect();
    let first = |(change, price): (&Changed, i64)| {
        let decided = orders.iter().filter_map(|(id, order)| {
            let row = evidence.orders.get(*id)?;
            judged_by(evidence, (change, price), (order, row)).then_some(row.decided_at_ms).flatten()
        });
        Some(float(decided.min()?.saturating_sub(change.sent_at_ms)))
    };
    new_prices(evidence).filter_map(first).collect()
}

/// Whether this order's end shows that the new price held. An order that also names another kit whose price changed
/// does not: it may have been rejected because of that one.
fn judged_by(evidence: &Evidence, (change, price): (&Changed, i64), (order, row): (&Placed, &Row)) -> bool {
    let changed = |sku: &str| new_prices(evidence).any(|(other, _)| other.sku == sku);
    let mut lines = order.items.iter().filter(|item| changed(&item.sku));
    let (Some(line), None) = (lines.next(), lines.next()) else { return false };
    let by_new = line.unit_price_minor == price && row.was_accepted();
    let by_old = line.unit_price_minor != price && row.reason.as_deref() == Some("price_changed");
    line.sku == change.sku && (by_new || by_old)
}

fn new_prices(evidence: &Evidence) -> impl Iterator<Item = (&Changed, i64)> {
    evidence.changes.iter().filter_map(|change| match change.what {
        What::Price(price_minor) => Some((change, price_minor)),
        What::Delivery(_) => None,
    })
}
