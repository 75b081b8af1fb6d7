//! Prices orders by the catalog, and notices where the database contradicts what the cache said.

use std::collections::{BTreeMap, BTreeSet};

use catalog::Lookup;
use order::{Doubt, DoubtKind, Known, PricedOrder, RejectReason, Sku, price};
use order_store::{Accepted, Verdict};

use crate::flow::Orders;

/// Every valid order with the catalog's doubts about it, by position.
pub(crate) fn price_all<'a>(orders: &'a Orders, lookup: &'a Lookup) -> BTreeMap<usize, PricedOrder<'a>> {
    let valid = orders
        .iter()
        .filter_map(|(position, decoded)| Some((*position, decoded.placed.verdict.as_ref().ok()?)));
    valid.map(|(position, request)| (position, price(request, |sku| known(lookup, sku)))).collect()
}

/// The SKUs whose cached entry the database has just proved wrong: it accepted an order that the cache doubted, or
/// rejected for its price or its kits one that the cache did not. Dropping them makes the next look-up read anew.
pub(crate) fn contradicted(priced: &BTreeMap<usize, PricedOrder<'_>>, answers: &[Accepted]) -> BTreeSet<Sku> {
    let mut stale = BTreeSet::new();
    for answer in answers {
        let Some(order) = priced.get(&answer.record_no) else { continue };
        match &answer.verdict {
            Verdict::Accepted => {
                stale.extend(order.doubts.iter().filter(|doubt| cached(doubt)).map(|doubt| doubt.sku.clone()))
            }
            Verdict::Rejected(reason) if blames_catalog(*reason) && order.doubts.is_empty() => {
                stale.extend(order.request.lines.iter().map(|line| line.sku.clone()));
            }
            Verdict::Rejected(_)
            | Verdict::Known
            | Verdict::IdReused
            | Verdict::Canceled
            | Verdict::Refused { .. } => {}
        }
    }
    stale
}

fn known<'a>(lookup: &'a Lookup, sku: &Sku) -> &'a Known {
    lookup.products.get(sku).unwrap_or(&Known::Unread)
}

fn cached(doubt: &Doubt) -> bool {
    doubt.kind != DoubtKind::Unread
}

fn blames_catalog(reason: RejectReason) -> bool {
    use RejectReason::{CurrencyMismatch, InactiveSku, PriceChanged, UnknownSku};
    matches!(reason, UnknownSku | InactiveSku | PriceChanged | CurrencyMismatch)
}
